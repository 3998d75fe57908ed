"""A diagnosis as Markdown for an issue: a short verdict, the findings, and the environment folded away.

Whatever is quoted comes from machines and logs: pipes, backticks, HTML, mentions and references in it are defused, so
that a pasted report neither breaks its table nor notifies anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gpudoctor._version import VERSION
from gpudoctor.model.cause import Remedy
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import FactSpec
from gpudoctor.model.finding import MACHINE, Finding
from gpudoctor.model.rule import Severity
from gpudoctor.report.plain import one_line, shortened, visible
from gpudoctor.report.sheet import WHO
from gpudoctor.report.summary import environment, fact_text, gaps, sort_findings, tally, verdict_line

MAXIMUM_QUOTE = 1500
MAXIMUM_CELL = 300
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~#])")
_MENTION = re.compile(r"@(?=[A-Za-z0-9])")
_WORDS = {Severity.ERROR: "Error", Severity.WARNING: "Warning", Severity.NOTE: "Note"}


def render(diagnosis: Diagnosis, specs: Mapping[str, FactSpec]) -> str:
    """The whole report as GitHub Markdown. It redacts nothing by itself: give it a redacted diagnosis to share."""
    ordered = sort_findings(diagnosis)
    lines = [f"### gpudoctor: {prose(verdict_line(diagnosis))}", ""]
    primary = (ordered.primary,) if ordered.primary is not None else ()
    for finding in (*primary, *ordered.errors, *ordered.warnings):
        lines += _finding(finding)
    if ordered.demoted:
        lines += ["**Most likely only a consequence**", ""]
        lines += [
            f"- {prose(item.title or item.cause)} (follows from {code(item.explained_by)})" for item in ordered.demoted
        ]
        lines.append("")
    if ordered.notes:
        lines += ["**Worth knowing**", ""]
        lines += [f"- {prose(item.message or item.title)}" for item in ordered.notes]
        lines.append("")
    lines += _folded("What could not be examined", [f"- {prose(text)}" for text in gaps(diagnosis)])
    lines += _folded("Environment", _table(("", ""), environment(diagnosis)))
    lines += _folded("All facts", _table(("fact", "value"), _facts(diagnosis, specs)))
    rules = diagnosis.rules
    lines.append(prose(f"{tally(diagnosis)} gpudoctor {VERSION}, {rules.count} rules {rules.digest[:12]}."))
    return "\n".join(lines).rstrip("\n") + "\n"


def prose(text: str) -> str:
    """Text for the middle of a line: nothing in it is markup, and nobody is mentioned."""
    return _MENTION.sub("@\u200b", _MARKUP.sub(r"\\\1", one_line(text)))


def code(text: str, in_table: bool = False) -> str:
    """A code span that holds the text whatever backticks are in it; in a table also whatever pipes."""
    inner = one_line(text)
    if not inner:
        return ""
    fence = "`" * (_longest_run(inner) + 1)
    space = " " if inner.startswith("`") or inner.endswith("`") else ""
    if in_table:
        inner = inner.replace("|", "\\|")
    return f"{fence}{space}{inner}{space}{fence}"


def block(text: str, language: str = "text") -> list[str]:
    """A fenced block that holds the text whatever fences are in it."""
    inner = visible(text).strip("\n")
    fence = "`" * max(3, _longest_run(inner) + 1)
    return [f"{fence}{language}", *inner.split("\n"), fence]


def _finding(finding: Finding) -> list[str]:
    subject = "" if finding.subject == MACHINE else f" ({finding.subject})"
    lines = [
        f"**{_WORDS[finding.severity]}: {prose((finding.title or finding.cause) + subject)}** {code(finding.cause)}"
    ]
    lines.append("")
    if finding.message:
        lines += [prose(finding.message), ""]
    lines += _evidence(finding.evidence)
    lines += _remedies(finding.remedies)
    for reference in finding.references:
        lines += [f"See <{_url(reference.url)}>", ""]
    return lines


def _evidence(items: Sequence[Evidence]) -> list[str]:
    if not items:
        return []
    quoted = []
    for item in items:
        place = f"{item.source}:{item.line}" if item.line else item.source
        quoted.append(f"{one_line(place)}: {shortened(item.text.strip(), MAXIMUM_QUOTE)}")
    return [*block("\n".join(quoted)), ""]


def _remedies(remedies: Sequence[Remedy]) -> list[str]:
    lines: list[str] = []
    for remedy in remedies:
        lines += [f"{prose(WHO[remedy.who])}: {prose(remedy.text)}", ""]
        if remedy.command:
            lines += [*block(remedy.command, "sh"), ""]
    checks = list(dict.fromkeys(remedy.verify for remedy in remedies if remedy.verify))
    for check in checks:
        lines += ["To see that it worked:", "", *block(check, "sh"), ""]
    return lines


def _facts(diagnosis: Diagnosis, specs: Mapping[str, FactSpec]) -> list[tuple[str, str]]:
    rows = []
    for key in sorted(diagnosis.facts):
        spec = specs.get(key)
        unit = f" {spec.unit}" if spec is not None and spec.unit else ""
        rows.append((key, fact_text(diagnosis.facts[key], unit)))
    return rows


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |"]
    lines += [f"| {prose(label)} | {code(shortened(one_line(text), MAXIMUM_CELL), True)} |" for label, text in rows]
    return lines


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _url(text: str) -> str:
    return re.sub(r"[<>\s]", lambda match: f"%{ord(match[0]):02X}", one_line(text))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
