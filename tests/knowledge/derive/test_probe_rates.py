"""Figures of the sustained probe against tables: which GPU of the machine was meant, and which row is certain."""

from __future__ import annotations

import re
from typing import Any

import pytest

from derived import derived, tables
from gpudoctor.knowledge.derive.probe_rates import peaks_of
from gpudoctor.knowledge.gpu_names import rows_for
from gpudoctor.knowledge.tables import NO_CELL
from gpudoctor.model.fact import Reason, Unknown

KEY = "probe.below_half_of_peak"
MACHINE = {
    "probe.sustained.outcome": "passed",
    "probe.sustained.device": "cuda:1",
    "probe.sustained.size": 8192,
    "probe.sustained.best_flops_per_second": 130e12,
    "probe.sustained.memory_bytes_per_second": 900e9,
    "probe.sustained.lowest_share": 0.98,
    "probe.sustained.throttle_reasons": ["none"],
    "gpu.names": ["NVIDIA A100-SXM4-40GB", "NVIDIA GeForce RTX 4090"],
    "gpu.uuids": ["GPU-aa", "GPU-bb"],
    "torch.device_uuids": ["bb", "aa"],
    "gpu.mig_enabled": [False, {"unknown": "not_applicable"}],
    "gpu.virtualisation_modes": ["none", "none"],
    "gpu.process_counts": [0, 0],
    "gpu.utilisation_percent": [0, 0],
    "gpu.memory_used_bytes": [500 << 20, 500 << 20],
    "gpu.memory_total_bytes": [40 << 30, 24 << 30],
    "gpu.power_limit_watts": [400.0, 450.0],
    "gpu.power_default_limit_watts": [400.0, 450.0],
}


def told(**more: Any) -> Any:
    """The list; dots are written as two underscores."""
    return derived({**MACHINE, **{key.replace("__", "."): value for key, value in more.items()}})[KEY]


def test_the_gpu_is_matched_by_identifier() -> None:
    """torch counts the A100 second, NVML first; what is slow for it is fast for the other."""
    assert (
        told()
        == (
            "products of half precision: 130 TFLOP/s of 312",
            "its memory: 900 GB/s of 1555",
        )[:1]
    )
    assert told(probe__sustained__device="cuda:0") == ()


def test_only_less_than_half_counts() -> None:
    assert told(probe__sustained__best_flops_per_second=156.0e12) == ()
    assert told(probe__sustained__best_flops_per_second=155.9e12) != ()


def test_both_are_named() -> None:
    assert len(told(probe__sustained__memory_bytes_per_second=300e9)) == 2


def test_without_identifiers_only_a_machine_with_one_gpu_can_be_judged() -> None:
    assert isinstance(told(torch__device_uuids=["", ""]), Unknown)
    alone = {
        "gpu__count": 1,
        "torch__device_count": 1,
        "torch__device_uuids": [""],
        "probe__sustained__device": "cuda:0",
    }
    assert told(**alone, gpu__names=["NVIDIA A100-SXM4-40GB"], gpu__uuids=["GPU-aa"]) != ()


def test_a_cpu_and_a_probe_that_did_not_run_are_not_judged() -> None:
    assert told(probe__sustained__device="cpu").reason is Reason.NOT_APPLICABLE
    assert told(probe__sustained__device={"unknown": "not_requested"}).reason is Reason.NOT_REQUESTED
    assert told(probe__sustained__outcome="crashed").reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756.5),
        ("NVIDIA H100 NVL", 835.5),
        ("NVIDIA H100 64GB HBM2", None),
        ("NVIDIA H200", 989.5),
        ("NVIDIA H20", None),
        ("NVIDIA A100 80GB PCIe", 312.0),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", None),
        ("GRID A100-10C", None),
        ("Tesla V100-SXM2-32GB", 125.0),
        ("Tesla T4", None),
        ("NVIDIA L40S", 362.05),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 2080 Ti", 53.8),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", None),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 503.8),
        ("NVIDIA GeForce RTX 5090", 209.5),
        ("NVIDIA GeForce GTX 1080", None),
        ("", None),
    ],
)
def test_a_row_is_certain_or_none(name: str, teraflops: float | None) -> None:
    value = peaks_of(name, tables()).get("half_teraflops", NO_CELL)
    assert value == (NO_CELL if teraflops is None else teraflops)


def test_every_row_belongs_to_a_gpu_of_the_table_and_has_a_source() -> None:
    for row in tables()["gpu_peaks"].rows:
        pattern = str(row["pattern"])
        example = re.sub(r"\(([^|)]*)[|)].*?(\)\??|$)", lambda match: "" if match[2] == ")?" else match[1], pattern)
        example = example.replace("[Ee]", "E")
        assert re.fullmatch(pattern, example), pattern
        assert rows_for(example, tables()), example
        assert row.source
