"""Checks: typed conditions over facts, each one kind of evidence for a cause."""

from __future__ import annotations

import enum

from gpudoctor.model.cause import Reference
from gpudoctor.model.fact import Reason, Value
from gpudoctor.model.record import record

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing_extensions import TypeAlias


class Severity(str, enum.Enum):
    """What a failing check means for the workload.

    Error: it cannot run or may compute wrongly. Warning: it runs, but slower or unsupported. Note: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst, so that sorting puts errors first."""
        return ("error", "warning", "note").index(self.value)


class Confidence(str, enum.Enum):
    """How sure a failing check makes us of its cause."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Operator(str, enum.Enum):
    """What a question asks of a fact; one spelling each."""

    KNOWN = "known"
    UNKNOWN_BECAUSE = "unknown_because"
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    CONTAINS = "contains"
    MATCHES = "matches"
    ANY_MATCHES = "any_matches"
    LEN_EQ = "len_eq"
    LEN_GE = "len_ge"
    COUNT_DISTINCT = "count_distinct"


@record
class Question:
    """One question about one fact. The right-hand side is `value`, or the fact named by `value_of`."""

    fact: str
    op: Operator
    value: Value | tuple[Reason, ...] | None = None
    value_of: str = ""


@record
class AllOf:
    """True when every part is."""

    parts: tuple[Condition, ...]


@record
class AnyOf:
    """True when one part is."""

    parts: tuple[Condition, ...]


@record
class Not:
    """True when its part is false; unknown stays unknown."""

    part: Condition


Condition: TypeAlias = "Question | AllOf | AnyOf | Not"
ALWAYS = AllOf(())
DEVICE_INDEX = "gpu.index"  # what a check of each GPU may name beside the facts: which GPU it is


def questions_of(condition: Condition) -> tuple[Question, ...]:
    """All leaves of a condition, from left to right."""
    if isinstance(condition, Question):
        return (condition,)
    parts = condition.parts if isinstance(condition, (AllOf, AnyOf)) else (condition.part,)
    return tuple(question for part in parts for question in questions_of(part))


@record
class Rule:
    """A check. With `for_each` it is judged once for each GPU, over that GPU's element of the per-device facts."""

    id: str
    cause: str
    severity: Severity
    confidence: Confidence
    status: str
    since: str
    applies: Condition
    fails: Condition
    message: str
    for_each: str = ""
    area: str = ""
    references: tuple[Reference, ...] = ()


@record
class Chain:
    """An ordered list of checks that answers one question: the first broken link is the answer.

    `applies` says when the question arises at all; `question` is shown as a heading.
    """

    id: str
    question: str
    applies: Condition
    links: tuple[str, ...]
