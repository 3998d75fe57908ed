"""One check over many machines: what it keeps of the last ones never shows in what it says of the next."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.knowledge.judge_rule import Check, Views, judge_rule
from gpudoctor.model.cause import Cause, Remedy
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Fact, Facts, Reason, Unknown, Value
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.rule import ALWAYS, AllOf, Confidence, Operator, Question, Rule, Severity
from gpudoctor.model.version import Version

CAUSE = Cause("a.cause", "A cause", "It is one.", ())
PER_DEVICE = ("gpu.names",)


def rule(*fails: Question, applies: AllOf = ALWAYS, for_each: str = "") -> Rule:
    return Rule(
        "a-check", CAUSE.id, Severity.ERROR, Confidence.HIGH, "stable", "0.1", applies, AllOf(fails), "", for_each
    )


def world(**values: object) -> Facts:
    return Facts(Fact(key.replace("__", "."), value) for key, value in values.items())  # type: ignore[arg-type]


def check_of(one: Rule) -> Check:
    return Check(one, CAUSE.title, lambda _: CAUSE)


def one_after_the_other(one: Rule, worlds: list[Facts]) -> list[list[Finding]]:
    check = check_of(one)
    return [check.findings(Views(facts, PER_DEVICE)) for facts in worlds]


def each_alone(one: Rule, worlds: list[Facts]) -> list[list[Finding]]:
    return [judge_rule(one, CAUSE, Views(facts, PER_DEVICE)) for facts in worlds]


LOOKALIKES: list[tuple[Value | Unknown, Value | Unknown]] = [
    (Version.parse("12.4"), Version.parse("12.4.0")),
    (1, 1.0),
    (1, True),
    ("1", 1),
    ("true", True),
    (("a, b",), ("a", "b")),
    ((1, 2), (1.0, 2)),
    ((Version.parse("9.0"),), (Version.parse("9"),)),
    (Unknown(Reason.NO_DATA, "x"), Unknown(Reason.CRASHED, "x")),
    (Unknown(Reason.NO_DATA, "x"), "unknown (no_data: x)"),
    ((Unknown(Reason.NO_DATA, ""),), (Unknown(Reason.CRASHED, ""),)),
]


@pytest.mark.parametrize(("one", "other"), LOOKALIKES)
@pytest.mark.parametrize(
    "asks", [Question("a.x", Operator.EQ, "9"), Question("a.x", Operator.UNKNOWN_BECAUSE, (Reason.CRASHED,))]
)
def test_what_looks_alike_is_not_taken_for_the_same(
    one: Value | Unknown, other: Value | Unknown, asks: Question
) -> None:
    asked = rule(asks)
    worlds = [world(a__x=value) for value in (one, other, one)]
    assert one_after_the_other(asked, worlds) == each_alone(asked, worlds)


def test_how_many_are_told_apart_where_their_texts_are_one() -> None:
    two = rule(Question("a.x", Operator.LEN_GE, 2))
    worlds = [world(a__x=("a, b",)), world(a__x=("a", "b"))]
    assert [found[0].kind for found in one_after_the_other(two, worlds)] == [Kind.PASS, Kind.FAIL]


def test_the_same_answers_give_the_same_finding() -> None:
    check = check_of(rule(Question("a.x", Operator.EQ, "bad")))
    first, second = (check.findings(Views(world(a__x="good", b__z=number), ()))[0] for number in (1, 2))
    assert first is second
    assert first.evidence == (Evidence("a.x", "good"),)


def test_a_failure_names_what_only_its_words_ask_for() -> None:
    failing = rule(Question("a.x", Operator.EQ, "bad"))
    cause = Cause("a.cause", "A cause", "It is one.", (Remedy("host", "Use {b.z}."),))  # type: ignore[arg-type]
    check = Check(failing, cause.title, lambda _: cause)
    said = [check.findings(Views(world(a__x="bad", b__z=text), ()))[0].remedies[0].text for text in ("this", "that")]
    assert said == ["Use this.", "Use that."]


def test_each_gpu_has_its_own() -> None:
    each = rule(Question("gpu.names", Operator.EQ, "bad"), for_each="gpu")
    worlds = [world(gpu__count=2, gpu__names=names) for names in (("good", "bad"), ("bad", "good"), ("good", "good"))]
    found = one_after_the_other(each, worlds)
    assert found == each_alone(each, worlds)
    assert [[one.kind for one in machine] for machine in found] == [
        [Kind.PASS, Kind.FAIL],
        [Kind.FAIL, Kind.PASS],
        [Kind.PASS, Kind.PASS],
    ]
    assert [one.subject for one in found[2]] == ["gpu:0", "gpu:1"]


values = st.one_of(
    st.sampled_from([True, False, 0, 1, 1.0, "1", "x", (), ("x",), ("x", "y"), ("x, y",)]),
    st.sampled_from([Version.parse("1"), Version.parse("1.0"), (Version.parse("1"),), (Version.parse("1.0"),)]),
    st.builds(Unknown, st.sampled_from(Reason), st.sampled_from(["", "x"])),
)
questions = st.builds(
    lambda key, op: Question(key, op, (Reason.NO_DATA,) if op is Operator.UNKNOWN_BECAUSE else "9"),
    st.sampled_from(["a.x", "a.y"]),
    st.sampled_from([Operator.KNOWN, Operator.UNKNOWN_BECAUSE, Operator.EQ, Operator.NE]),
)
machines = st.fixed_dictionaries({}, optional={"a__x": values, "a__y": values})


@settings(max_examples=200)
@given(st.lists(questions, max_size=2), st.lists(questions, min_size=1, max_size=2), st.lists(machines, max_size=6))
def test_many_machines_are_judged_as_each_alone(
    applies: list[Question], fails: list[Question], several: list[Mapping[str, object]]
) -> None:
    worlds = [world(**one) for one in several]
    one = rule(*fails, applies=AllOf(tuple(applies)))
    assert one_after_the_other(one, worlds) == each_alone(one, worlds)
