"""The declaration of probes: what is chosen, which children run it, and the one word that its end becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.errors import UsageError
from gpudoctor.model.fact import Reason, Unknown
from gpudoctor.probe import zygote
from gpudoctor.probe.matmul import FACTS, PROBE
from gpudoctor.probe.spec import LEVELS, OUTCOMES, all_probes, chosen, facts_of_probe, groups_for, outcome

PLAN = zygote.plan_for(30.0, True, groups_for([PROBE]))
IMPORTED = {"step": "torch_import", "outcome": "imported"}


def end_of(*lines: dict, end: End = End.EXITED) -> ChildEnd:
    return ChildEnd(end, lines=(IMPORTED, *({"step": "matmul", **line} for line in lines)))


def test_every_probe_has_its_script_and_a_level() -> None:
    for one in all_probes():
        assert (Path(zygote.SCRIPTS) / f"step_{one.name}.py").is_file()
        assert one.level in ("quick", "full")
        assert one.title


def test_levels_hold_one_another() -> None:
    assert chosen("none") == ()
    assert all(one in chosen("full") for one in chosen("quick"))
    assert list(LEVELS) == ["none", "quick", "full"]


def test_a_name_chooses_alone_and_a_wrong_one_is_refused() -> None:
    assert [one.name for one in chosen("none", ["matmul"])] == ["matmul"]
    with pytest.raises(UsageError, match="matmull"):
        chosen("quick", ["matmull"])


def test_a_plan_tells_the_device_and_the_file() -> None:
    (group,) = zygote.plan_for(30.0, True, groups_for([PROBE], "cuda:1"))["groups"]
    (step,) = group["steps"]
    assert Path(step["file"]).is_file()
    assert step["options"]["device"] == "cuda:1"
    assert group["fresh_after_failure"] is True


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"outcome": "completed", "verdict": "passed"}, "passed"),
        ({"outcome": "completed", "verdict": "wrong_result"}, "wrong_result"),
        ({"outcome": "completed", "verdict": "not_applicable"}, "not_applicable"),
        ({"outcome": "failed", "error": "RuntimeError: x", "traceback": "..."}, "failed"),
        ({"outcome": "crashed", "signal": 11}, "crashed"),
        ({"outcome": "exited", "status": 3}, "crashed"),
        ({"outcome": "timed_out", "seconds": 20.0}, "timed_out"),
    ],
)
def test_each_end_has_its_word(line: dict, word: str) -> None:
    assert word in OUTCOMES
    assert outcome(PROBE, end_of(line), PLAN) == word


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"outcome": "timed_out", "error": "no time was left for it"}, Reason.TIMED_OUT),
        ({"outcome": "timed_out", "seconds": 3.0}, Reason.TIMED_OUT),
        ({"outcome": "completed"}, Reason.NO_DATA),
        ({"outcome": "failed", "error_type": "OSError", "error": "OSError: no process"}, Reason.NO_DATA),
    ],
)
def test_an_end_that_is_not_the_probes_own_is_unknown(line: dict, reason: Reason) -> None:
    how = outcome(PROBE, end_of(line), PLAN)
    assert isinstance(how, Unknown)
    assert how.reason is reason


def test_a_recording_made_before_there_were_probes_was_not_asked() -> None:
    end = ChildEnd(End.EXITED, lines=(IMPORTED, {"step": "end"}))
    facts = {fact.key: fact.value for fact in facts_of_probe(PROBE, FACTS, end, PLAN)}
    assert facts.pop("probe.matmul.outcome") == "not_requested"
    assert facts.pop("probe.matmul.level") == "quick"
    assert {value.reason for value in facts.values()} == {Reason.NOT_REQUESTED}  # type: ignore[union-attr]


def test_without_torch_the_reason_is_that() -> None:
    files = {"step": "torch_files", "outcome": "completed", "importable": False}
    how = outcome(PROBE, ChildEnd(End.EXITED, lines=(files, {"step": "end"})), PLAN)
    assert isinstance(how, Unknown)
    assert how.reason is Reason.NOT_INSTALLED


def test_figures_measured_before_the_end_stay() -> None:
    end = end_of({"fp32_relative_error": 1e-7}, {"outcome": "crashed", "signal": 11})
    facts = {fact.key: fact.value for fact in facts_of_probe(PROBE, FACTS, end, PLAN)}
    assert facts["probe.matmul.fp32_relative_error"] == 1e-7
    assert facts["probe.matmul.signal"] == "SIGSEGV"
    assert isinstance(facts["probe.matmul.fp16_relative_error"], Unknown)
