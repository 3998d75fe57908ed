"""The report that a person reads on a terminal: the verdict first, then what mends it, then all the rest.

Nothing carries its meaning by colour or by a symbol alone, and no command is wrapped or framed: it can be copied.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from gpudoctor._version import VERSION
from gpudoctor.model.cause import Reference
from gpudoctor.model.diagnosis import Diagnosis, Health
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import FactSpec
from gpudoctor.model.finding import MACHINE, ChainAnswer, Finding, Kind
from gpudoctor.model.rule import Severity
from gpudoctor.report.explain_text import write_explained
from gpudoctor.report.plain import encodable
from gpudoctor.report.sheet import STEP, Piece, Sheet, symbols_for
from gpudoctor.report.summary import (
    Sorted,
    environment,
    fact_text,
    gaps,
    sort_findings,
    tally,
    verdict_line,
)

STYLES = {
    "": "",
    "title": "bold",
    "error": "bold red",
    "warning": "bold yellow",
    "note": "cyan",
    "ok": "green",
    "dim": "dim",
    "command": "cyan",
}
WORDS = {Severity.ERROR: "Error", Severity.WARNING: "Warning", Severity.NOTE: "Note"}
VERDICT_STYLES = {
    Health.HEALTHY: "ok",
    Health.DEGRADED: "warning",
    Health.BROKEN: "error",
    Health.UNDECIDED: "warning",
}
MAXIMUM_GAPS = 8
MAXIMUM_REMEDIES = 4
MAXIMUM_REFERENCES = 2


def render(
    diagnosis: Diagnosis,
    specs: Mapping[str, FactSpec],
    out: TextIO,
    width: int = 80,
    color: bool = False,
    verbose: bool = False,
    encoding: str = "utf-8",
) -> None:
    """Print a diagnosis for a person; `width` in columns. `verbose` adds passed checks, all facts and all runs."""
    sheet = Sheet(width, symbols_for(encoding), whole_evidence=verbose)
    ordered = sort_findings(diagnosis)
    _write_verdict(sheet, diagnosis)
    _write_causes(sheet, ordered)
    _write_others(sheet, ordered, diagnosis)
    for chain in diagnosis.chains:
        _write_chain(sheet, chain, diagnosis, verbose)
    for explained in diagnosis.explanations:
        sheet.heading("How it died")
        write_explained(sheet, explained)
    _write_gaps(sheet, diagnosis, verbose)
    _write_environment(sheet, diagnosis)
    if verbose:
        _write_passed(sheet, diagnosis)
        _write_facts(sheet, diagnosis, specs)
        _write_runs(sheet, diagnosis)
    _write_end(sheet, diagnosis, ordered)
    _print(sheet, out, color, encoding)


def _write_verdict(sheet: Sheet, diagnosis: Diagnosis) -> None:
    marks = {
        Health.HEALTHY: sheet.symbols.ok,
        Health.DEGRADED: sheet.symbols.warning,
        Health.BROKEN: sheet.symbols.failed,
        Health.UNDECIDED: sheet.symbols.unknown,
    }
    style = VERDICT_STYLES[diagnosis.health]
    sheet.text(verdict_line(diagnosis), style=style, lead=f"{marks[diagnosis.health]} ", lead_style=style)


def _write_finding(sheet: Sheet, finding: Finding, same: Sequence[Finding] = (), whole: bool = True) -> None:
    """One cause: its first finding, and what others that point at `same` cause add to it.

    With `whole` all that helps at once; otherwise the first remedy, and where the rest is told.
    """
    style = finding.severity.value
    mark = sheet.symbols.failed if finding.severity is Severity.ERROR else sheet.symbols.warning
    subjects = dict.fromkeys(one.subject for one in (finding, *same) if one.subject != MACHINE)
    subject = f" ({', '.join(subjects)})" if subjects else ""
    sheet.heading(f"{mark} {WORDS[finding.severity]}: {finding.title or finding.cause}{subject}", style=style)
    if finding.message:
        sheet.text(finding.message, STEP)
    for message in dict.fromkeys(one.message for one in same if one.message and one.message != finding.message):
        sheet.text(f"Also: {message}", STEP)
    evidence = dict.fromkeys(item for one in (finding, *same) for item in one.evidence)
    if evidence:
        sheet.text("How we know", STEP, "title")
        sheet.evidence(evidence, 2 * STEP)
    remedies = tuple(dict.fromkeys(item for one in (finding, *same) for item in one.remedies))
    if remedies:
        sheet.text("What to do", STEP, "title")
        sheet.remedies(remedies[: MAXIMUM_REMEDIES if whole else 1], 2 * STEP)
    references: dict[str, Reference] = {}
    for item in (item for one in (finding, *same) for item in one.references):
        references.setdefault(item.url, item)
    if references and whole:
        sheet.text("To read on", STEP, "title")
        sheet.references(list(references.values())[:MAXIMUM_REFERENCES], 2 * STEP)
    if not whole or len(remedies) > MAXIMUM_REMEDIES:
        sheet.text(f"gpudoctor explain {finding.cause} tells more.", STEP, "dim")


def _write_causes(sheet: Sheet, ordered: Sorted) -> None:
    """Each cause once, in the order of its first finding: the same remedies need not be read twice."""
    groups: dict[str, list[Finding]] = {}
    primary = () if ordered.primary is None else (ordered.primary,)
    for finding in (*primary, *ordered.errors, *ordered.warnings):
        groups.setdefault(finding.cause, []).append(finding)
    for place, (first, *same) in enumerate(groups.values()):
        _write_finding(sheet, first, same, whole=place == 0)


def _write_others(sheet: Sheet, ordered: Sorted, diagnosis: Diagnosis) -> None:
    if ordered.demoted:
        sheet.heading("Most likely only a consequence")
        titles = {finding.check: finding.title for finding in diagnosis.findings}
        for finding in ordered.demoted:
            root = titles.get(finding.explained_by) or finding.explained_by
            text = f"{finding.title or finding.cause} (follows from: {root})"
            sheet.text(text, STEP, lead=f"{sheet.symbols.bullet} ")
    if ordered.notes:
        sheet.heading("Worth knowing")
        for finding in ordered.notes:
            subject = "" if finding.subject == MACHINE else f"{finding.subject}: "
            sheet.text(subject + (finding.message or finding.title), STEP, lead=f"{sheet.symbols.bullet} ")


def _write_chain(sheet: Sheet, chain: ChainAnswer, diagnosis: Diagnosis, verbose: bool) -> None:
    """The links up to the first broken one, each cause once; what does not apply here only where all is asked for."""
    symbols = sheet.symbols
    words = {
        Kind.PASS: (symbols.ok, "ruled out", "ok"),
        Kind.FAIL: (symbols.failed, "this is it", "error"),
        Kind.UNKNOWN: (symbols.unknown, "not known", "warning"),
        Kind.NOT_APPLICABLE: (symbols.skipped, "does not apply", "dim"),
    }
    names = [check for check, _ in chain.links]
    end = names.index(chain.broken_at) + 1 if chain.broken_at in names else len(names)
    sheet.heading(chain.question)
    for kind, title, missing in _distinct_links(chain, end, diagnosis):
        if kind is Kind.NOT_APPLICABLE and not verbose:
            continue
        mark, word, style = words[kind]
        why = f" (missing: {', '.join(missing)})" if kind is Kind.UNKNOWN and missing else ""
        sheet.text(f"{word}: {title}{why}", STEP, lead=f"{mark} ", lead_style=style)
    left = len(chain.links) - end
    if chain.broken_at and left:
        later = "The question after it does" if left == 1 else f"The {left} questions after it do"
        sheet.text(f"{later} not matter until this is mended.", STEP, "dim")


def _distinct_links(chain: ChainAnswer, end: int, diagnosis: Diagnosis) -> Iterable[tuple[Kind, str, tuple[str, ...]]]:
    """Kind, title and missing facts of the causes asked about, by the worst answer that any check gave on each."""
    by_check: dict[str, Finding] = {}
    for finding in diagnosis.findings:
        known = by_check.get(finding.check)
        if known is None or (finding.kind is Kind.FAIL and known.kind is not Kind.FAIL):
            by_check[finding.check] = finding
    worst = (Kind.FAIL, Kind.UNKNOWN, Kind.PASS, Kind.NOT_APPLICABLE)
    answers: dict[str, tuple[Kind, tuple[str, ...]]] = {}
    for check, kind in chain.links[:end]:
        link = by_check.get(check)
        title = link.title if link is not None and link.title else check.replace("-", " ")
        before = answers.get(title)
        if before is None or worst.index(kind) < worst.index(before[0]):
            # What is worse is also told later, where the look at this cause ended.
            answers.pop(title, None)
            answers[title] = (kind, link.blocked_by if link is not None else ())
    return [(kind, title, missing) for title, (kind, missing) in answers.items()]


def _write_gaps(sheet: Sheet, diagnosis: Diagnosis, verbose: bool) -> None:
    found = gaps(diagnosis)
    if not found:
        return
    sheet.heading("What could not be examined")
    shown = found if verbose else found[:MAXIMUM_GAPS]
    for text in shown:
        sheet.text(text, STEP, lead=f"{sheet.symbols.unknown} ", lead_style="warning")
    if len(found) > len(shown):
        sheet.text(f"... and {len(found) - len(shown)} more; --verbose tells.", STEP, "dim")
    if verbose:
        return
    for run in diagnosis.runs:
        if run.stderr_tail.strip() and run.outcome not in ("completed", "skipped"):
            words = "\n".join(line for line in run.stderr_tail.splitlines() if line.strip())
            sheet.text("Its last words", STEP, "title")
            sheet.evidence([Evidence(run.name, words)], 2 * STEP)


def _write_environment(sheet: Sheet, diagnosis: Diagnosis) -> None:
    rows = environment(diagnosis)
    if not rows:
        return
    sheet.heading("The environment")
    label_width = max(len(label) for label, _ in rows) + 2
    for label, text in rows:
        if sheet.width < 60:
            sheet.text(f"{label}: {text}", STEP)
        else:
            sheet.column(label, text, STEP, label_width)


def _write_passed(sheet: Sheet, diagnosis: Diagnosis) -> None:
    sheet.heading("Checks that did not fail")
    words = {Kind.PASS: "passed", Kind.UNKNOWN: "not known", Kind.NOT_APPLICABLE: "does not apply"}
    marks = {Kind.PASS: sheet.symbols.ok, Kind.UNKNOWN: sheet.symbols.unknown}
    for finding in diagnosis.findings:
        if finding.kind is Kind.FAIL:
            continue
        subject = "" if finding.subject == MACHINE else f" ({finding.subject})"
        missing = f", missing {', '.join(finding.blocked_by)}" if finding.blocked_by else ""
        mark = marks.get(finding.kind, sheet.symbols.skipped)
        sheet.text(f"{finding.check}{subject}: {words[finding.kind]}{missing}", STEP, lead=f"{mark} ")


def _write_facts(sheet: Sheet, diagnosis: Diagnosis, specs: Mapping[str, FactSpec]) -> None:
    sheet.heading("All facts")
    for key in sorted(diagnosis.facts):
        spec = specs.get(key)
        unit = f" {spec.unit}" if spec is not None and spec.unit else ""
        value = diagnosis.facts[key]
        sheet.text(f"{key}: {fact_text(value, unit)}", STEP)


def _write_runs(sheet: Sheet, diagnosis: Diagnosis) -> None:
    sheet.heading("How each step ended")
    for run in diagnosis.runs:
        how = run.outcome + (f" by {run.signal}" if run.signal else "")
        code = f", exit code {run.exit_code}" if run.exit_code is not None else ""
        detail = f": {run.detail}" if run.detail else ""
        sheet.text(f"{run.name}: {how}{code} after {run.seconds:.2f} s{detail}", STEP)
        if run.stderr_tail:
            for line in run.stderr_tail.strip("\n").split("\n"):
                sheet.text(line, 2 * STEP, "dim")


def _write_end(sheet: Sheet, diagnosis: Diagnosis, ordered: Sorted) -> None:
    sheet.blank()
    sheet.text(tally(diagnosis), style="dim")
    rules = diagnosis.rules
    newest = f", newest source {rules.newest_source}" if rules.newest_source else ""
    sheet.text(f"gpudoctor {VERSION}, {rules.count} rules {rules.digest[:12]}{newest}", style="dim")
    if ordered.primary is not None:
        sheet.text("More about the cause:")
        sheet.command(f"gpudoctor explain {ordered.primary.cause}", STEP)
        sheet.text("After the change, look again:")
        sheet.command("gpudoctor check", STEP)
    elif diagnosis.health is Health.UNDECIDED:
        sheet.text("All that was and was not seen:")
        sheet.command("gpudoctor check --verbose", STEP)


def _print(sheet: Sheet, out: TextIO, color: bool, encoding: str) -> None:
    # rich knows what a terminal can show; where there is nothing to colour, its loading would be for nothing.
    text = _coloured(sheet) if color else "".join(f"{_plain(line)}\n" for line in sheet.lines)
    out.write(encodable(text, encoding))


def _plain(line: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in line).rstrip()


def _coloured(sheet: Sheet) -> str:
    from rich.console import Console
    from rich.text import Text

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=max(sheet.width, 20),
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in sheet.lines:
        text = Text(no_wrap=True, end="")
        for piece in line:
            text.append(piece.text, STYLES[piece.style] or None)
        text.rstrip()
        console.print(text, soft_wrap=True)
    return buffer.getvalue()
