"""Evaluates conditions over facts in three-valued logic, and tells which facts decided and which were missing.

A condition is prepared once, into functions that hold what they compare with and every answer they can give. One that
is asked of a thousand machines then costs a look-up and a comparison for each question, and equal answers are one
object, so that whoever works on with them can keep what follows from each.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Sequence

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


Weigher: TypeAlias = "Callable[[View], Outcome]"


def weigh(condition: Condition, view: View) -> Outcome:
    """The value of a condition and what it rests on."""
    return prepare(condition)(view)


def truth_of(condition: Condition, view: View) -> Truth:
    """Only the value, for those who need no grounds."""
    return prepare(condition)(view).truth


def prepare(condition: Condition) -> Weigher:
    """What weighs a condition. The same grounds give the same object each time."""
    if isinstance(condition, Question):
        return _of_question(condition)
    if isinstance(condition, (AllOf, AnyOf)):
        parts = [prepare(part) for part in condition.parts]
        if len(parts) == 1:
            return parts[0]
        return _of_parts(parts, all_of if isinstance(condition, AllOf) else any_of)
    return _of_not(prepare(condition.part))


def _of_parts(parts: Sequence[Weigher], combine: Callable[[Sequence[Truth]], Truth]) -> Weigher:
    """And, or. The outcomes of the parts are kept for good, so that those that decide can be told by their identity."""
    kept: dict[tuple[int, ...], Outcome] = {}

    def weigh_parts(view: View) -> Outcome:
        found = [part(view) for part in parts]
        truth = combine([outcome.truth for outcome in found])
        deciding = [outcome for outcome in found if outcome.truth is truth]
        if len(deciding) == 1:
            return deciding[0]
        which = tuple(map(id, deciding))
        answer = kept.get(which)
        if answer is None:
            answer = kept[which] = _joined(truth, deciding)
        return answer

    return weigh_parts


def _joined(truth: Truth, deciding: Sequence[Outcome]) -> Outcome:
    decided_by = [question for outcome in deciding for question in outcome.decided_by]
    blocked_by = {key: None for outcome in deciding for key in outcome.blocked_by}
    return Outcome(truth, tuple(decided_by), tuple(blocked_by))


def _of_not(part: Weigher) -> Weigher:
    """Not: an unknown stays unknown."""
    turned: dict[int, Outcome] = {}

    def weigh_not(view: View) -> Outcome:
        inner = part(view)
        answer = turned.get(id(inner))
        if answer is None:
            answer = turned[id(inner)] = Outcome(inner.truth.negated(), inner.decided_by, inner.blocked_by)
        return answer

    return weigh_not


def _of_question(question: Question) -> Weigher:
    """One question. An unknown fact leaves it open, except where the question is about the not-knowing itself."""
    if question.op in (Operator.KNOWN, Operator.UNKNOWN_BECAUSE):
        return _of_not_knowing(question)
    return _of_two_facts(question) if question.value_of else _of_value(question)


class _Answers(dict["bool | tuple[str, ...]", Outcome]):
    """The outcomes of one question by its answer, and by the facts that are missing for one; made when first given."""

    def __init__(self, question: Question) -> None:
        self._question = question

    def __missing__(self, answer: bool | tuple[str, ...]) -> Outcome:
        if isinstance(answer, tuple):
            outcome = Outcome(_UNKNOWN, (), answer)
        else:
            outcome = Outcome(_TRUE if answer else _FALSE, (self._question,))
        self[answer] = outcome
        return outcome


def _of_not_knowing(question: Question) -> Weigher:
    key, answers = question.fact, _Answers(question)
    if question.op is Operator.KNOWN:
        return lambda view: answers[not isinstance(view[key], Unknown)]
    reasons = question.value if isinstance(question.value, tuple) else ()

    def weigh_reason(view: View) -> Outcome:
        fact = view[key]
        return answers[isinstance(fact, Unknown) and fact.reason in reasons]

    return weigh_reason


def _of_value(question: Question) -> Weigher:
    key, wanted, answer_of = question.fact, question.value, _ANSWERS[question.op]
    answers, missing = _Answers(question), (question.fact,)
    # Where no fact declarations were at hand, the loader left versions as the text they were written in.
    may_be_version = question.op is not Operator.MATCHES and not isinstance(wanted, Version)

    def weigh_value(view: View) -> Outcome:
        fact = view[key]
        if isinstance(fact, Unknown):
            return answers[missing]
        other = _as_version(wanted) if may_be_version and isinstance(fact, Version) else wanted
        answer = answer_of(fact, other)
        return answers[missing if answer is None else answer]

    return weigh_value


def _of_two_facts(question: Question) -> Weigher:
    one, other, op = question.fact, question.value_of, question.op
    answers, answer_of = _Answers(question), _ANSWERS[op]

    def weigh_both(view: View) -> Outcome:
        left, right = view[one], view[other]
        answer = None
        if not isinstance(left, Unknown) and not isinstance(right, Unknown):
            may_be_version = op is not Operator.MATCHES and isinstance(left, Version)
            answer = answer_of(left, _as_version(right) if may_be_version else right)
        if answer is None:
            return answers[tuple(key for key in (one, other) if _has_gap(view[key]))]
        return answers[answer]

    return weigh_both


def _has_gap(value: Value | Unknown) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(item, Unknown) for item in value)
    return isinstance(value, Unknown)


def _as_version(other: Known) -> Known:
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
