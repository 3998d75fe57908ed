"""Evaluates conditions over facts in three-valued logic, and tells which facts decided and which were missing."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from gpudoctor.model.fact import Unknown, Value
from gpudoctor.model.record import record
from gpudoctor.model.rule import AllOf, AnyOf, Condition, Operator, Question
from gpudoctor.model.truth import Truth, all_of, any_of
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any, Protocol

    from typing_extensions import TypeAlias
else:
    Protocol = object


Known: TypeAlias = "Any"  # a known value; the loader has made sure that the operator fits its type
_LONGEST_TEXT = 20_000


class View(Protocol):
    """Facts as one subject sees them: the machine, or one of its GPUs."""

    def __getitem__(self, key: str) -> Value | Unknown: ...


@record
class Outcome:
    """A truth value with its grounds: the questions that decided it, and the facts whose absence blocked it."""

    truth: Truth
    decided_by: tuple[Question, ...] = ()
    blocked_by: tuple[str, ...] = ()


def weigh(condition: Condition, view: View) -> Outcome:
    """The value of a condition and what it rests on."""
    if isinstance(condition, Question):
        return _weigh_question(condition, view)
    if isinstance(condition, (AllOf, AnyOf)):
        parts = [weigh(part, view) for part in condition.parts]
        if len(parts) == 1:
            return parts[0]
        combine = all_of if isinstance(condition, AllOf) else any_of
        truth = combine([part.truth for part in parts])
        decided_by: list[Question] = []
        blocked_by: dict[str, None] = {}
        for part in parts:
            if part.truth is truth:
                decided_by += part.decided_by
                blocked_by.update(dict.fromkeys(part.blocked_by))
        return Outcome(truth, tuple(decided_by), tuple(blocked_by))
    inner = weigh(condition.part, view)
    return Outcome(inner.truth.negated(), inner.decided_by, inner.blocked_by)


def truth_of(condition: Condition, view: View) -> Truth:
    """Only the value, for those who need no grounds."""
    return weigh(condition, view).truth


def _weigh_question(question: Question, view: View) -> Outcome:
    truth = ask(question, view)
    if truth is not Truth.UNKNOWN:
        return Outcome(truth, decided_by=(question,))
    missing = {key: None for key in (question.fact, question.value_of) if key and _has_gap(view[key])}
    return Outcome(truth, blocked_by=tuple(missing))


def _has_gap(value: Value | Unknown) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(item, Unknown) for item in value)
    return isinstance(value, Unknown)


def ask(question: Question, view: View) -> Truth:
    """One question. An unknown fact leaves it open, except where the question is about the not-knowing itself."""
    fact = view[question.fact]
    op = question.op
    if op is Operator.KNOWN:
        return Truth.of(not isinstance(fact, Unknown))
    if op is Operator.UNKNOWN_BECAUSE:
        reasons = question.value if isinstance(question.value, tuple) else ()
        return Truth.of(isinstance(fact, Unknown) and fact.reason in reasons)
    other: Any = view[question.value_of] if question.value_of else question.value
    if isinstance(fact, Unknown) or isinstance(other, Unknown):
        return Truth.UNKNOWN
    if isinstance(fact, Version) and op is not Operator.MATCHES:
        other = _as_version(other)
    return _ANSWERS[op](fact, other)


def _as_version(other: Known) -> Known:
    """Where no fact declarations were at hand, the loader left versions as the text they were written in."""
    if isinstance(other, tuple):
        return tuple(_as_version(item) for item in other)
    return Version.parse(other) if isinstance(other, str) else other


def _decided(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Truth]:
    return lambda fact, other: Truth.of(compare(fact, other))


def _is_in(fact: Known, others: tuple[Any, ...]) -> Truth:
    """`fact` is one of `others`; a list fact on the right may have gaps."""
    return any_of(Truth.UNKNOWN if isinstance(item, Unknown) else Truth.of(item == fact) for item in others)


def _contains(fact: Known, other: Known) -> Truth:
    if isinstance(fact, str):
        return Truth.of(other in fact)
    return _is_in(other, fact)


def _matches(fact: Known, pattern: str) -> Truth:
    return Truth.of(compiled(pattern).search(str(fact)[:_LONGEST_TEXT]) is not None)


def _any_matches(fact: Known, pattern: str) -> Truth:
    return any_of(Truth.UNKNOWN if isinstance(item, Unknown) else _matches(item, pattern) for item in fact)


def _count_distinct(fact: Known, wanted: int) -> Truth:
    """At least `wanted` different elements; each gap could be one more."""
    distinct = len({item for item in fact if not isinstance(item, Unknown)})
    gaps = sum(isinstance(item, Unknown) for item in fact)
    if distinct >= wanted:
        return Truth.TRUE
    return Truth.UNKNOWN if distinct + gaps >= wanted else Truth.FALSE


_ANSWERS: dict[Operator, Callable[[Any, Any], Truth]] = {
    Operator.EQ: _decided(lambda fact, other: bool(fact == other)),
    Operator.NE: _decided(lambda fact, other: bool(fact != other)),
    Operator.LT: _decided(lambda fact, other: bool(fact < other)),
    Operator.LE: _decided(lambda fact, other: bool(fact <= other)),
    Operator.GT: _decided(lambda fact, other: bool(fact > other)),
    Operator.GE: _decided(lambda fact, other: bool(fact >= other)),
    Operator.IN: _is_in,
    Operator.CONTAINS: _contains,
    Operator.MATCHES: _matches,
    Operator.ANY_MATCHES: _any_matches,
    Operator.LEN_EQ: _decided(lambda fact, other: len(fact) == other),
    Operator.LEN_GE: _decided(lambda fact, other: len(fact) >= other),
    Operator.COUNT_DISTINCT: _count_distinct,
}


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A condition's pattern; the loader has tried it before."""
    return re.compile(pattern)
