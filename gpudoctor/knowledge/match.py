"""Matching: which signatures speak, and which line says so.

A line is tried against an expression only when one of its anchors stands in it. Anchors are sought in all lines of a
document at once: there are more of them than a log has kinds of lines.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from gpudoctor.model.document import Document, Line
from gpudoctor.model.record import field, record, replace
from gpudoctor.model.signature import Pattern, Role, Signature

LONGEST_LINE = 8192
ALIKE = str.maketrans("123456789", "0" * 9)
GRAM = 3
UNKNOWN_LINE = 1 << 60


@record
class Match:
    """One signature that spoke: its first line, what it captured there, and how many lines said the same.

    `position` orders matches in time: the document's place in the given order, then the line. `last` is the last
    line that said the same, `UNKNOWN_LINE` where such lines were only counted.
    """

    signature: Signature
    document: str
    kind: str
    line: Line
    captures: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    position: tuple[int, int] = (0, 0)
    last: int = UNKNOWN_LINE


class _Tried:
    """One pattern. It is compiled when a line holds one of its anchors, which for most patterns is never."""

    def __init__(self, pattern: Pattern) -> None:
        self.ignore_case = pattern.ignore_case
        self.anchors = tuple(map(str.lower, pattern.anchors)) if pattern.ignore_case else pattern.anchors
        self._regex = pattern.regex

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self._regex, re.IGNORECASE if self.ignore_case else 0)

    def search(self, text: str, lowered: str) -> re.Match[str] | None:
        """The match in a line, given as it is and in lower case."""
        subject = lowered if self.ignore_case else text
        if self.anchors and not any(anchor in subject for anchor in self.anchors):
            return None
        return self._expression.search(text)


@record
class _Ready:
    signature: Signature
    patterns: tuple[_Tried, ...]
    without: tuple[_Tried, ...]
    also: tuple[_Tried, ...]
    unless: tuple[_Tried, ...]


class _Page:
    """The lines of a document as one text, so that an anchor is sought in all of them at once.

    `folded_from` is the page of the same lines as they are written, where these are in lower case.
    """

    def __init__(self, lines: Sequence[str], folded_from: _Page | None = None) -> None:
        self.lines = lines
        self._written = folded_from
        self._text = "\n".join(lines)
        self._starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))

    @cached_property
    def _grams(self) -> set[str]:
        if self._written is not None and self._text.isascii():
            return {gram.lower() for gram in self._written._grams}
        # Lines share their words, and most of those that they do not share differ by their digits alone.
        text = " ".join(set(self._text.translate(ALIKE).split()))
        return {text[start : start + GRAM] for start in range(len(text))}

    def lines_with(self, anchor: str) -> Iterator[int]:
        """The places of the lines that hold an anchor.

        Of thousands of anchors hardly one is there; the set of all short pieces of the words tells so for most. Pieces
        of three letters, as there are few of them in any text: those of four of a hostile log would fill the memory.
        """
        for word in anchor.translate(ALIKE).split():
            if any(word[start : start + GRAM] not in self._grams for start in range(len(word) - GRAM + 1)):
                return
        found = self._text.find(anchor)
        while found >= 0:
            place = bisect.bisect_right(self._starts, found) - 1
            yield place
            found = self._text.find(anchor, self._starts[place + 1])


class Matcher:
    """All signatures, ready for one run."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self._entries = [
            _Ready(
                signature,
                tuple(map(_Tried, signature.patterns)),
                tuple(map(_Tried, signature.without)),
                tuple(map(_Tried, signature.also)),
                tuple(map(_Tried, signature.unless)),
            )
            for signature in signatures
            if signature.patterns
        ]
        self._everywhere: list[int] = []
        self._by_anchor: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})  # as written; in lower case
        for number, entry in enumerate(self._entries):
            for tried in entry.patterns:
                for anchor in tried.anchors:
                    self._by_anchor[tried.ignore_case].setdefault(anchor, []).append(number)
                if not tried.anchors:
                    self._everywhere.append(number)

    def match(self, documents: Sequence[Document]) -> list[Match]:
        """Every match in every document, noise included; one per signature and document, at its first line."""
        found: list[Match] = []
        denials = _Denials(documents)
        for place, document in enumerate(documents):
            found += self._match_document(place, document, denials)
        return found

    def _match_document(self, place: int, document: Document, denials: _Denials) -> list[Match]:
        first: dict[str, Match] = {}
        texts = [line.text[:LONGEST_LINE].replace("\n", " ") for line in document.lines]
        written = _Page(texts)
        pages = (written, _Page([text.lower() for text in texts], written))
        for at, numbers in self._candidates(pages):
            line = document.lines[at]
            entries = [self._entries[number] for number in numbers]
            noise = [entry for entry in entries if entry.signature.role is Role.NOISE]
            others = [entry for entry in entries if entry.signature.role is not Role.NOISE]
            speaking = self._speaking(noise, at, document, pages) or self._speaking(others, at, document, pages)
            for entry, match in speaking:
                captures = _captures(match)
                if entry.unless and denials.deny(entry, captures):
                    continue
                position, last = (place, line.number), line.number if line.times == 1 else UNKNOWN_LINE
                found = Match(entry.signature, document.name, document.kind, line, captures, line.times, position, last)
                _note(first, found)
        return list(first.values())

    def _candidates(self, pages: tuple[_Page, _Page]) -> list[tuple[int, list[int]]]:
        """(place of a line, the signatures worth trying on it), in the order of the lines."""
        wanted: dict[int, set[int]] = {
            at: set(self._everywhere) for at in range(len(pages[0].lines) if self._everywhere else 0)
        }
        for page, by_anchor in zip(pages, self._by_anchor):
            for anchor, numbers in by_anchor.items():
                for at in page.lines_with(anchor):
                    wanted.setdefault(at, set()).update(numbers)
        return [(at, sorted(wanted[at])) for at in sorted(wanted)]

    @staticmethod
    def _speaking(
        entries: list[_Ready], at: int, document: Document, pages: tuple[_Page, _Page]
    ) -> list[tuple[_Ready, re.Match[str]]]:
        speaking = []
        text, lowered = pages[0].lines[at], pages[1].lines[at]
        for entry in entries:
            if entry.signature.documents and document.kind not in entry.signature.documents:
                continue
            match = next((hit for hit in (tried.search(text, lowered) for tried in entry.patterns) if hit), None)
            if match is None or any(veto.search(text, lowered) for veto in entry.without):
                continue
            if not entry.also or _seconded(entry, document, document.lines[at], pages):
                speaking.append((entry, match))
        return speaking


class _Denials:
    """What stands anywhere in the evidence against counting a line, by the signature; sought when one is asked for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._found: dict[str, list[dict[str, str]]] = {}

    def deny(self, entry: _Ready, captures: Mapping[str, str]) -> bool:
        """Whether one of the signature's `unless` stands somewhere and speaks of nobody else than the line does."""
        found = self._found.get(entry.signature.id)
        if found is None:
            found = self._found[entry.signature.id] = self._seek(entry)
        return any(all(captures.get(name, value) == value for name, value in other.items()) for other in found)

    def _seek(self, entry: _Ready) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for line in (line for document in self._documents for line in document.lines):
            text = line.text[:LONGEST_LINE].replace("\n", " ")
            for hit in (tried.search(text, text.lower()) for tried in entry.unless):
                if hit is not None and (captures := _captures(hit)) not in found:
                    found.append(captures)
        return found


def _captures(match: re.Match[str]) -> dict[str, str]:
    return {name: value for name, value in match.groupdict().items() if value is not None}


def _note(first: dict[str, Match], match: Match) -> None:
    # Status lines differ by what they capture: every distinct statement counts, not only the first.
    key = match.signature.id
    if match.signature.role is Role.STATUS:
        key += "|" + "|".join(f"{name}={value}" for name, value in sorted(match.captures.items()))
    seen = first.get(key)
    if seen is None:
        first[key] = match
    else:
        first[key] = replace(seen, times=seen.times + match.times, last=max(seen.last, match.last))


def _seconded(entry: _Ready, document: Document, line: Line, pages: tuple[_Page, _Page]) -> bool:
    reach = entry.signature.within_lines
    for other, text, lowered in zip(document.lines, pages[0].lines, pages[1].lines):
        if reach and abs(other.number - line.number) > reach:
            continue
        if any(tried.search(text, lowered) for tried in entry.also):
            return True
    return False
