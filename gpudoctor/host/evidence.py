"""Files that a person hands over as evidence, read as chunks of bytes: plain, gzip'd, a pipe, or standard input."""

from __future__ import annotations

import contextlib
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from gpudoctor.model.errors import ExaminationError

CHUNK_BYTES = 4 << 20
# A small file can unpack to any size; a log beyond this is cut, and the reader says so.
MOST_UNPACKED_BYTES = 8 << 30
STANDARD_INPUT = "-"
_GZIP = 16 + zlib.MAX_WBITS


def read_chunks(path: str) -> Iterator[bytes]:
    """The content of one piece of evidence, in chunks of about 4 MiB; ExaminationError where it cannot be read.

    A damaged gzip file gives what could be unpacked.
    """
    try:
        with _opened(path) as raw:
            first = raw.read(CHUNK_BYTES)
            if first[:2] == b"\x1f\x8b":
                yield from _unpacked(first, raw)
                return
            while first:
                yield first
                first = raw.read(CHUNK_BYTES)
    except OSError as error:
        raise ExaminationError(f"{path} cannot be read: {error.strerror or error}.") from error


def size_bytes(path: str) -> int:
    """The size where it is known before reading (for a progress line); 0 otherwise."""
    with contextlib.suppress(OSError, ValueError):
        if path != STANDARD_INPUT:
            return Path(path).stat().st_size
    return 0


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise ExaminationError("Standard input is closed, so there is nothing to read from it.")
        yield sys.stdin.buffer
        return
    if not path or "\0" in path:
        raise ExaminationError(f"{path!r} is no file name.")
    if Path(path).is_dir():
        raise ExaminationError(f"{path} is a directory; give the files in it.")
    with open(path, "rb", buffering=0) as stream:
        yield cast(BinaryIO, stream)


def _unpacked(first: bytes, raw: BinaryIO) -> Iterator[bytes]:
    """Unpack piece by piece, so that a damaged or cut file gives all that comes before the damage.

    GzipFile would throw away what it had unpacked of the last piece.
    """
    total = 0
    packed = first
    unpacker = zlib.decompressobj(_GZIP)
    while packed and total < MOST_UNPACKED_BYTES:
        try:
            piece = unpacker.decompress(packed, CHUNK_BYTES)
        except zlib.error:
            break
        if piece:
            total += len(piece)
            yield piece
        if unpacker.eof:  # gzip files can be joined end to end
            packed = unpacker.unused_data or raw.read(CHUNK_BYTES)
            unpacker = zlib.decompressobj(_GZIP)
        else:
            packed = unpacker.unconsumed_tail or raw.read(CHUNK_BYTES)
            if not packed:
                yield from _rest(unpacker)
    if not total:
        yield first  # two bytes that look like gzip and are not


def _rest(unpacker: zlib._Decompress) -> Iterator[bytes]:
    with contextlib.suppress(zlib.error):
        rest = unpacker.flush()
        if rest:
            yield rest
