"""What scripts of probes share, on a device that is only played: how much memory, whose fault, what is near enough."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpudoctor.probe import zygote
from scripts_alone import load

MIB = 1 << 20
bench_script = load(Path(zygote.SCRIPTS) / "bench.py")


def bench(free: int = 80 << 30, said: list[dict[str, Any]] | None = None) -> Any:
    """A bench on a GPU with so much free memory."""
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        set_device=lambda _: None,
        mem_get_info=lambda _: (free, 80 << 30),
    )
    device = SimpleNamespace(type="cuda", index=0)
    torch = SimpleNamespace(device=lambda *_: device, cuda=cuda, float64="float64", version=SimpleNamespace(hip=None))
    lines = [] if said is None else said
    return bench_script.Bench(torch, {}, lines.append, load)


@pytest.mark.parametrize(("free", "room"), [(80 << 30, 512 * MIB), (2 << 30, 512 * MIB), (1 << 30, 256 * MIB), (0, 0)])
def test_never_more_than_half_a_gibibyte_nor_a_quarter_of_what_is_free(free: int, room: int) -> None:
    one = bench(free)
    one.device = one.choose("")
    assert one.room() == room


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "CUDA error: all CUDA-capable devices are busy or unavailable",
        "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_a_gpu_that_others_have_is_no_fault(words: str) -> None:
    said: list[dict[str, Any]] = []

    def probe(_: Any) -> None:
        raise RuntimeError(words)

    bench(300 * MIB, said).run(probe)
    assert said[-1]["verdict"] == "not_applicable"
    assert "busy (300 of 81920 MiB free)" in said[-1]["reason"]
    assert words in said[-1]["reason"]


def test_any_other_error_is_the_probes_own() -> None:
    def probe(_: Any) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        bench().run(probe)


class Number:
    """A tensor of one number, as far as distances need it."""

    def __init__(self, value: float) -> None:
        self.value = value

    def detach(self) -> Number:
        return self

    def to(self, *_: Any) -> Number:
        return self

    def __sub__(self, other: Number) -> Number:
        return Number(self.value - other.value)

    def norm(self) -> float:
        return abs(self.value)


@pytest.mark.parametrize(
    ("got", "reference", "near"),
    [
        (1.0, 1.0, True),
        (1.001, 1.0, True),
        (1.1, 1.0, False),
        (float("nan"), 1.0, False),
        (1.0, float("nan"), False),
        (float("inf"), 1.0, False),
        (float("inf"), float("inf"), False),
        (float("nan"), float("nan"), False),
    ],
)
def test_nan_and_infinity_are_never_near(got: float, reference: float, near: bool) -> None:
    said: list[dict[str, Any]] = []
    bench(said=said).run(lambda one: one.hold("a product", Number(got), Number(reference), 0.01) and None)
    assert said[-1]["verdict"] == ("passed" if near else "wrong_result")


@pytest.mark.parametrize(
    ("total", "verdict"), [(2000.0, "passed"), (1999.0, "wrong_result"), (float("nan"), "wrong_result")]
)
def test_a_device_that_adds_wrongly_computes_wrongly(total: float, verdict: str) -> None:
    said: list[dict[str, Any]] = []
    one = bench(said=said)
    ones = SimpleNamespace(sum=lambda: total)
    one.torch.ones = lambda *_, **__: type("Ones", (), {"__mul__": lambda *_: ones})()
    one.run(load(Path(zygote.SCRIPTS) / "step_devices.py").probe)
    assert said[-1]["verdict"] == verdict
