"""`gpudoctor run -- COMMAND` is not noticed: same bytes, same ends, same signals as without it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command import COMMAND, environment, until

pytestmark = pytest.mark.slow

QUIET = (str(COMMAND), "run", "--no-report", "--")
PYTHON = sys.executable


def both(argv: list[str], tmp_path: Path, **how):
    """The same command without and with us: (returncode, stdout, stderr) each."""
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "cwd": tmp_path, **how}
    env = environment({"PYTHONFAULTHANDLER": "0"})
    ends = []
    for words in (argv, [*QUIET, *argv]):
        done = subprocess.run(words, check=False, env=env, **settings)
        ends.append((done.returncode, done.stdout, done.stderr))
    return ends


def numberless(text: bytes) -> bytes:
    """Without the process ids that shells print, and the blanks that make up for them."""
    return re.sub(rb"[0-9 ]+", b" ", text)


ENDS = {
    "success": ["true"],
    "failure": ["false"],
    "exit 3": ["sh", "-c", "echo out; echo err >&2; exit 3"],
    "exit 255": ["sh", "-c", "exit 255"],
    "sys.exit(-11)": [PYTHON, "-c", "import sys; sys.exit(-11)"],
    "an exception": [PYTHON, "-c", "raise ValueError('expected 3 channels')"],
    "timeout": ["timeout", "0.2", "sleep", "5"],
    "timeout -s KILL": ["timeout", "-s", "KILL", "0.2", "sleep", "5"],
    "timeout --preserve-status": ["timeout", "--preserve-status", "0.2", "sleep", "5"],
    "a shell's status of a child": ["bash", "-c", "bash -c 'kill -SEGV $$'; exit $?"],
    "cpu limit": ["bash", "-c", "ulimit -t 1; exec sh -c 'while :; do :; done'"],
    "file size limit": ["bash", "-c", "ulimit -f 1; exec head -c 100000 /dev/zero >big"],
    "pipefail": ["bash", "-o", "pipefail", "-c", "bash -c 'kill -SEGV $$' | cat"],
    "xargs": ["sh", "-c", "echo x | xargs sh -c 'exit 5'"],
}


@pytest.mark.parametrize("name", ENDS)
def test_the_end_and_the_output_are_those_of_the_command(name: str, tmp_path: Path) -> None:
    (code, out, err), (our_code, our_out, our_err) = both(ENDS[name], tmp_path)
    assert (our_code, our_out) == (code, out)
    assert numberless(our_err).startswith(numberless(err))


@pytest.mark.parametrize("name", "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM".split())
def test_a_signal_kills_us_as_it_killed_the_command(name: str, tmp_path: Path) -> None:
    argv = [
        PYTHON,
        "-c",
        f"import os, signal as s; s.signal(s.SIG{name}, s.SIG_DFL); os.kill(os.getpid(), s.SIG{name})",
    ]
    if name == "KILL":
        argv = [PYTHON, "-c", "import os; os.kill(os.getpid(), 9)"]
    (code, _, _), (ours, _, _) = both(argv, tmp_path)
    assert ours == code == -getattr(signal, f"SIG{name}")


def test_what_cannot_be_started_ends_with_a_shells_codes(tmp_path: Path) -> None:
    for name, content, mode in (
        ("closed", b"#!/bin/sh\n", 0o644),
        ("crlf", b"#!/bin/sh\r\necho\n", 0o755),
        ("gone", b"#!/opt/gone/python\n", 0o755),
        ("plain", b"exit 7\n", 0o755),
        ("foreign", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100), 0o755),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(mode)
    (tmp_path / "folder").mkdir()
    expected = {
        "./closed": 126,
        "./crlf": 127,
        "./gone": 127,
        "./plain": 7,
        "./foreign": 126,
        "./no": 127,
        "no-such": 127,
        "./folder": 126,
        "''": 127,
    }
    for word, code in expected.items():
        done = subprocess.run([*QUIET, word.strip("'")], cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert done.returncode == code, (word, done.stderr)
        by_shell = subprocess.run(["bash", "-c", f"{word}; exit $?"], cwd=tmp_path, capture_output=True, check=False)
        assert by_shell.returncode == code, (word, by_shell.stderr)


def test_bytes_pass_unchanged_and_the_order_of_one_pipe_is_kept(tmp_path: Path) -> None:
    write = "import os\nfor n in range(3000): os.write(1 + n % 2, bytes([n % 256]) * (n % 700))"
    (_, out, err), (_, our_out, our_err) = both([PYTHON, "-c", write], tmp_path)
    assert (our_out, our_err) == (out, err)
    settings = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    (_, joined, _), (_, our_joined, _) = both([PYTHON, "-c", write], tmp_path, **settings)
    assert our_joined == joined


def test_a_large_output_through_a_slow_reader(tmp_path: Path) -> None:
    source = tmp_path / "bytes"
    source.write_bytes(os.urandom(1 << 20) * 24)
    with subprocess.Popen([*QUIET, "cat", str(source)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = hashlib.sha256()
        for _ in range(3):
            seen.update(process.stdout.read(65536))
            time.sleep(0.05)
        high = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line)
        while piece := process.stdout.read(1 << 16):
            seen.update(piece)
    assert process.returncode == 0
    assert seen.hexdigest() == hashlib.sha256(source.read_bytes()).hexdigest()
    assert int(high.split()[1]) < 60 << 10


def test_files_are_handed_over_as_they_are_and_nothing_is_left_in_the_environment(tmp_path: Path) -> None:
    ask = "import json, os, sys; print(json.dumps([os.fstat(1).st_ino, os.environ['TORCHELASTIC_ERROR_FILE']]))"
    log = tmp_path / "log"
    with log.open("wb") as out:
        subprocess.run([*QUIET, PYTHON, "-c", ask], stdout=out, check=True, timeout=60)
    inode, error_file = json.loads(log.read_text())
    assert inode == log.stat().st_ino
    assert not Path(error_file).parent.exists()


def test_a_closed_output_stays_closed(tmp_path: Path) -> None:
    ask = "import os\ntry: os.fstat(1)\nexcept OSError: os._exit(9)"
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *QUIET, PYTHON, "-c", ask], timeout=60, check=False)
    assert done.returncode == 9


def test_a_reader_that_goes_away_reaches_the_command() -> None:
    reader = subprocess.Popen(["head", "-c", "10"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    writer = subprocess.Popen([*QUIET, "yes"], stdout=reader.stdin)
    assert reader.stdin is not None
    reader.stdin.close()
    assert writer.wait(20) == -signal.SIGPIPE
    assert reader.wait(20) == 0


def test_a_reader_that_goes_away_ends_who_wrote_and_not_who_started_it(tmp_path: Path) -> None:
    # Each reads less than the pipe already holds, so that the writer's next words are on their way when it goes.
    line = "for n in 1 2 3 4 5; do {} sh -c 'yes; exit 5' | head -c 1; echo ${{PIPESTATUS[0]}}; done"
    said = []
    for words in ("", " ".join(QUIET)):
        script = ["bash", "-c", line.format(words)]
        done = subprocess.run(script, capture_output=True, cwd=tmp_path, timeout=60, check=True)
        said.append(done.stdout)
        assert b"Sent from outside" not in done.stderr
    assert said[0] == said[1] == b"y5\n" * 5


def test_a_limit_on_processor_time_is_the_commands_and_not_ours() -> None:
    limited = ["bash", "-c", 'ulimit -S -t 1; exec "$@"', "bash"]
    with subprocess.Popen([*limited, *QUIET, "sh", "-c", "ulimit -t; read x"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_CPU)
        assert soft == hard
        process.communicate(b"\n", timeout=60)


def test_the_input_is_the_commands_own() -> None:
    done = subprocess.run([*QUIET, "cat"], input=b"a\0b" * 100_000, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"a\0b" * 100_000


COUNT = """
import signal, sys, time
seen = 0
def count(*_):
    global seen
    seen += 1
    print(seen, flush=True)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), count)
print("ready", flush=True)
end = time.monotonic() + 1.0
while time.monotonic() < end: time.sleep(0.05)
"""


def counted(send, *names: str) -> list[str]:
    with subprocess.Popen(
        [*QUIET, PYTHON, "-c", COUNT, *names], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        send(process.pid)
        return process.stdout.read().split()


@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH"]
)
def test_a_signal_to_us_reaches_the_command_once(name: str) -> None:
    assert counted(lambda pid: os.kill(pid, getattr(signal, name)), name) == ["1"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_to_the_whole_group_reaches_the_command_once(name: str) -> None:
    assert counted(lambda pid: os.killpg(pid, getattr(signal, name)), name) == ["1"]


def test_stopping_and_continuing_is_seen_from_outside() -> None:
    with subprocess.Popen([*QUIET, "sh", "-c", "kill -STOP $$; exit 4"]) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(20) == 4


def test_what_stays_in_the_background_does_not_hold_us_and_keeps_its_pipe(tmp_path: Path) -> None:
    script = f"(sleep 1.5; echo late; echo $? >{tmp_path}/status) & echo early"
    began = time.monotonic()
    with subprocess.Popen([*QUIET, "sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.wait(20) == 0
        assert time.monotonic() - began < 1.4
        assert process.stdout is not None
        assert process.stdout.read() == b"early\nlate\n"
    assert (tmp_path / "status").read_text() == "0\n"


def test_killing_us_kills_the_command(tmp_path: Path) -> None:
    command = [*QUIET, "sh", "-c", "echo $$; exec sleep 60"]
    # Who is killed so takes nothing away: the folder for the command's own error files lies where pytest clears up.
    own = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=own) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])


def test_nothing_of_ours_is_said_or_left_after_success(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(COMMAND), "run", "--", "true"], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_a_process_of_its_own_the_command_runs_alone(tmp_path: Path) -> None:
    # RLIMIT_NPROC does not bind root, so descriptors are what is short here: enough to load Python, not for two pipes.
    low = 'ulimit -n 6; exec "$@" 3</dev/null'
    done = subprocess.run(
        ["bash", "-c", low, "bash", *QUIET, "sh", "-c", "echo hi; exit 6"], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (6, b"hi\n"), done.stderr


def test_the_command_runs_before_click_and_the_rules_are_loaded(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        words = [*QUIET, "sh", "-c", "echo STARTED >&2; exit 3"]
        env = environment({"PYTHONPROFILEIMPORTTIME": "1"})
        assert subprocess.run(words, stderr=out, env=env, timeout=60, check=False).returncode == 3
    before, _, after = log.read_text(encoding="utf-8").partition("STARTED\n")
    loaded = set(re.findall(r"\| +([\w.]+)$", before, re.M))
    assert {"gpudoctor.supervise.begin", "gpudoctor.supervise.launch"} <= loaded
    late = ("click", "rich", "psutil", "json", "subprocess", "tomllib", "gpudoctor.knowledge", "gpudoctor.report")
    assert [name for name in loaded if name.startswith(late)] == []
    assert "gpudoctor.knowledge.catalogue" in after
