"""The line that tells how far a huge log has been read: on a terminal, while it is read, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import surroundings

pytestmark = pytest.mark.slow

BLOCKS, BLOCK_BYTES = 16, 4 << 20
OOM = b"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB\n"
WIPED = b"\r\x1b[K"
BAR = re.compile(rb"\[(#*)(-*)\] +(\d+) %  job\.log \.\.\.")


def block() -> bytes:
    """Lines of which none is like another, which take longest to read."""
    digits = os.urandom(BLOCK_BYTES // 2).hex().encode()
    return b"\n".join(digits[start : start + 127] for start in range(0, len(digits), 127)) + b"\n"


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    log = tmp_path / "job.log"
    with log.open("wb") as file:
        for _ in range(BLOCKS):
            file.write(block())
        file.write(OOM)
    return log


class OnTerminal:
    """A command whose standard error is a terminal, and what it has written there so far."""

    def __init__(self, argv: list[str], **env: str) -> None:
        self.written = b""
        self._mine, theirs = pty.openpty()
        given = surroundings({"TERM": "xterm", **env})
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=given)
        os.close(theirs)

    def pieces(self) -> Iterator[bytes]:
        """All that was written, each time that something was added."""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while select.select([self._mine], [], [], 120)[0]:
                piece = os.read(self._mine, 65536)
                if not piece:
                    return
                self.written += piece
                yield self.written

    def end(self) -> str:
        """Wait for the end; gives standard output."""
        for _written in self.pieces():
            pass
        os.close(self._mine)
        out, _none = self._child.communicate(timeout=60)
        assert self._child.returncode == 0
        return out.decode()


def test_a_bar_grows_while_a_huge_log_is_read_and_is_gone_afterwards(command: list[str], huge: Path) -> None:
    running = OnTerminal([*command, "explain-log", str(huge)])
    out = running.end()
    bars = BAR.findall(running.written)
    assert bars
    shown = [int(percent) for _filled, _empty, percent in bars]
    assert shown == sorted(shown)
    assert 0 < shown[-1] <= 100
    widths = {len(filled) + len(empty) for filled, empty, _percent in bars}
    assert len(widths) == 1
    (width,) = widths
    assert all(len(filled) == int(percent) * width // 100 for filled, _empty, percent in bars)
    assert running.written.endswith(WIPED)
    assert "memory.gpu_oom" in out
    assert "###" not in out


def test_what_has_no_known_end_is_counted(command: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "job.log"
    os.mkfifo(pipe)
    running = OnTerminal([*command, "explain-log", str(pipe)])
    seen = threading.Event()

    def write() -> None:
        with pipe.open("wb") as end:
            end.write(block())
            end.flush()
            seen.wait(100)
            end.write(OOM)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for written in running.pieces():
        if b" 4 MiB  job.log ..." in written:  # all that was given, and the reader waits for more
            seen.set()
    out = running.end()
    writer.join(10)
    assert b" 4 MiB  job.log ..." in running.written
    assert running.written.endswith(WIPED)
    assert "memory.gpu_oom" in out


def test_a_dumb_terminal_gets_no_line(command: list[str], huge: Path) -> None:
    running = OnTerminal([*command, "explain-log", str(huge)], TERM="dumb")
    assert "memory.gpu_oom" in running.end()
    assert running.written == b""


def test_no_terminal_gets_no_line(run, huge: Path) -> None:
    ended = run("explain-log", str(huge))
    assert "memory.gpu_oom" in ended.out
    assert ended.err == ""
