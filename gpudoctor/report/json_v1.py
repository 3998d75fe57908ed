"""Schema 1 of the JSON documents: our types converted field by field, so that renaming ours cannot change theirs.

The text is pure ASCII, so that no locale and no pipe can spoil it: other characters are written as JSON escapes, and
what is not a character at all (bytes that were no UTF-8, lone surrogates) as a visible backslash escape. Not-a-number
and infinity, which JSON cannot hold, become unknowns.
"""

from __future__ import annotations

import json
import math
import re

from gpudoctor._version import VERSION
from gpudoctor.model.cause import Reference, Remedy
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.explanation import Explained, Explanation, RuledOut
from gpudoctor.model.fact import Element, Facts, Reason, Scalar, Unknown, Value
from gpudoctor.model.finding import ChainAnswer, Finding, Kind
from gpudoctor.model.rule import Severity
from gpudoctor.model.run import Run
from gpudoctor.model.version import Version
from gpudoctor.report.wire import (
    SCHEMA_VERSION,
    WireChain,
    WireCounts,
    WireElement,
    WireEvidence,
    WireExit,
    WireExplainDocument,
    WireExplained,
    WireExplanation,
    WireFact,
    WireFinding,
    WireReference,
    WireRemedy,
    WireReport,
    WireRuledOut,
    WireRun,
    WireScalar,
    WireUnknown,
)

_SURROGATE = re.compile("[\ud800-\udfff]")


def diagnosis_text(diagnosis: Diagnosis, exit_code: int) -> str:
    """The report of `check --json`; `exit_code` is what the process will end with."""
    return _dump(report_v1(diagnosis, exit_code))


def explained_text(explained: Explained) -> str:
    """The document of `explain-exit --json` and `explain-log --json`."""
    return _dump(explanation_v1(explained))


def report_v1(diagnosis: Diagnosis, exit_code: int) -> WireReport:
    """The report as plain lists and dicts. Findings keep the order of the judgement; facts stand sorted by key."""
    rules, target = diagnosis.rules, diagnosis.target
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "gpudoctor",
            "version": VERSION,
            "rules": {
                "digest": _text(rules.digest),
                "count": rules.count,
                "newest_source": _text(rules.newest_source),
            },
        },
        "target": {
            "kind": _text(target.kind),
            "interpreter": _text(target.interpreter),
            "reason": _text(target.reason),
        },
        "summary": {
            "verdict": diagnosis.health.value,
            "primary": _text(diagnosis.primary),
            "exit_code": int(exit_code),
            "counts": counts(diagnosis.findings),
        },
        "findings": [finding_v1(finding) for finding in diagnosis.findings],
        "chains": [_chain(chain) for chain in diagnosis.chains],
        "explanations": [_explained(explained) for explained in diagnosis.explanations],
        "facts": facts_v1(diagnosis.facts),
        "runs": [_run(run) for run in diagnosis.runs],
    }


def explanation_v1(explained: Explained) -> WireExplainDocument:
    """The whole answer to one exit as plain lists and dicts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "gpudoctor", "version": VERSION},
        **_explained(explained),
    }


def facts_v1(facts: Facts) -> dict[str, WireFact]:
    """The facts by key, sorted."""
    return {_text(key): fact_v1(facts[key]) for key in sorted(facts)}


def fact_v1(value: Value | Unknown) -> WireFact:
    """One fact: `{"value": ...}`, or `{"unknown": reason, "detail": ...}`."""
    if isinstance(value, Unknown):
        return _unknown(value)
    if isinstance(value, tuple):
        return {"value": [_element(element) for element in value]}
    scalar = _scalar(value)
    return scalar if isinstance(scalar, dict) else {"value": scalar}


def counts(findings: tuple[Finding, ...]) -> WireCounts:
    """How many findings failed by severity, and how many ended otherwise."""

    def failed(severity: Severity) -> int:
        return sum(item.kind is Kind.FAIL and item.severity is severity for item in findings)

    def ended(kind: Kind) -> int:
        return sum(item.kind is kind for item in findings)

    return {
        "error": failed(Severity.ERROR),
        "warning": failed(Severity.WARNING),
        "note": failed(Severity.NOTE),
        "pass": ended(Kind.PASS),
        "unknown": ended(Kind.UNKNOWN),
        "not_applicable": ended(Kind.NOT_APPLICABLE),
    }


def _element(element: Element) -> WireElement:
    return _unknown(element) if isinstance(element, Unknown) else _scalar(element)


def _scalar(value: Scalar) -> WireScalar | WireUnknown:
    if isinstance(value, Version):
        return _text(value.text)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return _unknown(Unknown(Reason.UNPARSEABLE, f"the value read was {value}"))
    return value


def _unknown(unknown: Unknown) -> WireUnknown:
    return {"unknown": unknown.reason.value, "detail": _text(unknown.detail)}


def finding_v1(finding: Finding) -> WireFinding:
    """One finding."""
    return {
        "check": _text(finding.check),
        "cause": _text(finding.cause),
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "title": _text(finding.title),
        "subject": _text(finding.subject),
        "message": _text(finding.message),
        "evidence": _evidence(finding.evidence),
        "blocked_by": [_text(key) for key in finding.blocked_by],
        "explained_by": _text(finding.explained_by),
        "remedies": _remedies(finding.remedies),
        "references": _references(finding.references),
    }


def _chain(chain: ChainAnswer) -> WireChain:
    return {
        "id": _text(chain.id),
        "question": _text(chain.question),
        "broken_at": _text(chain.broken_at),
        "links": [{"check": _text(check), "kind": kind.value} for check, kind in chain.links],
    }


def _explained(explained: Explained) -> WireExplained:
    return {
        "exit": _exit(explained),
        "verdict": explained.verdict.value,
        "explanations": [_explanation(item) for item in explained.explanations],
        "ruled_out": [_ruled_out(item) for item in explained.ruled_out],
        "unused": [_text(line) for line in explained.unused],
        "looked_at": [_text(line) for line in explained.looked_at],
        "bring": [_text(line) for line in explained.bring],
    }


def _exit(explained: Explained) -> WireExit:
    status, meaning = explained.status, explained.meaning
    wire: WireExit = {
        "given": _text(status.given) if status else "",
        "signal": _text(status.signal) if status else "",
        "signal_is_certain": bool(status and status.signal_is_certain),
        "reason": _text(status.reason) if status else "",
        "context": _text(status.context) if status else "",
        "title": _text(meaning.title) if meaning else "",
        "meaning": _text(meaning.meaning) if meaning else "",
    }
    if status is not None and status.code is not None:
        wire["code"] = status.code
    return wire


def _explanation(item: Explanation) -> WireExplanation:
    return {
        "cause": _text(item.cause),
        "title": _text(item.title),
        "likelihood": item.likelihood.value,
        "score": round(float(item.score), 4) if math.isfinite(item.score) else 0.0,
        "summary": _text(item.summary),
        "looks_like": _text(item.looks_like),
        "decide": _text(item.decide),
        "command": _text(item.command),
        "evidence": _evidence(item.evidence),
        "remedies": _remedies(item.remedies),
        "references": _references(item.references),
    }


def _ruled_out(item: RuledOut) -> WireRuledOut:
    return {
        "cause": _text(item.cause),
        "title": _text(item.title),
        "reason": _text(item.reason),
        "evidence": _evidence(item.evidence),
    }


def _run(run: Run) -> WireRun:
    wire: WireRun = {
        "name": _text(run.name),
        "outcome": _text(run.outcome),
        "seconds": round(float(run.seconds), 3) if math.isfinite(run.seconds) else 0.0,
        "signal": _text(run.signal),
        "detail": _text(run.detail),
        "stderr_tail": _text(run.stderr_tail),
    }
    if run.exit_code is not None:
        wire["exit_code"] = run.exit_code
    return wire


def _evidence(items: tuple[Evidence, ...]) -> list[WireEvidence]:
    return [{"source": _text(item.source), "line": item.line, "text": _text(item.text)} for item in items]


def _remedies(items: tuple[Remedy, ...]) -> list[WireRemedy]:
    return [
        {
            "who": item.who.value,
            "text": _text(item.text),
            "command": _text(item.command),
            "verify": _text(item.verify),
        }
        for item in items
    ]


def _references(items: tuple[Reference, ...]) -> list[WireReference]:
    return [{"url": _text(item.url), "accessed": _text(item.accessed), "title": _text(item.title)} for item in items]


def _text(text: str) -> str:
    return _SURROGATE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    number = ord(match[0])
    # Python smuggles undecodable bytes through text as U+DC80..U+DCFF; the byte is what a reader wants to see.
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def _dump(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
