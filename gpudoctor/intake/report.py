"""An earlier report of ours as evidence: what it found and the facts that it read."""

from __future__ import annotations

from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import BORROWED, typed
from gpudoctor.intake.crash_facts import FACTS as CRASH_FACTS
from gpudoctor.intake.partial_json import parse
from gpudoctor.intake.plain_tree import Plain, flag, integer, member, text
from gpudoctor.intake.run_record import SPOKEN
from gpudoctor.model.fact import Fact

KIND = "report"
FACTS = ()
# Whether each is a list; a report's own causes are made here and not taken over.
_TAKEN = {
    **{key: kind.is_list for key, kind in BORROWED.items()},
    **{spec.key: spec.type.is_list for spec in CRASH_FACTS if spec.key != "crash.report_causes"},
    "run.signals": True,
}


def recognises(beginning: str, name: str) -> float:
    """Our own name and a schema version."""
    part = beginning[:4096]
    return 0.97 if '"schema_version"' in part and '"gpudoctor"' in part else 0.0


def read(document: str) -> Reading:
    """Its failed findings as messages, and those of its facts that documents may state."""
    value, whole = parse(document)
    causes: list[str] = []
    messages: list[str] = []
    for finding in _entries(value, "findings"):
        if text(member(finding, "kind")) == "fail":
            causes.append(text(member(finding, "cause")))
            messages.append(text(member(finding, "message")))
            messages += [text(member(quote, "text")) for quote in _entries(finding, "evidence")]
    for explanation in _entries(value, "explanations"):
        if text(member(explanation, "likelihood")) in ("confirmed", "likely"):
            causes.append(text(member(explanation, "cause")))
            messages += [text(member(quote, "text")) for quote in _entries(explanation, "evidence")]
    for whole_answer in _entries(value, "explanations"):
        for explanation in _entries(whole_answer, "explanations"):
            if text(member(explanation, "likelihood")) in ("confirmed", "likely"):
                causes.append(text(member(explanation, "cause")))
                messages += [text(member(quote, "text")) for quote in _entries(explanation, "evidence")]
    messages += _spoken(member(value, "facts"))
    facts = list(_facts(member(value, "facts")))
    known = tuple(dict.fromkeys(cause for cause in causes if cause))
    if known:
        facts.append(Fact("crash.report_causes", known))
    notes = () if whole else ("it is not whole JSON; it was read as far as it goes",)
    # Read as a log, it would speak of everything that it names: the titles of checks that passed, of other causes.
    return Reading(tuple(facts), tuple(message for message in messages if message), notes, replaces_lines=True)


def _entries(value: Plain, key: str) -> list[Plain]:
    found = member(value, key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _spoken(facts: Plain) -> list[str]:
    """The lines that a run wrote, and that the kernel and the driver wrote of it."""
    lines: list[str] = []
    for key in SPOKEN:
        held = facts.get(key) if isinstance(facts, dict) else None
        value = held.get("value") if isinstance(held, dict) else None
        lines += [line for line in value if isinstance(line, str)] if isinstance(value, list) else []
    return lines


def _facts(facts: Plain) -> Iterator[Fact]:
    for key, is_list in _TAKEN.items():
        held = facts.get(key) if isinstance(facts, dict) else None
        value = held.get("value") if isinstance(held, dict) else None
        if isinstance(value, list):
            names = tuple(item for item in value if isinstance(item, str))
            if names and is_list:
                yield Fact(key, names)
        elif value is not None and not isinstance(value, dict):
            told = integer(value) if flag(value) is None else flag(value)
            yield from typed(key, str(value if told is None else told))
