"""What breaks in us, or around us, the command does not notice: its status and its output stay what they are."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
from pathlib import Path

import pytest

import gpudoctor as gpudoctor_package
from command import COMMAND, Ended, environment, gpudoctor
from crashes import lacking, needed

pytestmark = pytest.mark.slow

# More than a pipe of the kernel holds at once, some of it before and some after we looked.
SCRIPT = "echo begun; sleep 0.3; head -c 300000 /dev/zero; echo said >&2; exit 5"
# Loaded by Python before anything of ours: takes the place of what the variable names, and raises when it is called.
BREAK = """\
import importlib, os
module, _, name = os.environ["GPUDOCTOR_TEST_BREAKS"].partition(":")
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
def broken(*_, **__):
    raise RuntimeError("broken by a test")
setattr(owner, last, broken)
"""
# What is called, and what is still said: the explanation, that there is none, or nothing, where we gave the command up.
EXPLAINED, REGRETTED, SILENT = "the command ended with 5", "could not be explained: RuntimeError: broken by a test", ""
BROKEN = {
    "counters.Groups.__init__": SILENT,
    "counters.Groups.counters": SILENT,
    "begin.surroundings": SILENT,
    "begin.plan": SILENT,
    "begin.start": SILENT,
    "begin.Run": SILENT,
    "watch.KernelLog.__init__": EXPLAINED,
    "watch.KernelLog.read": REGRETTED,
    "watch.Peaks.__init__": EXPLAINED,
    "watch.Peaks.look": EXPLAINED,
    "watch.GpuWatch.__init__": EXPLAINED,
    "loop.Run.record": REGRETTED,
    "loop.Run._turn": SILENT,
    "loop.limits_of": SILENT,
    "signals.Inbox.read": SILENT,
    "evidence.kernel_lines": REGRETTED,
    "facts.of_machine": EXPLAINED,
}


def told(folder: Path, *options: str, **how) -> Ended:
    """Run the script; hold that its end and its output are its own."""
    ended = gpudoctor("run", *options, "--", "sh", "-c", SCRIPT, cwd=folder, **how)
    assert ended.status == 5, ended.errors
    assert ended.stdout == b"begun\n" + bytes(300_000)
    assert ended.stderr.startswith(b"said\n")
    assert not ended.left
    return ended


@pytest.mark.parametrize("place", BROKEN)
def test_whatever_raises_in_us(place: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAK)
    module, _, name = place.partition(".")
    env = {"PYTHONPATH": str(tmp_path), "GPUDOCTOR_TEST_BREAKS": f"gpudoctor.supervise.{module}:{name}"}
    ended = told(tmp_path, env=env)
    said = ended.errors.partition("said\n")[2]
    assert BROKEN[place] in said
    assert bool(said) == bool(BROKEN[place]), said
    assert "Traceback" not in said


def test_rules_that_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAK)
    env = {"PYTHONPATH": str(tmp_path), "GPUDOCTOR_TEST_BREAKS": "gpudoctor.knowledge.source:_built_in"}
    assert "this end could not be explained" in told(tmp_path, env=env).errors


AROUND = {
    "no /proc": "mount -t tmpfs none /proc",
    "no control groups": "mount -t tmpfs none /sys",
    "no devices": "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5",
    # What lies there stays: the interpreter may be among it.
    "no temporary folder": "for at in /tmp /var/tmp; do mount --bind $at $at; mount -o remount,bind,ro $at; done",
}


@pytest.mark.rig
@pytest.mark.parametrize("what", AROUND)
def test_a_machine_that_shows_nothing(what: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0:
        lacking("this rig needs root")
    before = (*needed("unshare"), "-m", "sh", "-c", f'{AROUND[what]}; exec "$@"', "sh")
    folder = Path("/") if what == "no temporary folder" else tmp_path_factory.mktemp("job")
    assert EXPLAINED in told(folder, "--no-report", before=before).errors


@pytest.mark.rig
def test_rules_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        lacking("this rig needs root")
    package = Path(gpudoctor_package.__file__).parent
    place = next(path for path in (package / "_rules", package.parent / "rules") if path.is_dir())
    damaged = f'mount -t tmpfs none {place}; mkdir {place}/causes; echo "id = [" >{place}/causes/a.toml; exec "$@"'
    before = (*needed("unshare"), "-m", "sh", "-c", damaged, "sh")
    assert "this end could not be explained" in told(tmp_path, before=before).errors


def test_folders_that_go_while_the_command_runs(tmp_path: Path) -> None:
    work, reports = tmp_path / "work", tmp_path / "reports"
    work.mkdir()
    ended = gpudoctor("run", "--report-dir", "reports", "--", "sh", "-c", f"rmdir {work}; exit 5", cwd=work)
    assert ended.status == 5
    assert "the command ended with 5" in ended.errors
    assert "no report could be written: No such file or directory" in ended.errors
    script = f"rmdir {reports}; exit 5"
    reports.mkdir()
    ended = gpudoctor("run", "--report-dir", str(reports), "--", "sh", "-c", script, cwd=tmp_path)
    assert ended.status == 5
    assert len(list(reports.glob("gpudoctor-crash-*.json"))) == 1  # made again
    (tmp_path / "file").touch()
    ended = gpudoctor("run", "--report-dir", "file", "--", "sh", "-c", "exit 5", cwd=tmp_path)
    assert ended.status == 5
    assert "no report could be written" in ended.errors


def test_an_error_output_that_nobody_can_write_to(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = gpudoctor("run", "--", "sh", "-c", "echo out; exit 5", cwd=tmp_path, stderr=full)
    assert (ended.status, ended.stdout) == (5, b"out\n")
    bare = subprocess.run(["sh", "-c", "exit 5"], check=False)
    assert bare.returncode == ended.status


def broken_loop(folder: Path) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(BREAK)
    return {"PYTHONPATH": str(folder), "GPUDOCTOR_TEST_BREAKS": "gpudoctor.supervise.loop:Run._turn"}


@pytest.mark.parametrize("line", ["exit 5", "kill -SEGV $$"])
def test_the_status_comes_through_a_terminal_too(line: str, tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    places = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    places["preexec_fn"] = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    ended = gpudoctor("run", "--", "sh", "-c", line, cwd=tmp_path, env=broken_loop(tmp_path), **places)
    os.close(theirs), os.close(ours)
    assert ended.status == (5 if line == "exit 5" else -signal.SIGSEGV)


def test_a_signal_still_reaches_the_command(tmp_path: Path) -> None:
    script = "trap 'echo saved; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    words = [str(COMMAND), "run", "--", "sh", "-c", script]
    env = environment(broken_loop(tmp_path))
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=env, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.stdout.read() == b"saved\n"
        assert process.wait(30) == 7
