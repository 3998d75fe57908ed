"""The ring edge by edge: which pair is broken, and what each pair and each size carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.probe import ring_edges, zygote
from gpudoctor.probe.zygote import Group, Step

FAULTS = Path(__file__).resolve().parents[1] / "support" / "ring_faults"
KEY = ring_edges.PREFIX
OPTIONS = {
    "cpu_ranks": 3,
    "limits": {"connect": 4.0, "other": 2.0},
    "sizes": [1 << 16, 1 << 20],
    "edge_bytes": 1 << 20,
    "seconds": 40.0,
}


def group() -> Group:
    return Group("ring_edges", (Step("ring_edges", limit_s=50.0, options=OPTIONS),))


@pytest.mark.torch
def test_every_pair_and_every_size(look, torch_python: str) -> None:
    facts = look(python=torch_python, timeout=70.0, groups=(group(),))[0]
    assert facts.text(KEY + "outcome") == "passed", facts[KEY + "how_it_ended"]
    assert facts[KEY + "pairs"] == ("0-1", "0-2", "1-2")
    assert all(bandwidth > 1e6 for bandwidth in facts[KEY + "bandwidths"])
    assert facts[KEY + "sizes_bytes"] == (1 << 16, 1 << 20)
    assert all(bandwidth > 1e5 for bandwidth in facts[KEY + "bus_bandwidths"])
    assert facts[KEY + "broken_pairs"] == ()


@pytest.mark.torch
def test_a_rank_that_exchanges_with_nobody(look, torch_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pairs are broken; the pair without it is measured all the same."""
    monkeypatch.setenv("RING_FAULT", "hangs 2 batch_isend_irecv")
    facts = look(FAULTS, python=torch_python, timeout=70.0, groups=(group(),))[0]
    assert facts.text(KEY + "outcome") == "timed_out"
    assert [row.split()[0] for row in facts[KEY + "broken_pairs"]] == ["0-2", "1-2"]
    assert facts[KEY + "pairs"] == ("0-1",)


def told(line: dict[str, Any] | None, outcome: str = "completed") -> Facts:
    """The facts of one line of the step."""
    imported = {"step": "torch_import", "outcome": "imported"}
    said = {"step": "ring_edges", "outcome": outcome, **({"ring_edges": line} if line is not None else {})}
    plan = zygote.plan_for(10.0, True, (group(),))
    return Facts(ring_edges.facts(ChildEnd(End.EXITED, lines=(imported, said)), plan))


def test_what_was_measured_before_time_ran_out_counts() -> None:
    line = {"backend": "nccl", "ranks": 8, "edges": [{"edge": [0, 1], "bandwidth": 2e11}], "broken": []}
    facts = told(line, outcome="timed_out")
    assert facts[KEY + "bandwidths"] == (2e11,)
    assert facts[KEY + "outcome"].reason is Reason.TIMED_OUT


def test_pairs_that_were_left_out_are_named() -> None:
    verdict = {"outcome": "passed", "phase": "through"}
    facts = told({"backend": "nccl", "ranks": 3, "edges": [], "broken": [], "left_out": [[0, 2]], "verdict": verdict})
    assert facts[KEY + "pairs_left_out"] == ("0-2",)


def test_why_there_is_none() -> None:
    alone = told({"not_applicable": "there is one GPU"})
    assert (alone[KEY + "outcome"], alone[KEY + "pairs"].reason) == ("not_applicable", Reason.NOT_APPLICABLE)
    assert told(None, outcome="crashed")[KEY + "pairs"].reason is Reason.CRASHED


def test_garbage_makes_no_wrong_fact() -> None:
    facts = told({"backend": 1, "ranks": "x", "edges": [{"edge": 3, "bandwidth": "y"}, 4], "broken": 7, "measured": {}})
    assert facts[KEY + "pairs"] == ("?",)
    assert isinstance(facts[KEY + "bandwidths"][0], Unknown)
    assert facts[KEY + "ranks"].reason is Reason.NO_DATA
