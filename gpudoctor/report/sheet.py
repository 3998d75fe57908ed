"""A page in the making: lines of styled pieces, wrapped to a width, for every text format that a person reads.

The terminal report and the explanations lay out evidence, remedies and references alike; this is where. Styles are
words (`error`, `command`); whoever prints the sheet turns them into colours or into nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpudoctor.model.cause import Actor, Reference, Remedy
from gpudoctor.model.evidence import Evidence
from gpudoctor.report.plain import can_encode, columns_of, folded, one_line, shortened, visible, wrapped

STYLES = ("", "title", "error", "warning", "note", "ok", "dim", "command")
STEP = 2
WHO = {
    Actor.COMMAND_LINE: "On the command line",
    Actor.IMAGE: "In the image or environment",
    Actor.HOST: "On the host",
    Actor.CLUSTER: "In the cluster's configuration",
}
MAXIMUM_EVIDENCE = 1200
MAXIMUM_EVIDENCE_LINES = 12


class Piece(NamedTuple):
    """Some text in one style."""

    text: str
    style: str = ""


class Symbols(NamedTuple):
    """Marks at the beginning of lines; the word beside each says the same."""

    ok: str = "✓"
    failed: str = "✗"
    unknown: str = "?"
    warning: str = "!"
    skipped: str = "·"
    bullet: str = "-"


UNICODE = Symbols()
ASCII = Symbols(ok="+", failed="x", skipped=".")


def symbols_for(encoding: str) -> Symbols:
    """The marks that an encoding can show."""
    return UNICODE if can_encode("✓✗·", encoding) else ASCII


class Sheet:
    """Lines under way. Every text that is added is made safe here; callers pass it as it was read."""

    def __init__(self, width: int, symbols: Symbols = UNICODE, whole_evidence: bool = False) -> None:
        self.width = max(20, width)
        self.symbols = symbols
        self.whole_evidence = whole_evidence
        self.lines: list[tuple[Piece, ...]] = []

    def blank(self) -> None:
        """An empty line, never two in a row and none at the top."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def heading(self, text: str, indent: int = 0, style: str = "title") -> None:
        """A heading after an empty line."""
        self.blank()
        self.text(text, indent, style)

    def text(self, text: str, indent: int = 0, style: str = "", lead: str = "", lead_style: str = "") -> None:
        """Wrapped text; `lead` (a mark, a number) stands before its first line, the others are indented under it."""
        lead = visible(lead)
        margin = min(indent, max(0, self.width - 20))
        hang = margin + min(columns_of(lead), 8)
        first = True
        for line in wrapped(visible(text), self.width - hang) or [""]:
            start = (Piece(" " * margin), Piece(lead, lead_style)) if first else (Piece(" " * hang),)
            self._add((*start, Piece(line, style)))
            first = False

    def column(self, label: str, text: str, indent: int, label_width: int) -> None:
        """A row of two columns: a label, and text that is wrapped in the column beside it."""
        margin = indent + label_width
        start = [Piece(" " * indent), Piece(visible(label).ljust(label_width), "dim")]
        for line in wrapped(visible(text), self.width - margin) or [""]:
            self._add((*start, Piece(line)))
            start = [Piece(" " * margin)]

    def command(self, text: str, indent: int = 0) -> None:
        """A command, each of its lines whole: broken lines cannot be copied."""
        for line in visible(text).strip("\n").split("\n"):
            self._add((Piece(" " * indent), Piece(line.rstrip(), "command")))

    def evidence(self, items: Iterable[Evidence], indent: int = 0) -> None:
        """Quotations with where they stand: `train.log:12: text`."""
        for item in items:
            place = f"{item.source}:{item.line}" if item.line else item.source
            lines = self._quoted(item.text)
            bullet = f"{self.symbols.bullet} {one_line(place)}: "
            if len(lines) == 1 and indent + columns_of(bullet) + columns_of(lines[0]) <= self.width:
                self._add((Piece(" " * indent), Piece(bullet, "dim"), Piece(lines[0])))
                continue
            self.text(f"{place}:", indent, "dim", lead=f"{self.symbols.bullet} ", lead_style="dim")
            margin = min(indent + 2 * STEP, self.width - 16)
            for line in lines:
                for piece in folded(line, self.width - margin):
                    self._add((Piece(" " * margin), Piece(piece)))

    def remedies(self, remedies: Sequence[Remedy], indent: int = 0) -> None:
        """What to do, by whom; then what shows that it worked, once each."""
        verify: list[str] = []
        for remedy in remedies:
            self.text(f"{WHO[remedy.who]}: {remedy.text}", indent)
            if remedy.command:
                self.command(remedy.command, indent + 2 * STEP)
            if remedy.verify and remedy.verify not in verify:
                verify.append(remedy.verify)
        for command in verify:
            self.text("To see that it worked:", indent)
            self.command(command, indent + 2 * STEP)

    def references(self, references: Iterable[Reference], indent: int = 0) -> None:
        """Where to read on, one address a line, whole."""
        for reference in references:
            if reference.title:
                self.text(f"{reference.title}:", indent, "dim")
            self._add((Piece(" " * indent), Piece(one_line(reference.url), "dim")))

    def _quoted(self, text: str) -> list[str]:
        if self.whole_evidence:
            return visible(text).strip("\n").split("\n")
        lines = visible(shortened(text.strip("\n"), MAXIMUM_EVIDENCE)).split("\n")
        if len(lines) > MAXIMUM_EVIDENCE_LINES:
            rest = len(lines) - MAXIMUM_EVIDENCE_LINES
            lines = [*lines[:MAXIMUM_EVIDENCE_LINES], f"[... {rest} more lines]"]
        return lines

    def _add(self, line: tuple[Piece, ...]) -> None:
        self.lines.append(tuple(piece for piece in line if piece.text))
