"""`gpudoctor run` as the first process of real containers: an init like any other, that tells why a command died."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from command import COMMAND, until
from engines import IMAGE, Engine, host_mounts

pytestmark = [pytest.mark.rig, pytest.mark.slow]

WITH_US = (str(COMMAND), "run", "--no-report", "--")
VARIABLES = ("--env", "HOME=/tmp")
# Command, its status bare, and its status under any init where that differs.
ENDS = {
    "success": (["true"], 0),
    "exit 3": (["/job/crash", "exit", "3"], 3),
    "exit 255": (["/job/crash", "exit", "255"], 255),
    "segv": (["sh", "-c", "/job/crash segv; exit $?"], 139),
    "fpe": (["sh", "-c", "/job/crash fpe; exit $?"], 136),
    "ill": (["sh", "-c", "/job/crash ill; exit $?"], 132),
    "no such command": (["torchrun-nightly"], 127),
    "not executable": (["/job/closed.sh"], 126),
    "segv, alone": (["/job/crash", "segv"], 139),
    "fpe, alone": (["/job/crash", "fpe"], 136),
    # A first process cannot be aborted: bare it goes on into a trap, which is 139 and tells the wrong story.
    "abort, alone": (["/job/crash", "abort"], 134),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_exit_code_is_the_commands(engine: Engine, tmp_path: Path, name: str) -> None:
    command, status = ENDS[name]
    options = [*host_mounts(), *VARIABLES]
    assert engine.run(tmp_path, options, *WITH_US, *command).status == status
    bare = engine.run(tmp_path, options, *command).status
    assert bare == status or name == "abort, alone"


def test_an_oom_kill_of_the_command_is_confirmed(engine: Engine, tmp_path: Path) -> None:
    options = [*host_mounts(), *VARIABLES, "--memory", "128m"]
    ended = engine.run(tmp_path, options, *WITH_US, "/job/crash", "eat", "512")
    assert ended.status == 137
    assert "[memory.host_oom_kill.cgroup, confirmed]" in ended.crash.text


def stopped(engine: Engine, script: str, *command: str) -> tuple[int, str, float]:
    """Start it in the background, stop it once it says `ready`: its status, what it said, and how long that took.

    Before that, our interpreter may still be starting, and a first process without handlers is sent nothing.
    """
    name = f"black-box-{time.monotonic_ns()}"
    options = ["--detach", "--name", name, *engine.options, *host_mounts(), *VARIABLES]
    started = engine.call("run", *options, IMAGE, *command, "sh", "-c", script)
    assert started.returncode == 0, started.stderr
    try:
        until(lambda: "ready" in engine.call("logs", name).stdout, 60)
        began = time.monotonic()
        engine.call("stop", "--time", "40", name)
        seconds = time.monotonic() - began
        status = int(engine.call("wait", name).stdout or -1)
        logs = engine.call("logs", name)
        return status, logs.stdout + logs.stderr, seconds
    finally:
        engine.call("rm", "--force", name)


def test_a_stop_reaches_the_command_at_once(engine: Engine) -> None:
    status, said, seconds = stopped(engine, "echo ready; exec /job/crash wait", *WITH_US)
    assert status == 143, said
    assert seconds < 40
    assert "[signal.sigterm_preempted, confirmed]" in said


def test_the_grace_period_is_the_commands_own(engine: Engine) -> None:
    script = "trap 'sleep 2; echo saved; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    status, said, _ = stopped(engine, script, *WITH_US)
    assert status == 5
    assert "saved" in said


def test_orphans_are_reaped(engine: Engine, tmp_path: Path) -> None:
    # Each inner shell ends first, so that what it started has the first process as its parent.
    orphans = "for n in 1 2 3 4 5; do sh -c 'sleep 0.2 &'; done; sleep 1.5; cat /proc/[0-9]*/stat"
    ended = engine.run(tmp_path, [*host_mounts(), *VARIABLES], *WITH_US, "sh", "-c", orphans)
    assert ended.status == 0
    states = [line.rpartition(")")[2].split()[0] for line in ended.stdout.splitlines() if ")" in line]
    assert len(states) >= 2
    assert "Z" not in states


def test_the_container_is_left_a_message(engine: Engine, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.touch()
    options = [*host_mounts(), *VARIABLES, "--volume", f"{message}:/dev/termination-log"]
    assert engine.run(tmp_path, options, *WITH_US, "/job/crash", "segv").status == 139
    left = message.read_bytes()
    assert b"SIGSEGV" in left
    assert len(left) <= 4096
