"""What several documents of one job state together: what tells more outweighs what merely says less."""

from __future__ import annotations

import itertools

import pytest

from gpudoctor.intake import slurm
from gpudoctor.intake.merge import facts_of
from gpudoctor.model.document import Document

CRASHED_STEP = """\
JobID           State ExitCode DerivedExitCode
------- ------------- -------- ---------------
7           COMPLETED      0:0            0:11
7.batch     COMPLETED      0:0
7.0         CANCELLED     0:11
"""
HIDDEN_MEMORY = """\
JobID           State ExitCode DerivedExitCode
------- ------------- -------- ---------------
8           COMPLETED      0:0           0:125
8.0     OUT_OF_MEMORY    0:125
"""
CANCELLED = """\
JobID           State ExitCode
------- ------------- --------
9      CANCELLED by 0      0:0
9.batch     CANCELLED     0:15
"""
WENT_WELL = "JobId=7 JobName=train\n   JobState=COMPLETED Reason=None\n   ExitCode=0:0\n"


def document(text: str, name: str) -> Document:
    return Document(name, slurm.KIND, facts=slurm.read(text).facts)


@pytest.mark.parametrize(
    ("accounting", "state", "pair"),
    [(CRASHED_STEP, "FAILED", "0:11"), (HIDDEN_MEMORY, "OUT_OF_MEMORY", "0:125"), (CANCELLED, "CANCELLED", "0:15")],
)
def test_the_accounting_outweighs_a_controller_that_saw_no_failure(accounting: str, state: str, pair: str) -> None:
    documents = [document(accounting, "sacct"), document(WENT_WELL, "scontrol")]
    for order in itertools.permutations(documents):
        facts = facts_of(order)
        assert facts["crash.slurm_state"] == state
        assert facts["crash.slurm_exit"] == pair


def test_a_step_that_crashed_was_not_cancelled() -> None:
    states = [fact.value for fact in slurm.read(CRASHED_STEP).facts if fact.key == "crash.slurm_state"]
    assert states == ["FAILED"]
