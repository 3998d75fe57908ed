"""What differs between two machines, the likeliest reason for different behaviour first.

How much a kind of difference tells stands in the table `diff_weights`. What differs anyway between any two moments,
temperatures and free memory, weighs nothing and is left out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.comparison import Comparison, Difference
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.fact import Facts, Reason, Unknown, Value
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.record import record
from gpudoctor.model.rule import Severity

LIKELY = 60
POSSIBLE = 20
# What nobody weighed can still matter; it is folded away.
UNLISTED = 10
_DECIDED = (Reason.NOT_INSTALLED, Reason.NOT_APPLICABLE)


@record
class _Weight:
    pattern: str
    weight: int
    why: str


def compare(left_name: str, left: Diagnosis, right_name: str, right: Diagnosis, tables: Tables) -> Comparison:
    """Set two diagnoses side by side. RulesError where the table of weights cannot be read."""
    weights = _weights(tables)
    found = []
    same = 0
    for key in sorted({*left.facts, *right.facts}):
        difference = _difference(key, left.facts, right.facts, weights)
        if difference is None:
            same += left.facts.known(key) is not None
        elif difference.weight > 0:
            found.append(difference)
    found.sort(key=lambda one: (one.is_one_sided, -one.weight, one.key))
    return Comparison(
        left=left_name,
        right=right_name,
        only_left=_only(left.findings, right.findings),
        only_right=_only(right.findings, left.findings),
        differences=tuple(found),
        same_count=same,
    )


def _weights(tables: Tables) -> list[_Weight]:
    return [_Weight(str(row["facts"]), _whole(row["weight"]), str(row["why"])) for row in tables["diff_weights"].rows]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else UNLISTED


def _difference(key: str, left: Facts, right: Facts, weights: Sequence[_Weight]) -> Difference | None:
    one, other = left[key], right[key]
    if _alike(one, other):
        return None
    row = next((row for row in weights if fnmatch.fnmatchcase(key, row.pattern)), None)
    weight, why = (row.weight, row.why) if row else (UNLISTED, "")
    return Difference(key, one, other, weight, why, _is_open(one) or _is_open(other))


def _alike(one: Value | Unknown, other: Value | Unknown) -> bool:
    """Whether two values are the same; two unknowns tell of no difference. Versions are compared as written, since
    the same release built for another CUDA is another program."""
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return isinstance(one, Unknown) and isinstance(other, Unknown)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other))
    return str(one) == str(other)


def _is_open(value: Value | Unknown) -> bool:
    """Whether this side does not tell; that something is not installed or not set is telling."""
    return isinstance(value, Unknown) and value.reason not in _DECIDED


def _only(ours: Sequence[Finding], theirs: Sequence[Finding]) -> tuple[Finding, ...]:
    known = {one.cause for one in theirs if one.kind is Kind.FAIL}
    failed = [one for one in ours if one.kind is Kind.FAIL and one.severity is not Severity.NOTE]
    return tuple({one.cause: one for one in reversed(failed) if one.cause not in known}.values())[::-1]
