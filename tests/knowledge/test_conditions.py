"""Three-valued conditions: the logic of Kleene, each operator, and what decided or blocked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.conditions import truth_of, weigh
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.model.rule import AllOf, AnyOf, Condition, Not, Operator, Question
from gpudoctor.model.truth import Truth, all_of, any_of
from mini_rules import facts, version

LACKING = Unknown(Reason.PERMISSION_DENIED, "EACCES")
KEYS = ("a.x", "b.x", "c.x")
T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN

truths = st.sampled_from([T, F, U])
leaves = st.builds(lambda key: Question(key, Operator.EQ, True), st.sampled_from(KEYS))
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
worlds = st.fixed_dictionaries({key: st.sampled_from([True, False, LACKING]) for key in KEYS})


def world_of(values: dict[str, Any]) -> Facts:
    return facts(**{key.replace(".", "__"): value for key, value in values.items()})


@given(st.lists(truths))
def test_and_and_or_are_each_others_mirror(values: list[Truth]) -> None:
    assert all_of(values).negated() is any_of([value.negated() for value in values])


@given(st.lists(truths), st.randoms())
def test_order_does_not_matter(values: list[Truth], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert all_of(values) is all_of(shuffled)
    assert any_of(values) is any_of(shuffled)


@given(conditions, worlds)
def test_a_decided_condition_stays_decided_whatever_is_learned(condition: Condition, values: dict[str, Any]) -> None:
    truth = truth_of(condition, world_of(values))
    if truth is U:
        return
    for learned in (True, False):
        filled = {key: learned if isinstance(value, Unknown) else value for key, value in values.items()}
        assert truth_of(condition, world_of(filled)) is truth


@given(conditions, worlds)
def test_an_open_condition_names_only_unknown_facts_and_at_least_one(
    condition: Condition, values: dict[str, Any]
) -> None:
    outcome = weigh(condition, world_of(values))
    if outcome.truth is U:
        assert outcome.blocked_by
        assert all(isinstance(values[key], Unknown) for key in outcome.blocked_by)
    else:
        assert not outcome.blocked_by


@given(conditions, worlds)
def test_the_deciding_questions_alone_decide(condition: Condition, values: dict[str, Any]) -> None:
    outcome = weigh(condition, world_of(values))
    if outcome.truth is U:
        return
    deciding = {question.fact for question in outcome.decided_by}
    rest = {key: value if key in deciding else LACKING for key, value in values.items()}
    assert truth_of(condition, world_of(rest)) is outcome.truth


@pytest.mark.parametrize(
    ("fact", "op", "value", "answer"),
    [
        (version("12.10"), "gt", version("12.9"), T),
        (version("12.4"), "eq", version("12.4.0"), T),
        (version("535.104.05"), "le", version("535.54"), F),
        (version("12.4"), "in", (version("12.1"), version("12.4.0")), T),
        (version("2.7.0+cu128"), "matches", r"\+cu\d+$", T),
        (3, "ne", 3, F),
        (2.5, "lt", 3, T),
        ("abc", "contains", "bc", T),
        ("abc", "in", ("x", "y"), F),
        ("abc", "matches", "^b", F),
        (("a", "b"), "contains", "b", T),
        (("a", LACKING), "contains", "a", T),
        (("a", LACKING), "contains", "b", U),
        (("a", "b"), "contains", "c", F),
        (("sm_80", "sm_90"), "any_matches", "9", T),
        (("sm_80", LACKING), "any_matches", "9", U),
        ((), "any_matches", "9", F),
        (("a", "a"), "len_eq", 2, T),
        ((LACKING, LACKING), "len_ge", 2, T),
        (("a", "a"), "count_distinct", 2, F),
        (("a", "b"), "count_distinct", 2, T),
        (("a", LACKING), "count_distinct", 2, U),
        (("a", "a", LACKING), "count_distinct", 3, F),
        (LACKING, "eq", 1, U),
        (LACKING, "matches", "x", U),
        (LACKING, "known", None, F),
        (0, "known", None, T),
        (LACKING, "unknown_because", (Reason.CRASHED, Reason.PERMISSION_DENIED), T),
        (LACKING, "unknown_because", (Reason.CRASHED,), F),
        ("x", "unknown_because", (Reason.CRASHED,), F),
    ],
)
def test_operator(fact: Any, op: str, value: Any, answer: Truth) -> None:
    assert truth_of(Question("a.x", Operator(op), value), facts(a__x=fact)) is answer


def test_value_of_compares_with_another_fact() -> None:
    question = Question("a.x", Operator.LT, None, "b.x")
    assert truth_of(question, facts(a__x=version("470.1"), b__x=version("525"))) is T
    assert truth_of(question, facts(a__x=version("470.1"), b__x=LACKING)) is U
    outcome = weigh(question, facts(a__x=LACKING))
    assert outcome.blocked_by == ("a.x", "b.x")


def test_in_a_list_fact_with_a_gap_stays_open() -> None:
    question = Question("a.x", Operator.IN, None, "b.x")
    assert truth_of(question, facts(a__x="p", b__x=("q", LACKING))) is U
    assert weigh(question, facts(a__x="p", b__x=("q", LACKING))).blocked_by == ("b.x",)
    assert truth_of(question, facts(a__x="p", b__x=("p", LACKING))) is T


def test_a_fact_that_nobody_yielded_is_unknown() -> None:
    assert truth_of(Question("no.body", Operator.UNKNOWN_BECAUSE, (Reason.NO_DATA,)), Facts()) is T


def test_versions_left_as_text_are_still_compared_as_versions() -> None:
    assert truth_of(Question("a.x", Operator.LT, "12.10"), facts(a__x=version("12.9"))) is T
    assert truth_of(Question("a.x", Operator.IN, ("12.4.0", "13")), facts(a__x=version("12.4"))) is T
