"""What a stream ended with, and what it began with: two buffers of fixed size, whatever comes."""

from __future__ import annotations

from collections import deque

HEAD_BYTES = 128 << 10
TAIL_BYTES = 1 << 20
# Smaller pieces are gathered: a million writes of one byte must not become a million objects.
PIECE_BYTES = 32 << 10


class Ring:
    """The first and the last bytes of a stream."""

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        self._head_limit, self._tail_limit = head, tail
        self.head = bytearray()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._small = bytearray()
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take note of what passed."""
        self.total += len(data)
        if len(self.head) < self._head_limit:
            part = self._head_limit - len(self.head)
            self.head += data[:part]
            data = data[part:]
            if not data:
                return
        if len(data) < PIECE_BYTES:
            self._small += data
            if len(self._small) < PIECE_BYTES:
                return
            data, self._small = bytes(self._small), bytearray()
        elif self._small:
            self._keep(bytes(self._small))
            self._small = bytearray()
        self._keep(data)

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        while self._pieces and self._held - len(self._pieces[0]) >= self._tail_limit:
            self._held -= len(self._pieces.popleft())

    @property
    def tail(self) -> bytes:
        """The last bytes, those of the head left out."""
        return (b"".join(self._pieces) + bytes(self._small))[-self._tail_limit :]

    @property
    def left_out(self) -> int:
        """How many bytes between the two are not held any more."""
        return self.total - len(self.head) - len(self.tail)
