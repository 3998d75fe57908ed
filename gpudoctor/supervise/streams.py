"""Which stream goes how: a terminal through one of our own, a pipe through a pipe, a file as it is.

Files are handed to the command unchanged and read afterwards, so they cost nothing. Where both outputs are one pipe
they stay one, or the order of their lines would be lost.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import termios
from typing import NamedTuple

from gpudoctor.supervise.launch import Streams
from gpudoctor.supervise.ring_buffer import HEAD_BYTES, PIECE_BYTES, TAIL_BYTES, RingBuffer

PIPE_BYTES = 1 << 20
# What may always be written to a pipe that has room for anything at all.
ATOMIC_BYTES = 4096
WINDOW_BYTES = 8
GONE = (errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF, errno.ENXIO)


class Channel:
    """One way from the command to whoever reads us, with what passed. Nothing is read before what was read is gone."""

    def __init__(self, name: str, source: int, sink: int, ring: RingBuffer) -> None:
        self.name, self.source, self.ring = name, source, ring
        os.set_blocking(source, False)
        self.place = sink
        self.sink, self._whole = _own_description(sink)
        self.pending = memoryview(b"")

    @property
    def is_open(self) -> bool:
        """Whether more can come."""
        return self.source >= 0

    def take(self, most: int = PIECE_BYTES) -> bool:
        """Read once and pass it on; False when there was nothing, or there never will be again."""
        try:
            data = self.ring.read(self.source, most)
        except BlockingIOError:
            return False
        except OSError:  # the other side of a terminal has gone: that is its end of file
            data = memoryview(b"")
        if not data:
            self.close()
            return False
        self.pending = data
        self.push()
        return True

    def push(self) -> None:
        """Write what the reader has room for."""
        while self.pending:
            piece = self.pending if self._whole else self.pending[:ATOMIC_BYTES]
            try:
                done = os.write(self.sink, piece)
            except BlockingIOError:
                return
            except OSError:
                self.lose()
                return
            self.pending = self.pending[done:]
            if not self._whole:
                return

    def lose(self) -> None:
        """The reader has gone: the command must learn it from its own next write, as it would without us."""
        self.pending = memoryview(b"")
        self.close()

    def close(self) -> None:
        """Nothing more will come from this side. Our own end goes as well, for whoever waits for the end."""
        if self.source >= 0:
            os.close(self.source)
            self.source = -1
        if not self.pending and self.sink != self.place:
            os.close(self.sink)
            self.sink = self.place

    def finish(self) -> None:
        """Let the reader see the end of the stream although we still live."""
        self.close()


def relay(channels: list[Channel]) -> None:
    """Pass on what still comes, until nobody can write any more; nothing is kept of it."""
    for channel in channels:
        if channel.is_open:
            os.set_blocking(channel.source, True)
    while any(channel.is_open or channel.pending for channel in channels):
        waiting = [channel.source for channel in channels if channel.is_open and not channel.pending]
        full = [channel.sink for channel in channels if channel.pending]
        readable, writable, _ = select.select(waiting, full, [])
        for channel in channels:
            if channel.source in readable:
                channel.take()
            elif channel.sink in writable:
                channel.push()


def _own_description(descriptor: int) -> tuple[int, bool]:
    """A way to write that never blocks us, and whether all of a piece may be given to it at once.

    O_NONBLOCK belongs to the open file, which others share; so the pipe or terminal is opened once more. What cannot
    be (a socket, a pipe of another user) is written in pieces that fit when it says that it has room.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor, True
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{descriptor}", flags), True
    except OSError:
        return descriptor, False


class Plan(NamedTuple):
    """How the streams go. `terminal` is our side of the command's own terminal, -1 without; `files` are read after."""

    streams: Streams
    channels: list[Channel]
    to_close: list[int]
    terminal: int
    windows: list[int]
    files: list[tuple[str, int, int]]


def fill_places() -> set[int]:
    """The standard places that are closed. They are filled for us, or our own pipes would take them, and are closed
    again in the command."""
    closed = set()
    for place in range(3):
        try:
            os.fstat(place)
        except OSError:
            closed.add(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
    return closed


def plan(closed: set[int]) -> Plan:
    """Look at our own streams and make those of the command. What cannot be made is handed over as it is."""
    places = [-1, -1, -1]
    made = Plan(Streams((-1, -1, -1)), [], [], -1, [], [])
    terminal, keeper = -1, -1
    for place, own_name in ((1, "stdout"), (2, "stderr")):
        if place in closed:
            continue
        with contextlib.suppress(OSError):
            twin = _is_same(1, 2)
            name = "output" if twin else own_name
            if place == 2 and twin and places[1] >= 0:
                places[2] = places[1]
                continue
            if os.isatty(place):
                full = place == 1 and _controls_us(0)
                ours, theirs = os.openpty()
                made.to_close.append(theirs)
                if full:
                    places[0] = theirs
                    terminal, keeper = ours, theirs
                _like(theirs, place, raw=not full)
                made.windows.append(ours)
                made.channels.append(Channel(name, ours, place, RingBuffer()))
                places[place] = theirs
            elif _is_watched_file(place):
                if place == 1 or not twin:
                    made.files.append((name, place, _beginning(place)))
            elif not (_is_same(0, place) and stat.S_ISSOCK(os.fstat(place).st_mode)):
                ours, theirs = os.pipe()
                made.to_close.append(theirs)
                with contextlib.suppress(OSError):
                    fcntl.fcntl(ours, 1031, PIPE_BYTES)  # F_SETPIPE_SZ
                made.channels.append(Channel(name, ours, place, RingBuffer()))
                places[place] = theirs
    streams = Streams((places[0], places[1], places[2]), keeper)
    return made._replace(streams=streams, terminal=terminal)


def _controls_us(place: int) -> bool:
    """Whether it is our session's own terminal. Of another's, keys are the command's to take, and not ours."""
    try:
        return os.isatty(place) and os.tcgetpgrp(place) >= 0
    except OSError:
        return False


def _is_same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino, first.st_rdev) == (second.st_dev, second.st_ino, second.st_rdev)


def _is_watched_file(place: int) -> bool:
    return stat.S_ISREG(os.fstat(place).st_mode)


def _beginning(place: int) -> int:
    appends = fcntl.fcntl(place, fcntl.F_GETFL) & os.O_APPEND
    return os.fstat(place).st_size if appends else os.lseek(place, 0, os.SEEK_CUR)


def read_back(place: int, beginning: int) -> RingBuffer:
    """What the command wrote to a file that it was given, as a ring; OSError where we may not read it."""
    ring = RingBuffer()
    opened = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        end = os.fstat(opened).st_size
        ring.add(os.pread(opened, min(HEAD_BYTES, max(0, end - beginning)), beginning))
        start = max(beginning + len(ring.head), end - TAIL_BYTES)
        ring.add(os.pread(opened, max(0, end - start), start))
        ring.total = max(0, end - beginning)
    finally:
        os.close(opened)
    return ring


def _like(theirs: int, outer: int, raw: bool) -> None:
    """Make a terminal like another one. Where only output passes through it, it must change nothing of it."""
    attributes = termios.tcgetattr(outer)
    if raw:
        attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    copy_window(outer, theirs)


def copy_window(outer: int, inner: int) -> None:
    """Give one terminal the size of another."""
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(outer, termios.TIOCGWINSZ, bytes(WINDOW_BYTES))
        fcntl.ioctl(inner, termios.TIOCSWINSZ, size)
