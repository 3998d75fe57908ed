"""The good end: what a job got over is no failure, and what came later, elsewhere or with a bad status is one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gpudoctor.knowledge.good_end import good_end
from gpudoctor.knowledge.match import UNKNOWN_LINE, Match
from gpudoctor.knowledge.rank import Stated
from gpudoctor.model.document import Line
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.signature import Pattern, Role, Signature


def spoke(role: Role, line: int, document: str = "job.log", last: int = 0, direct: bool = False) -> Match:
    """A match of a signature of its own."""
    signature = Signature(f"{role.value}-{line}", "a.cause", role, 0.5, (Pattern("x", ("x",)),), direct=direct)
    return Match(signature, document, "log", Line(line, "text"), position=(0, line), last=last or line)


def stated(line: int) -> Stated:
    """An exit of -9 that a line states."""
    return Stated(ExitStatus.parse("-9"), None, spoke(Role.STATUS, line))


@pytest.mark.parametrize(
    ("matches", "is_good"),
    [
        ([spoke(Role.ROOT, 3), spoke(Role.SUCCESS, 9)], True),
        ([spoke(Role.SUCCESS, 9)], True),
        ([spoke(Role.ROOT, 3)], False),
        ([spoke(Role.ROOT, 12), spoke(Role.SUCCESS, 9)], False),
        ([spoke(Role.SYMPTOM, 12), spoke(Role.SUCCESS, 9)], False),
        ([spoke(Role.NOISE, 12), spoke(Role.SUCCESS, 9)], True),
        ([spoke(Role.ROOT, 3, last=12), spoke(Role.SUCCESS, 9)], False),
        ([spoke(Role.ROOT, 3, last=UNKNOWN_LINE), spoke(Role.SUCCESS, 9)], False),
        ([spoke(Role.ROOT, 3), spoke(Role.SUCCESS, 2, last=UNKNOWN_LINE)], False),
        ([spoke(Role.ROOT, 3, "other.log"), spoke(Role.SUCCESS, 9)], False),
        ([spoke(Role.ROOT, 12), spoke(Role.SUCCESS, 9), spoke(Role.SUCCESS, 20)], True),
    ],
)
def test_the_last_word_counts(matches: Sequence[Match], is_good: bool) -> None:
    assert bool(good_end(matches, ())) is is_good


def test_one_process_of_several_that_ended_well_is_no_good_end_but_a_suite_that_passed_is() -> None:
    assert not good_end([spoke(Role.SUCCESS, 9)], [stated(3)])
    assert good_end([spoke(Role.SUCCESS, 9, direct=True)], [stated(3)])
    assert not good_end([spoke(Role.SUCCESS, 9, direct=True)], [stated(12)])
