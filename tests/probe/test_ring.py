"""The ring of real torch over gloo: it passes, and a rank that dies, raises, hangs or lies is named in time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason
from gpudoctor.model.record import replace
from gpudoctor.probe import ring, zygote
from gpudoctor.probe.zygote import Group, Step

FAULTS = Path(__file__).resolve().parents[1] / "support" / "ring_faults"
SHORT = {"limits": {"connect": 2.0, "other": 2.0, "whole": 6.0}, "seconds": 20.0}
KEY = "probe.ring."

Ring = Any


@pytest.fixture
def run_ring(look, torch_python: str, monkeypatch: pytest.MonkeyPatch) -> Ring:
    """`run_ring(fault)`: the ring with a planted fault; afterwards nothing may still run."""

    def run(fault: str = "", **variables: str) -> Facts:
        for name in [name for name in os.environ if name.startswith("GLOO_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        if fault:
            monkeypatch.setenv("RING_FAULT", fault)
        groups = (Group("ring", (Step("ring", limit_s=30.0, options=SHORT),)),)
        return look(FAULTS if fault else None, python=torch_python, timeout=60.0, groups=groups)[0]

    return run


@pytest.mark.torch
def test_it_passes_and_says_that_it_is_gloo(run_ring: Ring) -> None:
    facts = run_ring()
    assert facts.text(KEY + "outcome") == "passed", facts[KEY + "error"]
    assert facts.text(KEY + "backend") == "gloo"
    assert facts[KEY + "ranks"] == 2
    assert facts[KEY + "bus_bandwidth_bytes_per_second"] > 1_000_000
    assert facts[KEY + "error"] == ring.PASSED


@pytest.mark.torch
@pytest.mark.parametrize(
    ("fault", "outcome", "rank", "phase", "key", "words"),
    [
        ("killed 1 all_reduce", "crashed", 1, "connect", "signal", "SIGKILL"),
        ("segfault 0 all_gather", "crashed", 0, "all_gather", "signal", "SIGSEGV"),
        ("exits 1 all_gather", "crashed", 1, "all_gather", "exit_status", "5"),
        ("raises 1 reduce_scatter", "failed", 1, "reduce_scatter", "error", "planted error of rank 1"),
        ("hangs 1 all_gather", "timed_out", 1, "all_gather", "output", "sitecustomize.py"),
        ("hangs 0 batch_isend_irecv", "timed_out", 0, "send_recv", "output", "sitecustomize.py"),
        ("stopped 1 all_gather", "timed_out", 1, "all_gather", "error", "state T"),
        ("nan 1 all_gather", "wrong_result", 1, "all_gather", "error", "is nan and must be"),
    ],
)
def test_the_rank_in_the_way_is_named(
    run_ring: Ring, fault: str, outcome: str, rank: int, phase: str, key: str, words: str
) -> None:
    facts = run_ring(fault)
    assert (facts.text(KEY + "outcome"), facts[KEY + "failed_ranks"]) == (outcome, (rank,))
    assert facts.text(KEY + "phase") == phase
    assert words in str(facts[KEY + key])
    assert facts[KEY + "blamed_variables"] == ()


@pytest.mark.torch
def test_a_variable_that_breaks_it_is_named(run_ring: Ring) -> None:
    facts = run_ring(GLOO_SOCKET_IFNAME="eth9")
    assert facts.text(KEY + "outcome") == "failed"
    assert "eth9" in str(facts[KEY + "error"])
    assert facts[KEY + "blamed_variables"] == ("GLOO_SOCKET_IFNAME",)
    assert facts[KEY + "tries"] == ("without GLOO_SOCKET_IFNAME: passed", "the same again: failed")


def told(line: dict[str, Any], **more: Any) -> Facts:
    """The facts of one line of the step."""
    imported = {"step": "torch_import", "outcome": "imported"}
    lines = (imported, {"step": "ring", "outcome": "completed", **more, **({"ring": line} if line else {})})
    plan = zygote.plan_for(10.0, True, (Group("ring", (Step("ring"),)),))
    return Facts(ring.facts(ChildEnd(End.EXITED, lines=lines), plan))


def test_facts_of_nccl() -> None:
    measured = [{"bytes": 1, "seconds": 1.0, "bus_bandwidth": 1.0}, {"bytes": 9, "seconds": 1.0, "bus_bandwidth": 4e11}]
    facts = told(
        {
            "outcome": "passed",
            "phase": "through",
            "backend": "nccl",
            "ranks": 8,
            "measured": measured,
            "transports": ["P2P/CUMEM"],
            "log_warnings": [],
        }
    )
    assert facts[KEY + "bus_bandwidth_bytes_per_second"] == 4e11
    assert facts[KEY + "transports"] == ("P2P/CUMEM",)


def test_the_first_try_counts_where_the_further_ones_were_cut_off() -> None:
    hung = {"outcome": "timed_out", "phase": "connect", "backend": "nccl", "ranks": 2, "failed_ranks": []}
    facts = told(hung, outcome="timed_out")
    assert facts.text(KEY + "outcome") == "timed_out"
    assert facts[KEY + "failed_ranks"] == ()


def test_why_there_is_no_ring() -> None:
    without = told({"not_applicable": "built without"})
    assert (without[KEY + "outcome"], without[KEY + "ranks"].detail) == ("not_applicable", "built without")
    plan = zygote.plan_for(10.0, True, ())
    end = ChildEnd(End.EXITED, lines=({"step": "torch_import", "outcome": "imported"},))
    first, *others = ring.facts(end, plan)
    assert (first.key, first.value) == (KEY + "outcome", "not_requested")
    assert {fact.value.reason for fact in others} == {Reason.NOT_REQUESTED}
    plan = zygote.plan_for(10.0, True, (Group("ring", (Step("ring"),)),))
    lost = replace(end, end=End.SIGNALLED, signal="SIGKILL", lines=())
    assert {fact.value.reason for fact in ring.facts(lost, plan)} == {Reason.CRASHED}


def test_a_step_that_was_cut_off_is_no_hang_of_the_ring() -> None:
    """Each try has a limit of its own, so a step that runs into its limit had no time, and nothing is known."""
    assert told({}, outcome="timed_out", seconds=3.0)[KEY + "fault"].reason is Reason.TIMED_OUT


def test_a_step_that_dies_is_an_outcome_too() -> None:
    crashed = told({}, outcome="crashed", signal=11)
    assert (crashed.text(KEY + "outcome"), crashed.text(KEY + "fault")) == ("crashed", "rank_ended")
    assert "SIGSEGV" in str(crashed.text(KEY + "how_it_ended"))
    assert crashed[KEY + "ranks"].reason is Reason.CRASHED


@pytest.mark.parametrize(
    ("line", "fault", "words"),
    [
        ({"outcome": "passed"}, "none", "every rank came through with the right numbers"),
        ({"outcome": "crashed", "failed_ranks": [1], "signal": 9}, "rank_ended", "rank 1 was ended by SIGKILL in"),
        ({"outcome": "crashed", "failed_ranks": [1], "exit_status": 3}, "rank_ended", "rank 1 left with status 3"),
        ({"outcome": "timed_out", "failed_ranks": []}, "hang", "no rank came back from connect"),
        ({"outcome": "timed_out", "failed_ranks": [0, 2]}, "hang", "ranks 0, 2 did not come back from connect"),
        ({"outcome": "failed", "failed_ranks": [0], "error": "E: x"}, "error", "rank 0 failed in connect: E: x"),
        ({"outcome": "failed", "phase": "device", "failed_ranks": [0]}, "error", "rank 0 failed in device"),
        (
            {"outcome": "failed", "phase": "device", "error": "CUDA error: out of memory"},
            "device_busy",
            "a rank failed",
        ),
        ({"outcome": "timed_out", "failed_ranks": [], "blamed_transport": "P2P"}, "transport_p2p", "no rank"),
        ({"outcome": "timed_out", "failed_ranks": [], "intermittent": True}, "intermittent", "no rank"),
        ({"outcome": "failed", "failed_ranks": [0], "blamed_variables": ["NCCL_X"]}, "variable", "rank 0 failed"),
    ],
)
def test_the_fault_has_a_word_and_a_sentence(line: dict[str, Any], fault: str, words: str) -> None:
    facts = told({"phase": "connect", "backend": "nccl", "ranks": 4, **line})
    assert facts.text(KEY + "fault") == fault
    assert words in str(facts.text(KEY + "how_it_ended"))


def test_garbage_makes_no_wrong_fact() -> None:
    facts = told({"outcome": "passed", "backend": 7, "ranks": "x", "measured": 3, "transports": {"a": 1}})
    assert facts[KEY + "ranks"].reason is Reason.NO_DATA
    assert facts[KEY + "backend"].reason is Reason.NO_DATA
