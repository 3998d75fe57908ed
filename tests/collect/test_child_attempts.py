from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gpudoctor.collect.child_attempts import MAXIMUM_RETRIES, Plan, read_out
from gpudoctor.host.base import HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

PLAN = Plan("some", "some.py", frozenset({"init"}), ("init",), 30.0, 15.0, 5.0)


class Scripted(MemoryHost):
    """A host whose children end as told, one after the other."""

    def __init__(self, *ends: ChildEnd | HostError, remaining: float = 60.0) -> None:
        super().__init__(remaining=remaining)
        self.ends = list(ends)
        self.plans: list[Mapping[str, Any]] = []
        self.limits: list[float] = []

    def run_script(
        self, name: str, interpreter: str, script: str, plan: Mapping[str, Any], limit: float, env: Any = None
    ) -> ChildEnd:
        self.asked.append(name)
        self.plans.append(plan)
        self.limits.append(limit)
        end = self.ends.pop(0)
        if isinstance(end, HostError):
            raise end
        return end


def died(call: str, gpu: int, *before: Mapping[str, Any], step: str = "", **how: Any) -> ChildEnd:
    begin = {"step": step or call.lower(), "gpu": gpu, "begin": call}
    return ChildEnd(**{"end": End.SIGNALLED, "signal": "SIGSEGV", "lines": (*before, begin), **how})


def skips(host: Scripted) -> Sequence[Any]:
    return [plan["skip"] for plan in host.plans]


def test_a_child_that_ends_well_is_run_once() -> None:
    host = Scripted(ChildEnd(End.EXITED, lines=({"step": "a", "gpu": 0, "value": 1},)))
    readings = read_out(host, PLAN)
    assert readings.outcome == "ok"
    assert host.asked == ["some"]
    assert host.plans[0]["limits"] == {"": 5.0, "init": 15.0}


def test_the_killer_is_left_out_and_the_answers_are_put_together() -> None:
    first = {"step": "a", "gpu": 0, "value": "first"}
    later = (
        {"step": "a", "gpu": 0, "value": "second"},
        {"step": "b", "gpu": 0, "skipped": "B"},
        {"step": "c", "gpu": 0, "value": 3},
    )
    host = Scripted(died("B", 0, first, stderr="Segmentation fault"), ChildEnd(End.EXITED, lines=later))
    readings = read_out(host, PLAN)
    assert skips(host) == [[], [["B", 0]]]
    assert host.asked == ["some", "some-retry-1"]
    assert readings.outcome == "crashed"
    assert readings.answers["a", 0]["value"] == "first"
    assert readings.answers["c", 0]["value"] == 3
    unknown = readings.missing("b", 0)
    assert unknown.reason is Reason.CRASHED
    assert unknown.detail == "B for GPU 0 died of SIGSEGV\nSegmentation fault"


def test_a_call_that_kills_on_two_gpus_is_left_out_on_all() -> None:
    host = Scripted(died("B", 0), died("B", 1), ChildEnd(End.EXITED))
    read_out(host, PLAN)
    assert skips(host)[-1] == [["B", 0], ["B", None]]


def test_a_gpu_that_kills_in_two_calls_is_left_out_whole() -> None:
    host = Scripted(died("B", 4), died("C", 4), ChildEnd(End.EXITED))
    read_out(host, PLAN)
    assert skips(host)[-1] == [["B", 4], [None, 4]]


def test_retries_are_bounded() -> None:
    host = Scripted(*(died(f"F{number}", number) for number in range(20)))
    readings = read_out(host, PLAN)
    assert len(host.plans) == 1 + MAXIMUM_RETRIES
    assert len(readings.deaths) == 1 + MAXIMUM_RETRIES


def test_a_vital_step_is_not_tried_again() -> None:
    host = Scripted(died("Init", -1, step="init"))
    assert read_out(host, PLAN).outcome == "crashed"


def test_no_time_no_retry() -> None:
    host = Scripted(died("B", 0), remaining=1.0)
    read_out(host, PLAN)
    assert host.limits == [1.0]


@pytest.mark.parametrize(
    ("end", "outcome", "words"),
    [
        ({"end": End.SIGNALLED, "signal": "SIGALRM"}, "timed_out", "B for GPU 2 did not return within 5 s"),
        ({"end": End.TIMED_OUT, "seconds": 30.0}, "timed_out", "B for GPU 2 had not returned when"),
        ({"end": End.EXITED, "status": 7}, "crashed", "B for GPU 2 ended the process with exit status 7"),
        ({"end": End.SIGNALLED, "signal": "SIGABRT"}, "crashed", "B for GPU 2 died of SIGABRT"),
    ],
)
def test_the_ways_to_end(end: dict[str, Any], outcome: str, words: str) -> None:
    readings = read_out(Scripted(died("B", 2, **end), ChildEnd(End.EXITED)), PLAN)
    assert readings.outcome == outcome
    assert readings.deaths[0].words.startswith(words)


def test_a_child_that_dies_before_its_first_line() -> None:
    readings = read_out(Scripted(ChildEnd(End.SIGNALLED, signal="SIGSEGV"), ChildEnd(End.NOT_STARTED)), PLAN)
    assert readings.outcome == "crashed"
    assert readings.missing("b", 0).detail.startswith("the start of the child died of SIGSEGV")


def test_a_retry_that_a_recording_does_not_hold_is_passed_over() -> None:
    readings = read_out(Scripted(died("B", 0), ChildEnd(End.NOT_STARTED, error="not recorded")), PLAN)
    assert len(readings.ends) == 1
    assert readings.outcome == "crashed"


def test_a_host_that_refuses_is_a_child_that_did_not_start() -> None:
    readings = read_out(Scripted(HostError(Reason.NO_DATA, "no memory", "ENOMEM")), PLAN)
    assert readings.outcome == "not_started"
    assert "no memory" in readings.missing("a", 0).detail
