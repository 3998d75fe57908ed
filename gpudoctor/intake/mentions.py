"""Sentences, tables and source code that only speak of a fault, told apart from lines in which a program reports one.

A guide that explains what `CUDA out of memory` means, a README, a string in a program: nothing failed there. Whoever
writes about a failure of their own speaks of themselves ("I get ..."), and that counts as a report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gpudoctor.model.document import Line

Speaks = Callable[[str], bool]
LONGEST = 2_000
# Languages in which fenced code is no program's output; people put tracebacks into fences marked as Python or shell.
_SOURCE_FENCE = re.compile(
    r"^\s{0,8}(?:`{3,12}|~{3,12})(?:toml|ini|dockerfile|cmake|c|cpp|c\+\+|rust|go|js|ts)\s*$", re.I
)
_FENCE = re.compile(r"^\s{0,8}(?:`{3,12}|~{3,12})")
_BULLET = r"^\s{0,8}(?:>\s?)?(?:[-*+]\s{1,4}|\d{1,2}[.)]\s{1,4}|#{1,6}\s{1,2})?(?:\[[ x]\]\s)?[*_]{0,3}"
_BEGINS = re.compile(_BULLET + r"(?:[A-Z][a-z']{0,20}\b|[\"`“(])")
_WORD = re.compile(r"(?<![\w./'\"-])[a-z][a-z']{1,20}(?=[\s,.;:!?)]|$)")
_CODE_SPAN = re.compile(r"`([^`]{1,600})`|“([^”]{1,600})”")
# A message has several words; one word in quotation marks is a name in a message.
_STRING = re.compile(r"\"([^\"\s]{1,100}\s[^\"]{1,600})\"|'([^'\s]{1,100}\s[^']{1,600})'")
_LOGGED = re.compile(r"\b\w{0,40}(?:Error|Exception|Warning|error|fatal|FATAL|ERROR)\b:|\d\d:\d\d:\d\d|^\s*\[|level=")
_OF_ONESELF = re.compile(r"(?:^|[\s(\"])(?:I|I'm|I've|we|We|my|My|our|Our|me|us)(?=[\s,.']|$)")
_HAPPENED = re.compile(
    r"\b(?:fail(?:s|ed)|crash(?:es|ed)|die[sd]|got|gets|getting|thr(?:ows|ew)|aborted|killed) ", re.I
)
_IN_GENERAL = re.compile(
    r"\b(?:if|when(?:ever)?|may|might|can|could|would|usually|typically|often|sometimes|such as|for example|e\.g\.|"
    r"means?|example|looks? like|instead of|see|where|or)\b",
    re.I,
)
_ADVISES = re.compile(
    _BULLET
    + r"(?:(?:If|When|Whenever|In case) (?:you|your|an?|the|this|it|there)\b.{0,100}?\b(?:see|sees?|gets?|says?|"
    r"reports?|shows?|prints?|fails?|encounters?|meets?|runs? into|receives?|hits?|crash(?:es)?|complains?)\b"
    r"|You (?:may|might|can|could|will) (?:also )?(?:see|get|find|meet|run into|encounter|hit)\b)"
)
# A form's label with its answer: "Error: `CUDA out of memory`"
_ANSWER = re.compile(r":[*_]{0,3}\s{1,4}`[^`]{1,600}`\s*$")
# "A CUDA out of memory error occurs when ...", "- `Xid 79`: the GPU has fallen off the bus"
_DEFINES = re.compile(
    _BULLET
    + r"(?:The|A|An|These|Such)\b.{3,200}?\b(?:occurs?|happens?|arises?|means|indicates?|typically|usually|often)\b"
)
_GLOSSARY = re.compile(r"^\s{0,8}(?:[-*+]|\d{1,2}[.)])\s{1,4}[*_]{0,3}`[^`]{1,200}`[*_]{0,3}\s{0,3}(?:=>|->|:|–|—|-|→)")
_TABLE_ROW = re.compile(r"^\s{0,4}\|.{1,1500}\|.{1,1500}\|\s*$")
_SOURCE = re.compile(
    r"^\s{0,60}(?:[A-Za-z_][\w.]{0,60} = |raise \w|return |assert |(?:el)?if |except |with |print\(|warnings\.warn\("
    r"|(?:log(?:ger|ging)?|self|pytest|match)\.\w{1,40}\()"
)
_TYPED = re.compile(r"^\s{0,8}(?:\$ |(?:sudo )?(?:gpudoctor|grep|egrep|rg|echo|printf|sed|awk|journalctl) [^:])")


def without_mentions(data: bytes, lines: Sequence[Line], speaks: Speaks) -> bytes:
    """A text in which the lines that only speak of a fault are empty.

    `lines` are those with a trigger word, `speaks` tells whether a piece of text holds one. Text of a wide encoding
    comes back as it is.
    """
    if not lines or b"\0" in data[:2_000]:
        return data
    quiet = {line.number for line in lines if is_mention(line.text, speaks)}
    if b"```" in data or b"~~~" in data:
        quiet |= _source_lines(data.decode("utf-8", "replace")) & {line.number for line in lines}
    if not quiet:
        return data
    return b"\n".join(b"" if number in quiet else raw for number, raw in enumerate(data.split(b"\n"), start=1))


def is_mention(line: str, speaks: Speaks) -> bool:
    """Whether the words that a signature would look for stand in a line only because it speaks of them."""
    line = line[:LONGEST]
    if _TYPED.match(line):
        return True
    spans = _spans(_CODE_SPAN, line)
    if _SOURCE.match(line):
        return _holds(_spans(_STRING, line), speaks)
    if (_TABLE_ROW.match(line) or _GLOSSARY.match(line)) and _holds(spans, speaks):
        return True
    if _OF_ONESELF.search(line) or _ANSWER.search(line):
        return False
    if (_ADVISES.match(line) or _DEFINES.match(line)) and speaks(line):
        return True
    if _LOGGED.search(_CODE_SPAN.sub(" ", _STRING.sub(" ", line))):
        return False
    return _is_sentence(line) and _holds(spans or _spans(_STRING, line), speaks)


def _is_sentence(line: str) -> bool:
    """Running text, told of nothing that happened, with enough plain words outside what it quotes."""
    rest = _CODE_SPAN.sub(" ", _STRING.sub(" ", line))
    if _HAPPENED.search(rest) and not _IN_GENERAL.search(rest):
        return False
    words = len(_WORD.findall(rest))
    return words >= 3 and (_BEGINS.match(line) is not None or words * 2 >= len(rest.split()))


def _spans(pattern: re.Pattern[str], line: str) -> list[str]:
    return [first or second for first, second in pattern.findall(line)]


def _holds(spans: Sequence[str], speaks: Speaks) -> bool:
    return any(speaks(span) for span in spans)


def _source_lines(text: str) -> set[int]:
    """The numbers of the lines in fences of languages that no program's output is written in."""
    found: set[int] = set()
    open_source = open_other = False
    for number, line in enumerate(text.split("\n"), start=1):
        if _FENCE.match(line):
            if open_source or open_other:
                open_source = open_other = False
            else:
                open_source = _SOURCE_FENCE.match(line.rstrip()) is not None
                open_other = not open_source
        elif open_source:
            found.add(number)
    return found
