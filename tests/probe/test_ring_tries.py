"""Which further tries a failed ring gets, and what is blamed: never what a mere repetition also mends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gpudoctor.probe
from scripts_alone import load

SCRIPTS = Path(gpudoctor.probe.__file__).parent / "scripts"
step = load(SCRIPTS / "step_ring.py")
HUNG = {"outcome": "timed_out", "phase": "connect", "ranks": 4, "failed_ranks": []}
Passes = Callable[[Mapping[str, Any]], bool]


@pytest.fixture
def reason_for(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """What is found for a ring that passes under a condition over the variables that a try changes."""
    for name in [name for name in step.os.environ if name.startswith(("NCCL_", "GLOO_"))]:
        monkeypatch.delenv(name)

    def look(
        passes: Passes, first: Mapping[str, Any] = HUNG, backend: str = "nccl", seconds: float = 60.0, **variables: str
    ) -> dict[str, Any]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        rings = step.Rings(
            None, {"backend": backend, "ranks": 4}, {"seconds": seconds}, lambda name: load(SCRIPTS / name)
        )
        monkeypatch.setattr(rings, "attempt", lambda changed: {"outcome": "passed" if passes(changed) else "timed_out"})
        found: dict[str, Any] = rings.reason_for(first)
        return found

    return look


@pytest.mark.parametrize("name", ["P2P", "SHM", "IB"])
def test_the_transport_without_which_it_passes(reason_for, name: str) -> None:
    found = reason_for(lambda changed: changed.get(f"NCCL_{name}_DISABLE") == "1")
    assert found["blamed_transport"] == name
    assert found["tries"][-1] == {"what": "the same again", "outcome": "timed_out"}


def test_what_passes_when_repeated_is_nobodys_fault(reason_for) -> None:
    found = reason_for(lambda changed: True)
    assert found["intermittent"] is True
    assert "blamed_transport" not in found


def test_wrong_numbers_are_not_excused_by_a_better_repetition(reason_for) -> None:
    found = reason_for(lambda changed: not changed, first={**HUNG, "outcome": "wrong_result"})
    assert "intermittent" not in found


def test_nothing_helps(reason_for) -> None:
    found = reason_for(lambda changed: False)
    assert set(found) == {"tries"}
    assert [one["what"] for one in found["tries"]] == [
        "NCCL_P2P_DISABLE=1",
        "NCCL_SHM_DISABLE=1",
        "NCCL_IB_DISABLE=1",
        "the same again",
    ]


def test_one_of_the_users_variables(reason_for) -> None:
    settings = {"NCCL_IB_HCA": "mlx5_9", "NCCL_SOCKET_IFNAME": "eth9", "NCCL_DEBUG": "WARN", "NCCL_VERSION": "2.21.5"}
    found = reason_for(lambda changed: "NCCL_SOCKET_IFNAME" in changed, **settings)
    assert found["blamed_variables"] == ["NCCL_SOCKET_IFNAME"]
    assert "NCCL_DEBUG" not in str(found["tries"])
    assert "NCCL_VERSION" not in str(found["tries"])


def test_variables_that_break_it_only_together(reason_for) -> None:
    both = {"NCCL_ALGO": "Tree", "NCCL_PROTO": "LL"}
    found = reason_for(lambda changed: set(both) <= set(changed), **both)
    assert found["blamed_variables"] == ["NCCL_ALGO", "NCCL_PROTO"]


def test_a_transport_that_is_off_already_is_not_tried(reason_for) -> None:
    found = reason_for(lambda changed: False, NCCL_P2P_DISABLE="1")
    assert "NCCL_P2P_DISABLE=1" not in [one["what"] for one in found["tries"]]


def test_gloo_has_no_transports(reason_for) -> None:
    assert [one["what"] for one in reason_for(lambda changed: False, backend="gloo")["tries"]] == ["the same again"]


def test_a_gpu_that_cannot_be_taken_is_no_matter_of_transports(reason_for) -> None:
    found = reason_for(lambda changed: False, first={**HUNG, "outcome": "failed", "phase": "device"})
    assert [one["what"] for one in found["tries"]] == ["the same again"]


def test_no_try_is_begun_without_time(reason_for) -> None:
    assert reason_for(lambda changed: True, seconds=0.0) == {"tries": []}


def torch_with(**more: Any) -> Any:
    """As much of torch as is asked before a ring."""
    dist = SimpleNamespace(is_available=lambda: True, is_nccl_available=lambda: True, is_gloo_available=lambda: True)
    vars(dist).update(more.pop("dist", {}))
    version = SimpleNamespace(cuda=more.pop("cuda", None), hip=None)
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: more.get("gpus", 0))
    return SimpleNamespace(distributed=dist, version=version, cuda=cuda)


@pytest.mark.parametrize(
    ("torch", "options", "place"),
    [
        (torch_with(cuda="12.8", gpus=8), {}, ("nccl", 8)),
        (torch_with(cuda="12.8", gpus=1), {}, ("nccl", 1)),
        (torch_with(cuda="12.8", gpus=0), {}, ("gloo", 2)),
        (torch_with(cuda="12.8", gpus=8), {"device": "cpu"}, ("gloo", 2)),
        (torch_with(gpus=8), {}, ("gloo", 2)),
        (torch_with(cuda="12.8", gpus=2, dist={"is_nccl_available": lambda: False}), {}, ("gloo", 2)),
    ],
)
def test_backend_and_ranks(torch: Any, options: dict[str, Any], place: tuple[str, int]) -> None:
    found = step.choose(torch, options)
    assert (found["backend"], found["ranks"]) == place


def test_a_torch_that_has_no_distributed() -> None:
    assert "without" in step.choose(SimpleNamespace(), {})["not_applicable"]
    assert "without" in step.choose(torch_with(dist={"is_available": lambda: False}), {})["not_applicable"]
    assert "neither" in step.choose(torch_with(dist={"is_gloo_available": lambda: False}), {})["not_applicable"]
