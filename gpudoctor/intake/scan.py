"""Scanning: a log of any size becomes the few lines that can matter, in one pass and bounded memory.

Training logs repeat themselves: with the digits taken out, a million progress lines are a handful. So each chunk
is first reduced to its distinct lines without digits, and only those are searched for trigger words. Where a log
does not repeat itself, the search costs what one regular expression costs.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator

from gpudoctor.model.document import Line
from gpudoctor.model.record import record

DIGITS = b"0123456789"
HEXADECIMAL = b"abcdefABCDEF"
MANY_PIECES = 64 << 10
# Lines alike but for digits: the first few are kept whole (Xid 79 is not Xid 13), the rest only counted.
KEPT_ALIKE = 40
# Beyond so many lines only the first of each kind is kept: 20,000 kinds of 40 lines took half a gigabyte.
MANY_KEPT = 40_000
MOST_KINDS = 20_000
KEPT_AT_END = 2_000
LONGEST_PIECE = 4_096
HEAD_BYTES = 16 << 20
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b-\x1a]"
)


@record
class Scan:
    """What one pass found. `head` is the beginning, whole for documents up to 16 MiB (`is_whole`)."""

    lines: tuple[Line, ...]
    line_count: int
    size_bytes: int
    head: bytes
    is_whole: bool
    dropped: int = 0


class Triggers:
    """The words that make a line worth keeping, as the bytes that stand for them.

    Words that are not ASCII are also sought in GB18030. Measured: one expression of all words reads 11 MB/s where
    finding each of 150 words reads 15, and 300 where the text is first reduced to its different pieces.
    """

    def __init__(self, words: Iterable[str]) -> None:
        spellings: set[bytes] = set()
        for word in words:
            spellings.add(word.encode("utf-8"))
            if not word.isascii():
                spellings.add(word.encode("gb18030"))
        self._words = _Words(spellings)
        self._plain_words = _Words({word for word in spellings if word.isascii()})
        self._expression = re.compile(b"|".join(map(re.escape, sorted(spellings))) or b"(?!)")

    def find(self, piece: bytes) -> int:
        """Where the first trigger stands in a short piece of text; -1 without one."""
        found = self._expression.search(piece)
        return -1 if found is None else found.start()

    def hot_lines(self, lines: Collection[bytes]) -> set[bytes]:
        """Those lines that hold a trigger."""
        text = b"\n".join(lines)
        return (self._plain_words if text.isascii() else self._words).hot_lines(text)


class _Words:
    """Words that are sought in many lines at once."""

    def __init__(self, words: set[bytes]) -> None:
        # A word with a blank is cut apart where text is taken apart into pieces.
        self._wide = [(word, _parts(word)) for word in sorted(words) if b" " in word]
        self._narrow = [(word, word.translate(None, HEXADECIMAL)) for word in sorted(words) if b" " not in word]

    def hot_lines(self, text: bytes) -> set[bytes]:
        """Those lines of a text that hold one of the words."""
        pieces = b" " + b" ".join(set(text.split())) + b" "
        # Hashes, addresses and ids make every piece different. Without their letters they are alike, and a word that
        # is not there without those letters is not there at all.
        coarse = b" ".join(set(pieces.translate(None, HEXADECIMAL).split())) if len(pieces) > MANY_PIECES else pieces
        likely = (word for word, short in self._narrow if coarse is pieces or short in coarse)
        present = [word for word in likely if word in pieces]
        present += [word for word, parts in self._wide if all(part in pieces for part in parts)]
        return _lines_with(present, text)


def _lines_with(words: Iterable[bytes], text: bytes) -> set[bytes]:
    hot: set[bytes] = set()
    for word in words:
        place = text.find(word)
        while place >= 0:
            start, end = text.rfind(b"\n", 0, place) + 1, text.find(b"\n", place)
            end = end if end >= 0 else len(text)
            hot.add(text[start:end])
            place = text.find(word, end)
    return hot


def _parts(word: bytes) -> tuple[bytes, ...]:
    """What stands in a text taken apart at blanks where a word with blanks stands in the text itself."""
    first, *middle, last = word.split(b" ")
    return (first + b" ", *(b" " + part + b" " for part in middle), b" " + last)


def scan(chunks: Iterable[bytes], triggers: Triggers) -> Scan:
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


def whole_characters(cut: bytes) -> bytes:
    """A piece of a longer text without the halves of characters at its ends; half a character of UTF-8 would make all
    of it look like another encoding."""
    begun = next((place for place, byte in enumerate(cut[:4]) if byte & 0xC0 != 0x80), 0)
    try:
        cut[begun:].decode("utf-8")
    except UnicodeDecodeError as error:
        is_end = error.reason == "unexpected end of data"
        return cut[begun : begun + error.start] if is_end else cut
    return cut[begun:]


def clean(text: str) -> str:
    """Without terminal escapes and control characters."""
    return _ESCAPES.sub("", text)


def _scan_block(block: bytes, first_number: int, triggers: Triggers, keeper: _Keeper) -> None:
    kinds = block.translate(None, DIGITS).split(b"\n")
    hot = triggers.hot_lines(set(kinds))
    if not hot:
        return
    places = [place for place, kind in enumerate(kinds) if kind in hot]
    raws = block.split(b"\n")
    for place in places:
        _keep_line(raws[place], kinds[place], first_number + place, triggers, keeper)


def _keep_line(raw: bytes, kind: bytes, number: int, triggers: Triggers, keeper: _Keeper) -> None:
    # A progress bar is one line with many carriage returns; each piece is a line of its own to the eye.
    if b"\r" not in raw and len(raw) <= LONGEST_PIECE:
        keeper.keep(hash(kind), number, raw)
        return
    for piece in raw.split(b"\r"):
        found = triggers.find(piece)
        while found >= 0:
            # The window around the word is the piece; a long line can hold a word in several places.
            start = max(0, found - LONGEST_PIECE // 4)
            window = whole_characters(piece[start : start + LONGEST_PIECE])
            keeper.keep(hash(window.translate(None, DIGITS)), number, window)
            piece = piece[start + LONGEST_PIECE :]
            found = triggers.find(piece)


class _Keeper:
    """Keeps lines within bounds: the first of each kind, and at the end of a hostile log its last ones."""

    def __init__(self) -> None:
        self._kinds: dict[int, list[int]] = {}
        self._kept: list[tuple[int, bytes, int]] = []
        self._late: deque[tuple[int, bytes]] = deque(maxlen=KEPT_AT_END)
        self.dropped = 0

    def keep(self, kind: int, number: int, raw: bytes) -> None:
        """Take one line in, or count it with its like."""
        seen = self._kinds.get(kind)
        if seen is None:
            if len(self._kinds) >= MOST_KINDS:
                self.dropped += len(self._late) == KEPT_AT_END
                self._late.append((number, raw))
                return
            seen = self._kinds[kind] = [0, 0]
        seen[0] += 1
        if seen[1] < (KEPT_ALIKE if len(self._kept) < MANY_KEPT else 1):
            seen[1] += 1
            self._kept.append((number, raw, kind))

    def lines(self) -> tuple[Line, ...]:
        """All kept lines in order; the last of a kind carries the count of those that were not kept."""
        counts = {kind: total - kept + 1 for kind, (total, kept) in self._kinds.items()}
        lines = []
        for number, raw, kind in reversed(self._kept):
            lines.append(Line(number, clean(decode(raw)), counts.pop(kind, 1)))
        lines.reverse()
        return tuple(lines) + tuple(Line(number, clean(decode(raw))) for number, raw in self._late)


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
    # ASCII in UTF-16 has a zero in every second byte, and never in the others; Chinese between it has none.
    if len(sample) >= 8 and sample[1::2].count(0) * 5 > len(sample) and not sample[::2].count(0):
        return codecs.getincrementaldecoder("utf-16-le")("replace")
    return None
