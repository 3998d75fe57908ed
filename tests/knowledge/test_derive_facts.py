"""Derive modules run in the order of their inputs; a broken one costs only its own facts."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.derive_facts import derivation, derive_all, derive_modules, derived_specs, in_order
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.errors import RulesError
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from mini_rules import facts

NO_TABLES = Tables.of()


def module(name: str, yields: tuple[str, ...], reads: tuple[str, ...], derive) -> ModuleType:
    made = ModuleType(f"derive.{name}")
    made.FACTS = tuple(FactSpec(key, FactType.INTEGER, key) for key in yields)
    made.INPUTS = reads
    made.derive = derive
    return made


def adder(name: str, yields: str, *reads: str) -> ModuleType:
    return module(name, (yields,), reads, lambda f, t: [Fact(yields, 1 + sum(f.number(key) or 0 for key in reads))])


def test_inputs_come_first() -> None:
    modules = [adder("a", "n.three", "n.two"), adder("b", "n.two", "n.one"), adder("c", "n.one", "n.zero")]
    found = derivation(facts(n__zero=5), NO_TABLES, modules)
    assert found.facts["n.three"] == 8
    assert not found.bugs


@given(st.integers(0, 10_000))
def test_the_order_on_disk_does_not_matter(seed: int) -> None:
    modules = [adder(name, f"n.{name}", *(f"n.{other}" for other in "abcdef" if other < name)) for name in "abcdef"]
    random.Random(seed).shuffle(modules)
    assert [one.__name__ for one in in_order(modules)] == [f"derive.{name}" for name in "abcdef"]


def test_what_was_observed_wins_even_when_it_is_unknown() -> None:
    modules = [adder("a", "n.one"), adder("b", "n.two", "n.one")]
    assert derivation(facts(n__one=40), NO_TABLES, modules).facts["n.two"] == 41
    lacking = Unknown(Reason.CRASHED, "x")
    assert derivation(facts(n__one=lacking), NO_TABLES, modules).facts["n.one"] == lacking


def broken(f: Facts, t: Tables):
    yield Fact("n.one", 1)
    raise RuntimeError("oops")


def test_a_module_that_raises_costs_only_its_own_facts_and_is_reported() -> None:
    found = derivation(Facts(), NO_TABLES, [module("a", ("n.one",), (), broken), adder("b", "n.two", "n.one")])
    assert found.facts["n.one"] == Unknown(Reason.CRASHED, "deriving a broke: RuntimeError: oops")
    assert found.facts["n.two"] == 1
    assert found.bugs == ("deriving a broke: RuntimeError: oops",)


@pytest.mark.parametrize("found", [[Fact("n.alien", 1)], [Fact("n.one", 1), Fact("n.one", 2)]])
def test_a_fact_that_is_not_declared_or_given_twice_is_a_bug(found: list[Fact]) -> None:
    derived = derivation(Facts(), NO_TABLES, [module("a", ("n.one",), (), lambda f, t: found)])
    assert derived.bugs
    assert not derived.facts.flag("n.one")
    assert "n.alien" not in derived.facts


def test_a_fact_that_is_not_yielded_is_unknown() -> None:
    derived = derivation(Facts(), NO_TABLES, [module("a", ("n.one",), (), lambda f, t: [])])
    assert derived.facts["n.one"] == Unknown(Reason.NO_DATA, "a had nothing to say")
    assert not derived.bugs


def test_a_circle_is_our_bug() -> None:
    with pytest.raises(ValueError, match=r"wait for each other: derive\.a, derive\.b"):
        in_order([adder("a", "n.a", "n.b"), adder("b", "n.b", "n.a")])


def test_a_broken_table_is_not_hidden_as_an_unknown_fact() -> None:
    def reads_table(f: Facts, t: Tables):
        raise RulesError(["tables/x.toml: broken"])

    with pytest.raises(RulesError):
        derivation(Facts(), NO_TABLES, [module("a", ("n.one",), (), reads_table)])


def test_the_modules_that_are_shipped_know_nothing_of_nothing(repository) -> None:
    from gpudoctor.knowledge.catalogue import Catalogue
    from gpudoctor.knowledge.source import find_rules

    tables = Catalogue(find_rules()).tables
    assert derivation(Facts(), tables).bugs == ()
    assert set(derived_specs()) <= set(derive_all(Facts(), tables))
    assert in_order(derive_modules())
