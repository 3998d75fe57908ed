"""The ways out of a child: bounded capture of what it prints, and result lines that outlive its death.

Result lines go into an anonymous memory file: what was written stays readable however the writer died, nothing
touches a disk, and the file cannot grow past its size, so a child gone mad costs a bounded amount of memory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Mapping
from typing import Any

CAPTURE_BYTES = 64 * 1024
RESULT_BYTES = 8 * 1024 * 1024
# Integers beyond this are no measurement, and reading millions of digits takes Python minutes.
MAXIMUM_DIGITS = 400


class Capture:
    """The first and the last 64 KiB of a stream; what lies between is counted and let go."""

    def __init__(self, size: int = CAPTURE_BYTES) -> None:
        self._size = size
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        room = self._size - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail += data
            if len(self._tail) > 2 * self._size:
                self._trim()

    def _trim(self) -> None:
        excess = len(self._tail) - self._size
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self) -> str:
        """Both ends as text, with one line that says how many bytes are missing between them."""
        self._trim()
        gap = f"\n[... {self._dropped} bytes left out ...]\n".encode() if self._dropped else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")


class ResultFile:
    """The memory file that a child writes its result lines to. `fd` is inherited under the same number."""

    def __init__(self, size: int = RESULT_BYTES) -> None:
        """Raises OSError where no more files can be opened."""
        self._size = size
        self.fd = memory_file("gpudoctor-results")
        self._sealed = False
        with contextlib.suppress(OSError, AttributeError):
            self._seal()
        if not self._sealed:
            os.ftruncate(self.fd, 0)
            fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_APPEND)

    def _seal(self) -> None:
        # Several forked writers share one file position. The kernel moves it under a lock only for files that were
        # opened by a path; on a bare memfd their lines overwrite each other (seen on Linux 6.18).
        by_path = os.open(f"/proc/self/fd/{self.fd}", os.O_RDWR | os.O_CLOEXEC)
        os.close(self.fd)
        self.fd = by_path
        os.ftruncate(self.fd, self._size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        self._sealed = True

    def _written(self) -> int:
        """Bytes written so far: a sealed file has its full size from the start, so there the position tells."""
        return os.lseek(self.fd, 0, os.SEEK_CUR) if self._sealed else os.fstat(self.fd).st_size

    def read(self) -> bytes:
        """What has been written so far, at most the size of the file."""
        end = min(self._written(), self._size)
        data = bytearray()
        while len(data) < end:
            piece = os.pread(self.fd, end - len(data), len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    @property
    def full(self) -> bool:
        """Whether the child wrote up to the brim, so that lines were lost."""
        return self._written() >= self._size

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.fd)


def memory_file(name: str) -> int:
    """A new anonymous file; where the kernel has no memfd, an unlinked temporary one. Raises OSError."""
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except (PermissionError, NotImplementedError):
            pass
        except OSError as error:
            if error.errno != errno.ENOSYS:  # a kernel before 3.17, or a sandbox without the call
                raise
    import tempfile  # draws in half of the archive modules, for a case that hardly occurs

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def plan_file(plan: Mapping[str, Any]) -> int:
    """A memory file that holds the plan as JSON, ready to be read from its start. Raises OSError."""
    fd = memory_file("gpudoctor-plan")
    try:
        data = json.dumps(plan, ensure_ascii=True).encode("ascii")
        while data:
            data = data[os.write(fd, data) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _integer(text: str) -> int:
    if len(text) > MAXIMUM_DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def parse_lines(data: bytes) -> tuple[tuple[Mapping[str, Any], ...], bool, int]:
    """The complete result lines, whether the last one is torn, and how many lines were no JSON object."""
    pieces = data.split(b"\n")
    torn = bool(pieces.pop())
    lines: list[Mapping[str, Any]] = []
    bad = 0
    for piece in pieces:
        if not piece.strip():
            continue
        try:
            line = json.loads(piece.decode("utf-8", "replace"), parse_int=_integer)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            lines.append(line)
        else:
            bad += 1
    return tuple(lines), torn, bad
