"""Evaluates conditions over facts in three-valued logic, and tells which facts decided and which were missing."""

from __future__ import annotations

import functools
import operator
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
# The members by names of this module: through their class each look-up is a call, and there are thousands.
_TRUE, _FALSE, _UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


class View(Protocol):
    """Facts as one subject sees them: the machine, or one of its GPUs."""

    def __getitem__(self, key: str) -> Value | Unknown: ...


@record
class Outcome:
    """A truth value with its grounds: the questions that decided it, or the facts whose absence left it open."""

    truth: Truth
    decided_by: tuple[Question, ...] = ()
    blocked_by: tuple[str, ...] = ()

    def __init__(self, truth: Truth, decided_by: tuple[Question, ...] = (), blocked_by: tuple[str, ...] = ()) -> None:
        held = self.__dict__
        held["truth"] = truth
        held["decided_by"] = decided_by
        held["blocked_by"] = blocked_by


def weigh(condition: Condition, view: View) -> Outcome:
    """The value of a condition and what it rests on."""
    if isinstance(condition, Question):
        truth = ask(condition, view)
        if truth is _UNKNOWN:
            return Outcome(truth, (), _missing_for(condition, view))
        return Outcome(truth, (condition,))
    if isinstance(condition, (AllOf, AnyOf)):
        parts = [weigh(part, view) for part in condition.parts]
        combine = all_of if isinstance(condition, AllOf) else any_of
        truth = combine([part.truth for part in parts])
        deciding = [part for part in parts if part.truth is truth]
        if len(deciding) == 1:
            return deciding[0]
        decided_by = [question for part in deciding for question in part.decided_by]
        blocked_by = {key: None for part in deciding for key in part.blocked_by}
        return Outcome(truth, tuple(decided_by), tuple(blocked_by))
    inner = weigh(condition.part, view)
    return Outcome(inner.truth.negated(), inner.decided_by, inner.blocked_by)


def truth_of(condition: Condition, view: View) -> Truth:
    """Only the value, for those who need no grounds."""
    return weigh(condition, view).truth


def ask(question: Question, view: View) -> Truth:
    """One question. An unknown fact leaves it open, except where the question is about the not-knowing itself."""
    fact = view[question.fact]
    op = question.op
    answer_of = _ANSWERS.get(op)
    if answer_of is None:
        return _about_not_knowing(question, fact)
    other: Known = view[question.value_of] if question.value_of else question.value
    if isinstance(fact, Unknown) or isinstance(other, Unknown):
        return _UNKNOWN
    if isinstance(fact, Version) and not isinstance(other, Version) and op is not Operator.MATCHES:
        other = _as_version(other)
    answer = answer_of(fact, other)
    if answer is None:
        return _UNKNOWN
    return _TRUE if answer else _FALSE


def _about_not_knowing(question: Question, fact: Value | Unknown) -> Truth:
    if question.op is Operator.KNOWN:
        return Truth.of(not isinstance(fact, Unknown))
    reasons = question.value if isinstance(question.value, tuple) else ()
    return Truth.of(isinstance(fact, Unknown) and fact.reason in reasons)


def _missing_for(question: Question, view: View) -> tuple[str, ...]:
    """The facts whose absence leaves a question open."""
    return tuple([key for key in (question.fact, question.value_of) if key and _has_gap(view[key])])


def _has_gap(value: Value | Unknown) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(item, Unknown) for item in value)
    return isinstance(value, Unknown)


def _as_version(other: Known) -> Known:
    """Where no fact declarations were at hand, the loader left versions as the text they were written in."""
    if isinstance(other, tuple):
        return tuple(_as_version(item) for item in other)
    return Version.parse(other) if isinstance(other, str) else other


# The answers to questions about known facts. None: gaps in a list leave it open.


def _is_in(fact: Known, others: tuple[Any, ...]) -> bool | None:
    """`fact` is one of `others`; a list fact on the right may have gaps."""
    found: bool | None = False
    for item in others:
        if isinstance(item, Unknown):
            found = None
        elif item == fact:
            return True
    return found


def _contains(fact: Known, other: Known) -> bool | None:
    return other in fact if isinstance(fact, str) else _is_in(other, fact)


def _matches(fact: Known, pattern: str) -> bool:
    return compiled(pattern).search(str(fact)[:_LONGEST_TEXT]) is not None


def _any_matches(fact: Known, pattern: str) -> bool | None:
    if any(_matches(item, pattern) for item in fact if not isinstance(item, Unknown)):
        return True
    return None if any(isinstance(item, Unknown) for item in fact) else False


def _len_eq(fact: Known, wanted: int) -> bool:
    return len(fact) == wanted


def _len_ge(fact: Known, wanted: int) -> bool:
    return len(fact) >= wanted


def _count_distinct(fact: Known, wanted: int) -> bool | None:
    """At least `wanted` different elements; each gap could be one more."""
    distinct = len({item for item in fact if not isinstance(item, Unknown)})
    gaps = sum(isinstance(item, Unknown) for item in fact)
    if distinct >= wanted:
        return True
    return None if distinct + gaps >= wanted else False


_ANSWERS: dict[Operator, Callable[[Any, Any], bool | None]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.IN: _is_in,
    Operator.CONTAINS: _contains,
    Operator.MATCHES: _matches,
    Operator.ANY_MATCHES: _any_matches,
    Operator.LEN_EQ: _len_eq,
    Operator.LEN_GE: _len_ge,
    Operator.COUNT_DISTINCT: _count_distinct,
}


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """A condition's pattern; the loader has tried it before."""
    return re.compile(pattern)
