"""Facts written as plain values, derived and judged with the project's own rules and tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derivation
from gpudoctor.knowledge.evaluate import Judgement, judge
from gpudoctor.knowledge.source import find_rules
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Facts
from rule_cases import facts_of


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The rules of this checkout."""
    return Catalogue(find_rules(), known_specs())


def tables() -> Tables:
    """The tables of this checkout."""
    return catalogue().tables


def derived(plain: Mapping[str, Any]) -> Facts:
    """The given facts and all that follows from them; a derive module that breaks fails the test."""
    answer = derivation(facts_of(plain, known_specs()), tables())
    assert not answer.bugs, answer.bugs
    return answer.facts


def judged(plain: Mapping[str, Any]) -> Judgement:
    """What the project's checks say about a machine."""
    return judge(catalogue(), derived(plain))
