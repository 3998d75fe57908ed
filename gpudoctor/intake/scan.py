"""Scanning: a log of any size becomes the few lines that can matter, in one pass and bounded memory.

Training logs repeat themselves: with the digits taken out, a million progress lines are a handful. So each chunk
is first reduced to its distinct lines without digits, and only those are searched for trigger words. Where a log
does not repeat itself, the search costs what one regular expression costs.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gpudoctor.model.document import Line

DIGITS = b"0123456789"
# Lines alike but for digits: the first few are kept whole (Xid 79 is not Xid 13), the rest only counted.
KEPT_ALIKE = 40
MOST_KINDS = 20_000
KEPT_AT_END = 2_000
LONGEST_PIECE = 4_096
HEAD_BYTES = 16 << 20
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b-\x1a]"
)


@dataclass(frozen=True)
class Scan:
    """What one pass found. `head` is the beginning, whole for documents up to 16 MiB (`is_whole`)."""

    lines: tuple[Line, ...]
    line_count: int
    size_bytes: int
    head: bytes
    is_whole: bool
    dropped: int = 0


def triggers_expression(words: Sequence[str]) -> re.Pattern[bytes]:
    """One expression for all trigger words; words that are not ASCII are also sought in GB18030."""
    spellings: set[bytes] = set()
    for word in words:
        spellings.add(word.encode("utf-8"))
        if not word.isascii():
            spellings.add(word.encode("gb18030"))
    return re.compile(b"|".join(re.escape(spelling) for spelling in sorted(spellings)) or b"(?!)")


def scan(chunks: Iterable[bytes], triggers: re.Pattern[bytes]) -> Scan:
    """Read all chunks and keep the lines that hold a trigger word."""
    keeper = _Keeper()
    head = bytearray()
    size = 0
    number = 1
    for block in _whole_lines(_as_utf8(chunks)):
        size += len(block)
        if len(head) < HEAD_BYTES:
            head += block[: HEAD_BYTES - len(head)]
        _scan_block(block, number, triggers, keeper)
        number += block.count(b"\n")
    ends_open = size and not head.endswith(b"\n") if size <= HEAD_BYTES else False
    return Scan(keeper.lines(), number - 1 + bool(ends_open), size, bytes(head), size <= HEAD_BYTES, keeper.dropped)


def decode(raw: bytes) -> str:
    """Text of one line: UTF-8, else GB18030 (Chinese systems), else with replacement characters."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def clean(text: str) -> str:
    """Without terminal escapes and control characters."""
    return _ESCAPES.sub("", text)


def _scan_block(block: bytes, first_number: int, triggers: re.Pattern[bytes], keeper: _Keeper) -> None:
    kinds = block.translate(None, DIGITS).split(b"\n")
    distinct = set(kinds)
    if len(distinct) * 2 > len(kinds):
        hot = None
        if triggers.search(block) is None:
            return
    else:
        hot = {kind for kind in distinct if triggers.search(kind)}
        if not hot:
            return
    for place, (raw, kind) in enumerate(zip(block.split(b"\n"), kinds)):
        if (kind in hot) if hot is not None else triggers.search(raw):
            _keep_line(raw, kind, first_number + place, triggers, keeper)


def _keep_line(raw: bytes, kind: bytes, number: int, triggers: re.Pattern[bytes], keeper: _Keeper) -> None:
    # A progress bar is one line with many carriage returns; each piece is a line of its own to the eye.
    pieces = raw.split(b"\r") if b"\r" in raw else [raw]
    for piece in pieces:
        found = triggers.search(piece)
        if found is None:
            continue
        if len(piece) > LONGEST_PIECE:
            start = max(0, found.start() - LONGEST_PIECE // 2)
            piece = piece[start : start + LONGEST_PIECE]  # the window around the word is the piece
        key = kind if len(pieces) == 1 else piece.translate(None, DIGITS)
        keeper.keep(hash(key), number, clean(decode(piece)))


class _Keeper:
    """Keeps lines within bounds: the first of each kind, and at the end of a hostile log its last ones."""

    def __init__(self) -> None:
        self._kinds: dict[int, list[int]] = {}
        self._kept: list[tuple[int, str, int]] = []
        self._late: deque[tuple[int, str]] = deque(maxlen=KEPT_AT_END)
        self.dropped = 0

    def keep(self, kind: int, number: int, text: str) -> None:
        """Take one line in, or count it with its like."""
        seen = self._kinds.get(kind)
        if seen is None:
            if len(self._kinds) >= MOST_KINDS:
                self.dropped += len(self._late) == KEPT_AT_END
                self._late.append((number, text))
                return
            seen = self._kinds[kind] = [0, 0]
        seen[0] += 1
        if seen[1] < KEPT_ALIKE:
            seen[1] += 1
            self._kept.append((number, text, kind))

    def lines(self) -> tuple[Line, ...]:
        """All kept lines in order; the last of a kind carries the count of those that were not kept."""
        counts = {kind: total - kept + 1 for kind, (total, kept) in self._kinds.items()}
        lines = []
        for number, text, kind in reversed(self._kept):
            lines.append(Line(number, text, counts.pop(kind, 1)))
        lines.reverse()
        return tuple(lines) + tuple(Line(number, text) for number, text in self._late)


def _whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks that end at line ends, except the last; a line longer than a block is cut at its carriage returns."""
    rest = b""
    for chunk in chunks:
        joined = rest + chunk if rest else chunk
        cut = joined.rfind(b"\n") + 1
        if not cut and len(joined) > (8 << 20):
            cut = max(joined.rfind(b"\r") + 1, len(joined) - LONGEST_PIECE)
        block, rest = joined[:cut], joined[cut:]
        if block:
            yield block
    if rest:
        yield rest


def _as_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """UTF-16 (Windows redirections) becomes UTF-8; everything else passes as it is."""
    decoder: codecs.IncrementalDecoder | None = None
    for place, chunk in enumerate(chunks):
        if place == 0:
            decoder = _wide_decoder(chunk)
            if decoder is None and chunk.startswith(codecs.BOM_UTF8):
                chunk = chunk[len(codecs.BOM_UTF8) :]  # the mark is no text
        yield chunk if decoder is None else decoder.decode(chunk).encode("utf-8", "replace")


def _wide_decoder(chunk: bytes) -> codecs.IncrementalDecoder | None:
    if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace")
    sample = chunk[:2000]
    if len(sample) >= 8 and sample[1::2].count(0) > len(sample) // 2 * 0.9:
        return codecs.getincrementaldecoder("utf-16-le")("replace")
    return None
