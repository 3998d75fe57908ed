"""Matching: which signatures speak, and which line says so.

A line is tried against an expression only when one of its anchors stands in it, and lines that differ in digits
alone are tried once; a log of repeated lines costs no more than a short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gpudoctor.model.document import Document, Line
from gpudoctor.model.signature import Pattern, Role, Signature

LONGEST_LINE = 8192


@dataclass(frozen=True)
class Match:
    """One signature that spoke: its first line, what it captured there, and how many lines said the same.

    `position` orders matches in time: the document's place in the given order, then the line.
    """

    signature: Signature
    document: str
    kind: str
    line: Line
    captures: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    position: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class _Tried:
    anchors: tuple[str, ...]
    expression: re.Pattern[str]
    ignore_case: bool

    def search(self, text: str, lowered: str) -> re.Match[str] | None:
        subject = lowered if self.ignore_case else text
        if self.anchors and not any(anchor in subject for anchor in self.anchors):
            return None
        return self.expression.search(text)


def _prepare(pattern: Pattern) -> _Tried:
    anchors = tuple(anchor.lower() for anchor in pattern.anchors) if pattern.ignore_case else pattern.anchors
    flags = re.IGNORECASE if pattern.ignore_case else 0
    return _Tried(anchors, re.compile(pattern.regex, flags), pattern.ignore_case)


@dataclass(frozen=True)
class _Ready:
    signature: Signature
    patterns: tuple[_Tried, ...]
    without: tuple[_Tried, ...]
    also: tuple[_Tried, ...]


class Matcher:
    """All signatures, compiled once for one run."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        ready = [
            _Ready(
                signature,
                tuple(map(_prepare, signature.patterns)),
                tuple(map(_prepare, signature.without)),
                tuple(map(_prepare, signature.also)),
            )
            for signature in signatures
            if signature.patterns
        ]
        self._noise = [entry for entry in ready if entry.signature.role is Role.NOISE]
        self._others = [entry for entry in ready if entry.signature.role is not Role.NOISE]

    def match(self, documents: Sequence[Document]) -> list[Match]:
        """Every match in every document, noise included; one per signature and document, at its first line."""
        found: list[Match] = []
        for place, document in enumerate(documents):
            found += self._match_document(place, document)
        return found

    def _match_document(self, place: int, document: Document) -> list[Match]:
        first: dict[str, Match] = {}
        for line in document.lines:
            text = line.text[:LONGEST_LINE]
            lowered = text.lower()
            entries = self._speaking(self._noise, text, lowered, document) or self._speaking(
                self._others, text, lowered, document
            )
            for entry, match in entries:
                if entry.also and not _seconded(entry, document, line):
                    continue
                captures = {name: value for name, value in match.groupdict().items() if value is not None}
                _note(
                    first,
                    Match(
                        entry.signature, document.name, document.kind, line, captures, line.times, (place, line.number)
                    ),
                )
        return list(first.values())

    @staticmethod
    def _speaking(
        entries: list[_Ready], text: str, lowered: str, document: Document
    ) -> list[tuple[_Ready, re.Match[str]]]:
        speaking = []
        for entry in entries:
            if entry.signature.documents and document.kind not in entry.signature.documents:
                continue
            match = next((hit for hit in (tried.search(text, lowered) for tried in entry.patterns) if hit), None)
            if match is not None and not any(veto.search(text, lowered) for veto in entry.without):
                speaking.append((entry, match))
        return speaking


def _note(first: dict[str, Match], match: Match) -> None:
    # Status lines differ by what they capture: every distinct statement counts, not only the first.
    key = match.signature.id
    if match.signature.role is Role.STATUS:
        key += "|" + "|".join(f"{name}={value}" for name, value in sorted(match.captures.items()))
    seen = first.get(key)
    if seen is None:
        first[key] = match
    else:
        first[key] = Match(
            seen.signature, seen.document, seen.kind, seen.line, seen.captures, seen.times + match.times, seen.position
        )


def _seconded(entry: _Ready, document: Document, line: Line) -> bool:
    reach = entry.signature.within_lines
    for other in document.lines:
        if reach and abs(other.number - line.number) > reach:
            continue
        text = other.text[:LONGEST_LINE]
        lowered = text.lower()
        if any(tried.search(text, lowered) for tried in entry.also):
            return True
    return False
