"""What a stream began with and what it ended with: two buffers of fixed size, whatever comes.

The buffer of the end is at once the one that is read into and written from, so that keeping costs no copy.
"""

from __future__ import annotations

import os

HEAD_BYTES = 128 << 10
TAIL_BYTES = 1 << 20
PIECE_BYTES = 256 << 10


class RingBuffer:
    """The first and the last bytes of a stream."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.total = 0
        self._view = memoryview(bytearray(TAIL_BYTES + PIECE_BYTES))
        self._place = 0
        self._end = 0  # how far the lap before this one came; 0 in the first

    def read(self, descriptor: int, most: int = PIECE_BYTES) -> memoryview:
        """Read once; gives what came, which stays in place until the next reading. OSError as of read()."""
        room = self._room()[: max(1, min(most, PIECE_BYTES))]
        return self._took(room[: os.readv(descriptor, [room])])

    def add(self, data: bytes) -> None:
        """Take note of bytes that were read elsewhere."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            room = self._room()[: len(piece)]
            room[:] = piece
            self._took(room)

    def _room(self) -> memoryview:
        if len(self._view) - self._place < PIECE_BYTES:
            self._end, self._place = self._place, 0
        return self._view[self._place : self._place + PIECE_BYTES]

    def _took(self, piece: memoryview) -> memoryview:
        if len(self.head) < HEAD_BYTES:
            self.head += piece[: HEAD_BYTES - len(self.head)]
        self._place += len(piece)
        self.total += len(piece)
        return piece

    @property
    def tail(self) -> bytes:
        """The last bytes, those of the head left out."""
        before = self._view[self._place : self._end] if self._end > self._place else b""
        kept = bytes(before) + bytes(self._view[: self._place])
        after_head = self.total - len(self.head)
        return kept[-min(after_head, TAIL_BYTES) :] if after_head > 0 else b""

    @property
    def left_out(self) -> int:
        """How many bytes between the two are not held any more."""
        return self.total - len(self.head) - len(self.tail)
