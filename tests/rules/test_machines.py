"""Whole machines, written as facts: the healthy ones give no error and no warning, the sick ones their cause."""

from __future__ import annotations

from typing import Any

import pytest

from derived import catalogue, judged
from gpudoctor.knowledge.evaluate import Judgement
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from machines import (
    ABSENT,
    BARE,
    CPU_TORCH,
    CU128,
    CU130,
    CUDA_SILENT,
    H100,
    JETSON,
    NVML_SILENT,
    SILENT,
    UNAVAILABLE,
    machine,
    torch,
    wsl,
)

TWO_H100 = machine("580.95.05", "13.0", [H100, H100], "9.0", **{"container.kind": "docker"})
RTX_4090 = machine("535.104.05", "12.2", ["NVIDIA GeForce RTX 4090"], "8.9")

HEALTHY = {
    "two H100, driver 580, CUDA 13": {**TWO_H100, **torch("2.12.0+cu130", "13.0", CU130)},
    "RTX 4090, driver 535, CUDA 12.8": {**RTX_4090, **torch("2.8.0+cu128", "12.8", CU128)},
    "A10 under code for 8.0": {
        **machine("535.104.05", "12.2", ["NVIDIA A10"], "8.6"),
        **torch("2.8.0+cu128", "12.8", ["sm_80", "sm_90"]),
    },
    "B300, Python 3.14": {
        **machine("580.95.05", "13.0", ["NVIDIA B300 SXM6 AC"], "10.3", python__version="3.14.0"),
        **torch("2.12.0+cu130", "13.0", CU130),
    },
    "GB10 on aarch64, Python 3.13": {
        **machine("580.95.05", "13.0", ["NVIDIA GB10"], "12.1", kernel__machine="aarch64", python__version="3.13.1"),
        **torch("2.12.0+cu130", "13.0", ["sm_80", "sm_90", "sm_100", "sm_110", "sm_120"]),
    },
    "forward compatibility on a data-center GPU": {
        **machine(
            "470.161.03", "12.1", ["NVIDIA A800-SXM4-80GB"], "8.0", libcuda__kind="compat", libcuda__version="530.30.02"
        ),
        **torch("2.0.1+cu118", "11.8", ["sm_80"]),
    },
    "WSL2": wsl(),
    "Jetson": JETSON,
    "CPU on purpose": {**BARE, **CPU_TORCH},
    "CPU on purpose in a container with the default /dev/shm": {
        **BARE,
        **CPU_TORCH,
        "container.kind": "docker",
        "shm.size_bytes": 64 << 20,
    },
    "GPUs hidden by the user's word": {**TWO_H100, **CPU_TORCH, "expect.gpus": "none"},
    "ROCm": {**BARE, "torch.version": "2.9.1+rocm6.4", "torch.build": "rocm", "torch.cuda_available": True},
    "a GPU machine without torch": {
        **TWO_H100,
        "torch.installed": False,
        "torch.import_outcome": "not_installed",
        "torch.build": ABSENT,
        "torch.version": ABSENT,
        "torch.cuda_version": ABSENT,
        "torch.cuda_available": ABSENT,
        "torch.runtime_outcome": ABSENT,
    },
    "no torch and no GPU": {
        **BARE,
        "torch.installed": False,
        "torch.import_outcome": "not_installed",
        "torch.runtime_outcome": ABSENT,
    },
}
SICK: dict[str, tuple[dict[str, Any], str]] = {
    "driver 470 with CUDA 12.8": (
        {
            **machine("470.57.02", "11.4", ["Tesla V100-SXM2-16GB"], "7.0"),
            **torch("2.8.0+cu128", "12.8", CU128),
            **UNAVAILABLE,
            "torch.cuda_warning": "The NVIDIA driver on your system is too old (found version 11040).",
        },
        "driver.too_old_for_cuda",
    ),
    "the default CUDA 13 wheel on driver 565": (
        {
            **machine("565.57.01", "12.7", ["NVIDIA GeForce RTX 3090"], "8.6"),
            **torch("2.12.0+cu130", "13.0", CU130),
            **UNAVAILABLE,
        },
        "driver.too_old_for_cuda",
    ),
    "HGX without fabric manager": (
        {
            **machine("570.124.06", "12.8", ["NVIDIA H200"] * 8, "9.0", cuda__init_code=802),
            **CUDA_SILENT,
            **torch("2.8.0+cu128", "12.8", CU128),
            **UNAVAILABLE,
            "gpu.fabric_states": ["in_progress"] * 8,
        },
        "driver.fabric_manager_not_running",
    ),
    "a container without --gpus": (
        {
            **BARE,
            **torch("2.9.1+cu128", "12.8", CU128),
            **UNAVAILABLE,
            "container.kind": "docker",
            "driver.kernel_module_version": "580.95.05",
        },
        "container.no_gpu_passthrough",
    ),
    "nodes that refuse": (
        {
            **TWO_H100,
            **CUDA_SILENT,
            **NVML_SILENT,
            **torch("2.12.0+cu130", "13.0", CU130),
            **UNAVAILABLE,
            "device.control_node_errno": "EPERM",
            "device.gpu_node_errnos": ["EPERM", "EPERM"],
            "device.uvm_node_errno": "EPERM",
            "nvml.init_code": 999,
            "cuda.init_code": 100,
        },
        "container.nvml_lost_after_daemon_reload",
    ),
    "module 580 with libraries 570": (
        {
            **TWO_H100,
            **CUDA_SILENT,
            **NVML_SILENT,
            **torch("2.12.0+cu130", "13.0", CU130),
            **UNAVAILABLE,
            "libcuda.version": "570.124.06",
            "libnvidia_ml.version": "570.124.06",
            "nvml.init_code": 18,
            "nvml.driver_version": SILENT,
            "cuda.init_code": 803,
        },
        "driver.kernel_user_mismatch",
    ),
    "a stub libcuda": (
        {
            **RTX_4090,
            **CUDA_SILENT,
            **torch("2.8.0+cu128", "12.8", CU128),
            **UNAVAILABLE,
            "libcuda.kind": "stub",
            "libcuda.path": "/usr/local/cuda/lib64/stubs/libcuda.so.1",
            "libcuda.version": SILENT,
            "cuda.init_code": 34,
        },
        "driver.stub_library",
    ),
    "an empty libcuda": (
        {
            **RTX_4090,
            **CUDA_SILENT,
            **torch("2.8.0+cu128", "12.8", CU128),
            **UNAVAILABLE,
            "libcuda.kind": "empty",
            "libcuda.path": "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
            "libcuda.version": SILENT,
            "cuda.init_code": ABSENT,
        },
        "driver.user_library_empty",
    ),
    "MIG without instances": (
        {
            **TWO_H100,
            **CUDA_SILENT,
            **torch("2.12.0+cu130", "13.0", CU130),
            **UNAVAILABLE,
            "gpu.mig_enabled": [True, True],
            "cuda.init_code": 100,
        },
        "hw.mig_without_instances",
    ),
    "a CPU wheel on a GPU machine": ({**TWO_H100, **CPU_TORCH}, "wheel.cpu_only_build"),
    "an RTX 5090 under CUDA 12.4": (
        {
            **machine("580.95.05", "13.0", ["NVIDIA GeForce RTX 5090"], "12.0"),
            **torch("2.6.0+cu124", "12.4", ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]),
        },
        "wheel.no_kernel_image_for_arch",
    ),
    "forward compatibility on GeForce": (
        {
            **machine("525.89.02", "12.0", ["NVIDIA GeForce RTX 3090"], "8.6"),
            **CUDA_SILENT,
            **torch("2.3.1+cu121", "12.1", ["sm_80", "sm_86", "sm_90"]),
            **UNAVAILABLE,
            "libcuda.kind": "compat",
            "libcuda.version": "530.30.02",
            "cuda.init_code": 804,
        },
        "driver.forward_compat_unsupported",
    ),
    "torch dies while it is imported": (
        {
            **TWO_H100,
            **torch("2.12.0+cu130", "13.0", CU130),
            "torch.import_outcome": "crashed",
            "torch.import_signal": "SIGSEGV",
            "torch.cuda_available": {"unknown": "crashed"},
        },
        "python.torch_import_crashed",
    ),
    "six GPUs where eight were asked for": (
        {
            **machine("580.95.05", "13.0", [H100] * 6, "9.0"),
            **torch("2.12.0+cu130", "13.0", CU130),
            "expect.gpus": "8",
        },
        "container.fewer_gpus_than_expected",
    ),
}


def failing(judgement: Judgement, *severities: Severity) -> list[str]:
    """The checks that fail at these severities."""
    found = [one for one in judgement.findings if one.kind is Kind.FAIL and one.severity in severities]
    return [f"{one.severity.value} {one.check} {one.subject}: {one.message}" for one in found]


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_shouts_on_a_healthy_machine(name: str) -> None:
    judgement = judged(HEALTHY[name])
    assert failing(judgement, Severity.ERROR, Severity.WARNING) == []
    assert judgement.health is Health.HEALTHY
    assert judgement.primary == ""


@pytest.mark.parametrize("name", SICK)
def test_a_sick_machine_gives_its_cause_first(name: str) -> None:
    facts, cause = SICK[name]
    judgement = judged(facts)
    assert judgement.health is Health.BROKEN
    assert judgement.primary
    first = judgement.findings[0]
    assert (first.check, first.cause, first.kind) == (judgement.primary, cause, Kind.FAIL)
    assert "unknown" not in first.message
    assert first.remedies


@pytest.mark.parametrize("name", SICK)
def test_one_illness_is_not_told_in_many_ways(name: str) -> None:
    facts, cause = SICK[name]
    found = [one for one in judged(facts).findings if one.kind is Kind.FAIL and one.severity is Severity.ERROR]
    assert {one.cause for one in found if not one.explained_by} == {cause}


def test_a_cuda_build_alone_is_only_a_warning() -> None:
    judgement = judged({**BARE, **torch("2.9.1+cu128", "12.8", CU128), **UNAVAILABLE})
    assert failing(judgement, Severity.ERROR) == []
    assert judgement.primary == "cuda-build-finds-no-gpu"


def test_the_chain_stops_at_the_first_broken_link() -> None:
    facts, _ = SICK["a container without --gpus"]
    (chain,) = judged(facts).chains
    assert chain.broken_at == "container-without-gpu"
    assert judged({**TWO_H100, **torch("2.12.0+cu130", "13.0", CU130)}).chains == ()


def test_the_remedy_for_a_cpu_wheel_is_the_right_line() -> None:
    first = judged({**TWO_H100, **CPU_TORCH}).findings[0]
    commands = [remedy.command for remedy in first.remedies]
    assert any("torch==2.13.0" in one and "/whl/cu132" in one for one in commands), commands


def test_every_link_of_the_chain_can_be_the_answer() -> None:
    for chain in catalogue().chains.values():
        assert len(set(chain.links)) == len(chain.links)
