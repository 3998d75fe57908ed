"""A diagnosis or an explanation rebuilt with every text that came from outside put through a function.

It names each field once, so that a redaction cannot forget one. Ids, keys, kinds and rule metadata are ours and stay.
"""

from __future__ import annotations

from collections.abc import Callable

from gpudoctor.model.cause import Remedy
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.explanation import Explained, Explanation, RuledOut
from gpudoctor.model.fact import Element, Fact, Facts, Unknown, Value
from gpudoctor.model.finding import Finding
from gpudoctor.model.record import replace
from gpudoctor.model.run import Run

# Asked with a text and the key of the fact that it belongs to, or an empty key.
Change = Callable[[str, str], str]


def map_diagnosis(diagnosis: Diagnosis, change: Change) -> Diagnosis:
    """All texts of a diagnosis, facts first and sorted by key, so that placeholders are numbered alike each time."""
    facts = map_facts(diagnosis.facts, change)
    target = diagnosis.target
    return replace(
        diagnosis,
        facts=facts,
        target=replace(target, interpreter=change(target.interpreter, ""), reason=change(target.reason, "")),
        findings=tuple(_finding(item, change) for item in diagnosis.findings),
        explanations=tuple(map_explained(item, change) for item in diagnosis.explanations),
        runs=tuple(_run(item, change) for item in diagnosis.runs),
    )


def map_explained(explained: Explained, change: Change) -> Explained:
    """All texts of an explanation but the exit's own."""
    return replace(
        explained,
        explanations=tuple(_explanation(item, change) for item in explained.explanations),
        ruled_out=tuple(_ruled_out(item, change) for item in explained.ruled_out),
        unused=tuple(change(text, "") for text in explained.unused),
        looked_at=tuple(change(text, "") for text in explained.looked_at),
        bring=tuple(change(text, "") for text in explained.bring),
    )


def map_facts(facts: Facts, change: Change) -> Facts:
    """All texts among the values of facts; versions, numbers and booleans stay."""
    return Facts(Fact(key, _value(facts[key], key, change)) for key in sorted(facts))


def _value(value: Value | Unknown, key: str, change: Change) -> Value | Unknown:
    if isinstance(value, tuple):
        return tuple(_element(element, key, change) for element in value)
    return _element(value, key, change)


def _element(value: Element, key: str, change: Change) -> Element:
    if isinstance(value, Unknown):
        return replace(value, detail=change(value.detail, ""))
    return change(value, key) if isinstance(value, str) else value


def _finding(item: Finding, change: Change) -> Finding:
    return replace(
        item,
        title=change(item.title, ""),
        message=change(item.message, ""),
        evidence=_evidence(item.evidence, change),
        remedies=_remedies(item.remedies, change),
    )


def _explanation(item: Explanation, change: Change) -> Explanation:
    return replace(
        item,
        title=change(item.title, ""),
        summary=change(item.summary, ""),
        looks_like=change(item.looks_like, ""),
        decide=change(item.decide, ""),
        command=change(item.command, ""),
        evidence=_evidence(item.evidence, change),
        remedies=_remedies(item.remedies, change),
    )


def _ruled_out(item: RuledOut, change: Change) -> RuledOut:
    return replace(
        item,
        title=change(item.title, ""),
        reason=change(item.reason, ""),
        evidence=_evidence(item.evidence, change),
    )


def _run(item: Run, change: Change) -> Run:
    return replace(item, detail=change(item.detail, ""), stderr_tail=change(item.stderr_tail, ""))


def _evidence(items: tuple[Evidence, ...], change: Change) -> tuple[Evidence, ...]:
    return tuple(replace(item, source=change(item.source, ""), text=change(item.text, item.source)) for item in items)


def _remedies(items: tuple[Remedy, ...], change: Change) -> tuple[Remedy, ...]:
    return tuple(
        replace(item, text=change(item.text, ""), command=change(item.command, ""), verify=change(item.verify, ""))
        for item in items
    )
