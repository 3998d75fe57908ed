"""Text that is safe to print: control characters made visible, widths as a terminal counts them, words wrapped.

What gpudoctor quotes comes from logs and machines that it does not trust: an escape sequence in a log line must show
up as such, and never reach the terminal that prints the report.
"""

from __future__ import annotations

import re
import unicodedata

# C0 but for tab and newline, DEL, C1, the marks that reorder or hide text, line separators, lone surrogates.
_UNSAFE = (  # compiled when first met: most runs meet none
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PARAGRAPHS = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_TAB = "    "


def visible(text: str) -> str:
    """The text with every character that could steer a terminal written out (`\\x1b`); newlines stay."""
    text = text.replace("\r\n", "\n").replace("\t", _TAB)
    if text.replace("\n", "").isprintable():
        return text
    return re.sub(_UNSAFE, _written_out, text)


def one_line(text: str) -> str:
    """The same on a single line, runs of white space made one blank."""
    return " ".join(visible(text).split())


def shortened(text: str, limit: int) -> str:
    """The text cut to `limit` characters, with a note of how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} [... {len(text) - limit} more characters]"


def encodable(text: str, encoding: str) -> str:
    """The text as far as the encoding has it, other characters written out; an unknown encoding counts as ASCII."""
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding, "replace")
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")


def can_encode(sample: str, encoding: str) -> bool:
    """Whether an encoding has these characters."""
    try:
        sample.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def columns_of(text: str) -> int:
    """How many columns a terminal gives to the text."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns. A blank line separates paragraphs; other newlines count as blanks.

    A word that is too long is broken, except for web addresses, which must stay whole to be of use.
    """
    lines: list[str] = []
    for number, paragraph in enumerate(_PARAGRAPHS.split(text.strip())):
        if number:
            lines.append("")
        lines += _filled(paragraph, max(1, width))
    return lines


def folded(line: str, width: int) -> list[str]:
    """A quoted line in pieces of at most `width` columns, every blank of it kept."""
    if columns_of(line) <= width:
        return [line]
    pieces: list[str] = []
    start, used, gap = 0, 0, -1
    for position, character in enumerate(line):
        need = _columns(character)
        if used + need > max(2, width):
            end = gap if gap > start else position
            pieces.append(line[start:end])
            start, gap = end, -1
            used = columns_of(line[start:position])
        if character == " ":
            gap = position + 1
        used += need
    return [*pieces, line[start:]]


def _filled(paragraph: str, width: int) -> list[str]:
    lines: list[str] = []
    line, used = "", 0
    for word, glue in _words(paragraph, width):
        need = columns_of(word)
        blank = 1 if glue and line else 0
        if line and used + blank + need > width:
            lines.append(line)
            line, used, blank = "", 0, 0
        line += " " * blank + word
        used += blank + need
    return [*lines, line] if line else lines


def _words(paragraph: str, width: int) -> list[tuple[str, bool]]:
    """The pieces that stay together, each with whether a blank stands before it. Wide characters may part anywhere."""
    pieces: list[tuple[str, bool]] = []
    for word in paragraph.split():
        if word.isascii() and (len(word) <= width or "://" in word):
            pieces.append((word, True))
            continue
        glue = True
        for part in _parts(word, width):
            pieces.append((part, glue))
            glue = False
    return pieces


def _parts(word: str, width: int) -> list[str]:
    parts: list[str] = []
    run, used = "", 0
    for character in word:
        need = _columns(character)
        if run and (need == 2 or used + need > width):
            parts.append(run)
            run, used = "", 0
        run += character
        used += need
        if need == 2:
            parts.append(run)
            run, used = "", 0
    return [*parts, run] if run else parts


def _columns(character: str) -> int:
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _written_out(match: re.Match[str]) -> str:
    number = ord(match[0])
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
