"""A flood of output: every byte comes through, in its place, and what we keep of it does not grow."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from command import COMMAND, environment

pytestmark = pytest.mark.slow

QUIET = (str(COMMAND), "run", "--no-report", "--")
MEBIBYTE = 1 << 20
MOST_KIBIBYTES = 60 << 10
PATIENCE_SECONDS = 20.0
# Writes so many mebibytes, no two of them alike, and the hash of all into a file; then it waits for its input's end.
FLOOD = """\
import hashlib, os, random, sys
block, seen = bytearray(random.Random(17).randbytes(1 << 20)), hashlib.sha256()
for number in range(int(sys.argv[1])):
    block[:8] = number.to_bytes(8, "little")
    block[-8:] = (~number & (1 << 64) - 1).to_bytes(8, "little")
    seen.update(block)
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(1, rest):]
with open(sys.argv[2], "w") as told:
    told.write(seen.hexdigest())
sys.stdin.read(1)
"""


def highest_kibibytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def taken(process: subprocess.Popen[bytes], place: int, size: int) -> str:
    """The hash of so many bytes from there; where they do not come, the process is ended."""
    seen, left = hashlib.sha256(), size
    while left and select.select([place], [], [], PATIENCE_SECONDS)[0]:
        piece = os.read(place, min(left, MEBIBYTE))
        if not piece:
            break
        seen.update(piece)
        left -= len(piece)
    if left:
        process.kill()
    assert not left, f"{left} bytes are missing"
    return seen.hexdigest()


def test_a_gibibyte_through_a_pipe_is_the_same_and_costs_no_memory(tmp_path: Path) -> None:
    told = tmp_path / "told"
    words = [*QUIET, sys.executable, "-c", FLOOD, "1024", str(told)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        seen = taken(process, process.stdout.fileno(), 1024 * MEBIBYTE)
        high = highest_kibibytes(process.pid)
        rest, _ = process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    assert rest == b""
    assert seen == told.read_text()
    assert high <= MOST_KIBIBYTES


def become_its_session() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


WAYS = {
    "a whole terminal": {"start_new_session": True, "preexec_fn": become_its_session},
    "another session's terminal": {"start_new_session": True},
    "an output alone": {"stdin": subprocess.DEVNULL},
}


@pytest.mark.parametrize("way", WAYS)
def test_binary_output_through_a_terminal_is_the_same(way: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    ours, theirs = os.openpty()
    state = termios.tcgetattr(theirs)
    state[1] &= ~termios.OPOST  # else a terminal makes two bytes of every line's end, without us as well
    termios.tcsetattr(theirs, termios.TCSANOW, state)
    words = [*QUIET, sys.executable, "-c", FLOOD, "16", str(told)]
    how = {"stdin": theirs, "stdout": theirs, "stderr": subprocess.PIPE, "env": environment(), **WAYS[way]}
    with subprocess.Popen(words, **how) as process:
        seen = taken(process, ours, 16 * MEBIBYTE)
        os.write(ours, b"\n")
        assert process.communicate(timeout=60)[1] == b""
    os.close(theirs), os.close(ours)
    assert process.returncode == 0
    assert seen == told.read_text()
