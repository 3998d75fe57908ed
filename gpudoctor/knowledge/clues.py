"""Clues: signatures without a pattern, whose condition over facts speaks for or against a cause."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.conditions import weigh
from gpudoctor.knowledge.match import Match
from gpudoctor.model.document import Line
from gpudoctor.model.fact import Facts, Unknown
from gpudoctor.model.signature import Signature
from gpudoctor.model.truth import Truth

FACTS = "facts"


def clue_matches(signatures: Iterable[Signature], facts: Facts) -> list[Match]:
    """The fact-only signatures whose condition holds; each quotes the facts that decided it."""
    found = []
    for signature in signatures:
        if signature.patterns or signature.where is None:
            continue
        outcome = weigh(signature.where, facts)
        if outcome.truth is not Truth.TRUE:
            continue
        keys = dict.fromkeys(question.fact for question in outcome.decided_by)
        quoted = ", ".join(f"{key} = {_shown(facts, key)}" for key in keys if not isinstance(facts[key], Unknown))
        found.append(Match(signature, FACTS, FACTS, Line(0, quoted)))
    return found


def allowed_by_facts(signature: Signature, facts: Facts) -> bool:
    """Whether a signature's condition leaves room for it: only a condition that is false shuts it out."""
    return signature.where is None or weigh(signature.where, facts).truth is not Truth.FALSE


def _shown(facts: Facts, key: str) -> str:
    value = facts[key]
    if isinstance(value, tuple):
        return ", ".join("unknown" if isinstance(item, Unknown) else str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
