"""Explanations as plain text: what an exit means, what most likely caused it, and how to tell and to mend.

It must answer as fast as a man page, so it knows nothing but the standard library; colour is a handful of ANSI codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudoctor.model.cause import Cause
from gpudoctor.model.exit_status import ExitMeaning, ExitStatus
from gpudoctor.model.explanation import Explained, Explanation, Likelihood, RuledOut, Verdict
from gpudoctor.model.rule import Rule
from gpudoctor.report.plain import encodable
from gpudoctor.report.sheet import STEP, Sheet, symbols_for

ANSI = {
    "title": "1",
    "error": "1;31",
    "warning": "1;33",
    "note": "36",
    "ok": "32",
    "dim": "2",
    "command": "36",
}
LIKELIHOODS = {
    Likelihood.CONFIRMED: ("confirmed", "error"),
    Likelihood.LIKELY: ("likely", "warning"),
    Likelihood.POSSIBLE: ("possible", "note"),
}
MAXIMUM_UNUSED = 12
MAXIMUM_FOLDED = 6


def render(explained: Explained, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """The answer to one exit as a page of text that ends with a newline; quoted evidence is made safe to print."""
    sheet = Sheet(width, symbols_for(encoding))
    write_explained(sheet, explained)
    return _printed(sheet, color, encoding)


def cause_page(cause: Cause, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """The page of one cause of the catalogue."""
    sheet = Sheet(width, symbols_for(encoding))
    sheet.text(cause.title, style="title")
    sheet.text(cause.id, style="dim")
    _write_cause(sheet, cause)
    return _printed(sheet, color, encoding)


def exit_page(
    meaning: ExitMeaning,
    causes: Mapping[str, Cause],
    width: int = 80,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    """The page of an exit code, signal or reason; `causes` holds the candidates' causes by id, as far as they exist."""
    sheet = Sheet(width, symbols_for(encoding))
    sheet.text(meaning.title, style="title")
    sheet.blank()
    sheet.text(meaning.meaning)
    if meaning.candidates:
        sheet.heading("What it comes from, the most usual first")
    for number, candidate in enumerate(meaning.candidates, start=1):
        sheet.blank()
        cause = causes.get(candidate.cause)
        sheet.text(cause.title if cause else candidate.cause, style="title", lead=f"{number}. ")
        if cause:
            sheet.text(cause.id, 3, "dim")
        _titled(sheet, "How it looks", candidate.looks_like)
        _titled(sheet, "What decides", candidate.decide)
        if candidate.command:
            sheet.command(candidate.command, 3 + 2 * STEP)
        if cause and cause.remedies:
            sheet.text("What to do", 3, "title")
            sheet.remedies(cause.remedies[:1], 3 + STEP)
            sheet.text(f"gpudoctor explain {cause.id} tells the rest.", 3 + STEP, "dim")
    if meaning.note:
        sheet.blank()
        sheet.text(f"Note: {meaning.note}")
    _source(sheet, meaning.source, meaning.checked)
    return _printed(sheet, color, encoding)


def check_page(rule: Rule, cause: Cause | None, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """The page of one check and of the cause that it is evidence for."""
    sheet = Sheet(width, symbols_for(encoding))
    sheet.text(f"Check {rule.id}", style="title")
    sheet.text(f"{rule.severity.value}, confidence {rule.confidence.value}, {rule.status} since {rule.since}", 0, "dim")
    sheet.blank()
    sheet.text(f"Where it fails, it says: {rule.message}")
    if cause is not None:
        sheet.heading(f"It is evidence for: {cause.title}")
        sheet.text(cause.id, style="dim")
        _write_cause(sheet, cause)
    return _printed(sheet, color, encoding)


def table_page(
    title: str,
    fields: Sequence[tuple[str, str]],
    cause: Cause | None = None,
    source: str = "",
    checked: str = "",
    width: int = 80,
    color: bool = False,
    encoding: str = "utf-8",
) -> str:
    """The page of a table's row, an Xid or a CUDA error: its fields as (name, text), then the cause it points at."""
    sheet = Sheet(width, symbols_for(encoding))
    sheet.text(title, style="title")
    sheet.blank()
    for name, text in fields:
        if text:
            sheet.text(f"{name}: {text}" if name else text)
    if cause is not None:
        sheet.heading(cause.title)
        sheet.text(cause.id, style="dim")
        _write_cause(sheet, cause)
    _source(sheet, source, checked)
    return _printed(sheet, color, encoding)


def write_explained(sheet: Sheet, explained: Explained) -> None:
    """Lay the whole answer out on a sheet."""
    _write_heading(sheet, explained)
    _write_verdict(sheet, explained)
    backed = [item for item in explained.explanations if item.evidence]
    for number, explanation in enumerate(backed, start=1):
        _write_explanation(sheet, explanation, number, whole=number == 1)
    _write_candidates(sheet, [item for item in explained.explanations if not item.evidence], bool(backed))
    if explained.ruled_out:
        sheet.heading("Ruled out")
        for item in explained.ruled_out:
            _write_ruled_out(sheet, item)
    if explained.bring:
        sheet.heading("What would tell more")
        for text in explained.bring:
            sheet.text(text, STEP, lead=f"{sheet.symbols.bullet} ")
    if explained.looked_at:
        sheet.blank()
        sheet.text(f"Looked at: {', '.join(explained.looked_at)}.", style="dim")
    _write_unused(sheet, explained.unused)


def status_words(status: ExitStatus) -> str:
    """An exit status in words: `-11 (exit status 139, SIGSEGV)`."""
    notes = []
    if status.code is not None and str(status.code) != status.given:
        notes.append(f"exit status {status.code}")
    if status.signal and status.signal != status.given:
        notes.append(status.signal)
    if status.reason and status.reason != status.given:
        notes.append(status.reason)
    plain = status.given.isdigit() and str(status.code) == status.given
    name = f"Exit status {status.given}" if plain else status.given
    return f"{name} ({', '.join(notes)})" if notes else name


def _write_heading(sheet: Sheet, explained: Explained) -> None:
    status, meaning = explained.status, explained.meaning
    if status is not None:
        words = status_words(status)
        if meaning is not None and status.signal and meaning.title.startswith(status.signal):
            words = words.replace(f" ({status.signal})", "")
        sheet.text(f"{words}: {meaning.title}" if meaning and meaning.title else words, style="title")
    elif meaning is not None and meaning.title:
        sheet.text(meaning.title, style="title")
    if meaning is not None:
        sheet.blank()
        sheet.text(meaning.meaning)
        if meaning.note:
            sheet.blank()
            sheet.text(f"Note: {meaning.note}")


def _write_verdict(sheet: Sheet, explained: Explained) -> None:
    sheet.blank()
    many = len(explained.explanations) > 1
    if explained.verdict is Verdict.NO_FAILURE:
        sheet.text("Nothing failed.", style="ok", lead=f"{sheet.symbols.ok} ", lead_style="ok")
        return
    if explained.verdict is Verdict.UNEXPLAINED:
        sheet.text("What is known does not explain it.", style="warning", lead="? ", lead_style="warning")
    elif explained.verdict is Verdict.CANDIDATES:
        sheet.text(
            "Nothing seen so far decides between these, the most usual first:"
            if many
            else "Nothing seen so far proves it, but this is the usual cause:",
            style="title",
        )
    elif explained.explanations:
        sheet.text("What the evidence says, the strongest first:" if many else "What the evidence says:", style="title")


def _write_explanation(sheet: Sheet, item: Explanation, number: int, whole: bool) -> None:
    """A cause that evidence speaks for. Only the first is told in full; a page that tells all is read by nobody."""
    word, style = LIKELIHOODS[item.likelihood]
    sheet.blank()
    sheet.text(f"{item.title} ({word})", style=style, lead=f"{number}. ", lead_style=style)
    sheet.text(item.cause, 3, "dim")
    if item.summary:
        sheet.text(item.summary, 3)
    if item.evidence:
        sheet.text("How we know", 3, "title")
        sheet.evidence(item.evidence, 3 + STEP)
    if item.likelihood is not Likelihood.CONFIRMED:
        _titled(sheet, "What decides", item.decide)
        if item.command and item.decide:
            sheet.command(item.command, 3 + 2 * STEP)
    if item.remedies:
        sheet.text("What to do", 3, "title")
        sheet.remedies(item.remedies if whole else item.remedies[:1], 3 + STEP)
    if not whole:
        sheet.text(f"gpudoctor explain {item.cause} tells the rest.", 3, "dim")
        return
    if item.references and item.likelihood is not Likelihood.POSSIBLE:
        sheet.text("To read on", 3, "title")
        sheet.references(item.references, 3 + STEP)


def _write_candidates(sheet: Sheet, items: Sequence[Explanation], others_backed: bool) -> None:
    """Causes that only experience speaks for: how each would look and what decides. Beside a cause that evidence
    speaks for, they are one line each."""
    if others_backed:
        if items:
            sheet.heading("Other usual causes, for which nothing was seen", style="dim")
        for item in items[:MAXIMUM_FOLDED]:
            sheet.text(f"{item.title} ({item.cause})", STEP, "dim", lead=f"{sheet.symbols.bullet} ")
        return
    shown_commands: set[str] = set()
    for number, item in enumerate(items, start=1):
        sheet.blank()
        sheet.text(item.title, style="title", lead=f"{number}. ")
        if item.looks_like:
            sheet.text(f"Looks like: {item.looks_like}", 3)
        if item.decide:
            sheet.text(f"Decides: {item.decide}", 3)
        if item.command and item.command not in shown_commands:
            shown_commands.add(item.command)
            sheet.command(item.command, 3 + 2 * STEP)
        sheet.text(f"gpudoctor explain {item.cause}", 3, "dim")


def _write_ruled_out(sheet: Sheet, item: RuledOut) -> None:
    sheet.text(f"{item.title}: {item.reason}", STEP, lead=f"{sheet.symbols.bullet} ")
    sheet.evidence(item.evidence, 2 * STEP)


def _write_unused(sheet: Sheet, unused: Sequence[str]) -> None:
    if not unused:
        return
    sheet.heading("Given, but not understood", style="dim")
    for text in unused[:MAXIMUM_UNUSED]:
        sheet.text(text, STEP, "dim", lead=f"{sheet.symbols.bullet} ")
    if len(unused) > MAXIMUM_UNUSED:
        sheet.text(f"... and {len(unused) - MAXIMUM_UNUSED} more", STEP, "dim")


def _write_cause(sheet: Sheet, cause: Cause) -> None:
    sheet.blank()
    sheet.text(cause.meaning)
    if cause.shows:
        sheet.heading("How it shows")
        sheet.text(cause.shows, STEP)
    if cause.remedies:
        sheet.heading("What to do")
        sheet.remedies(cause.remedies, STEP)
    if cause.explains:
        sheet.heading("What it can bring about")
        for name in cause.explains:
            sheet.text(name, STEP, lead=f"{sheet.symbols.bullet} ")
    if cause.references:
        sheet.heading("To read on")
        sheet.references(cause.references, STEP)


def _titled(sheet: Sheet, title: str, text: str) -> None:
    if text:
        sheet.text(title, 3, "title")
        sheet.text(text, 3 + STEP)


def _source(sheet: Sheet, source: str, checked: str) -> None:
    if source:
        sheet.blank()
        sheet.text(f"Source: {source}" + (f" (checked {checked})" if checked else ""), style="dim")


def _printed(sheet: Sheet, color: bool, encoding: str) -> str:
    lines = []
    for line in sheet.lines:
        parts = [
            f"\x1b[{ANSI[piece.style]}m{piece.text}\x1b[0m" if color and piece.style else piece.text for piece in line
        ]
        lines.append("".join(parts).rstrip())
    return encodable("\n".join(lines).strip("\n") + "\n", encoding)
