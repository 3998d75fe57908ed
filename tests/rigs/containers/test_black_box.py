"""`gpudoctor run` as the first process of real containers: an init like any other, that tells why a command died."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from command import COMMAND, until
from engines import IMAGE, Engine, host_mounts

pytestmark = [pytest.mark.rig, pytest.mark.slow]

WITH_US = (str(COMMAND), "run", "--no-report", "--")
VARIABLES = ("--env", "HOME=/tmp")
RAISED = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "PIPE": 13, "TERM": 15, "SYS": 31}
# Command, its status under an init, and its status as a bare first process where that differs: the kernel drops what
# such a process sends itself, so abort() goes on into a trap, which is 139 and tells the wrong story.
ENDS: dict[str, tuple[list[str], int, int]] = {
    "success": (["true"], 0, 0),
    "exit 3": (["/job/crash", "exit", "3"], 3, 3),
    "exit 255": (["/job/crash", "exit", "255"], 255, 255),
    "sys.exit(-11)": ([sys.executable, "-c", "import sys; sys.exit(-11)"], 245, 245),
    "segv": (["/job/crash", "segv"], 139, 139),
    "fpe": (["/job/crash", "fpe"], 136, 136),
    "ill": (["/job/crash", "ill"], 132, 132),
    "bus": (["/job/crash", "bus"], 135, 135),
    "trap": (["/job/crash", "trap"], 133, 133),
    "abort": (["/job/crash", "abort"], 134, 139),
    "smash": (["/job/crash", "smash"], 134, 139),
    "terminate": (["/job/terminate"], 134, 139),
    **{name: (["/job/crash", "raise", str(number)], 128 + number, number) for name, number in RAISED.items()},
    "no such command": (["torchrun-nightly"], 127, 127),
    "no such file": (["/job/train.sh"], 127, 127),
    "not executable": (["/job/closed.sh"], 126, 126),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_exit_code_is_the_commands(engine: Engine, tmp_path: Path, name: str) -> None:
    command, status, alone = ENDS[name]
    options = [*host_mounts(), *VARIABLES]
    assert engine.run(tmp_path, options, *WITH_US, *command).status == status
    # catatonit, which podman takes for --init, has a code of its own for what it cannot start.
    by_init = 1 if engine.name == "podman" and status in (126, 127) else status
    assert engine.run(tmp_path, [*options, "--init"], *command).status == by_init
    assert engine.run(tmp_path, options, *command).status == alone


# Whatever the first process is, these are the statuses of what a shell below it starts.
BELOW = {
    **{way: (f"/job/crash {way}", code) for way, code in {
        "segv": 139, "abort": 134, "ill": 132, "fpe": 136, "bus": 135, "trap": 133, "smash": 134}.items()},
    **{name: (f"/job/crash raise {number}", 128 + number) for name, number in RAISED.items()},
    "C++ exception": ("/job/terminate", 134),
    "null in Python": (f"{sys.executable} -c 'import ctypes; ctypes.string_at(0)'", 139),
    "null in Python, told": (f"{sys.executable} -X faulthandler -c 'import ctypes; ctypes.string_at(0)'", 139),
    "not executable": ("/job/closed.sh", 126),
    "a directory": ("/job", 126),
    "not to be executed there": ("cp /job/crash /noexec; /noexec/crash exit 3", 126),
    "another architecture": ("/job/foreign", 126),
    "not there": ("torchrun-nightly", 127),
    "Windows line ends": ("/job/windows.sh", 127),
    "no interpreter": ("printf '#!/opt/gone/python\\n' >/tmp/gone; chmod +x /tmp/gone; /tmp/gone", 127),
    "no loader": ("sed s,/lib64/ld-linux-x86-64.so.2,/lib64/ld-linux-x86-64.so.9, /usr/bin/env >/tmp/env;"
                  " chmod +x /tmp/env; /tmp/env", 127),
    "no library": ("sed s,libselinux.so.1,libselinux.so.9, /usr/bin/ls >/tmp/ls; chmod +x /tmp/ls; /tmp/ls", 127),
    "timeout": ("timeout 0.2 sleep 5", 124),
    "timeout, killed": ("timeout -s KILL 0.2 sleep 5", 137),
    "timeout, its status": ("timeout --preserve-status 0.2 sleep 5", 143),
    "processor time": ("(ulimit -t 1; exec /job/crash spin)", 137),
    "size of files": ("cd /tmp; (ulimit -f 64; exec /job/crash fill)", 153),
    "address space": (f"(ulimit -v 600000; exec {sys.executable} -c 'bytearray(1 << 30)')", 1),
    "a pipe": ("/job/crash segv | cat", 0),
    "pipefail": ("(set -o pipefail; /job/crash segv | cat)", 139),
    "xargs": ("echo 3 | xargs /job/crash exit", 123),
    "sys.exit(-11)": (f"{sys.executable} -c 'import sys; sys.exit(-11)'", 245),
}  # fmt: skip
if shutil.which("make"):
    BELOW["make"] = ("printf 'all:\\n\\t/job/crash segv\\n' | make -f -", 2)


def test_the_statuses_below_a_first_process_are_the_same(engine: Engine, tmp_path: Path) -> None:
    lines = [f'( {line} ) >/dev/null 2>&1\necho "$? {name}"' for name, (line, _) in BELOW.items()]
    script = "\n".join(lines)
    options = [*host_mounts(), *VARIABLES, "--tmpfs", "/noexec:rw,noexec"]
    expected = [f"{code} {name}" for name, (_, code) in BELOW.items()]
    for first in ((), WITH_US):
        assert engine.run(tmp_path, options, *first, "bash", "-c", script).stdout.splitlines() == expected


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
