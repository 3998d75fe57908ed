"""Healthy environments that look odd: other vendors, slices, virtual GPUs, shared GPUs, clouds, clusters, own builds.

Each is what somebody runs without complaint, so none may get an error or a warning; the notes that it gets are listed,
because a note that is not true is as bad.
"""

from __future__ import annotations

from typing import Any

import pytest

from derived import judged
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from machines import ABSENT, BARE, H100, JETSON, SILENT, UNAVAILABLE, UNSET, machine, wsl

PERMISSION = {"unknown": "permission_denied", "detail": "NVML error 4"}
UNSUPPORTED = {"unknown": "not_applicable", "detail": "NVML error 3"}
A100, A100_40, RTX4090 = "NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB", "NVIDIA GeForce RTX 4090"
SLICE = "MIG-41b36db2-5cde-5a3a-a4ae-1b0a9b4b5a55"
CUDA_OF = {"535": "12.2", "550": "12.4", "570": "12.8", "580": "13.0"}
ARCHITECTURES = {
    "12": ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"],
    "13": ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"],
}
MADE = {
    "2.4.0+cu124": ("12.4", "0.19.0", "3.0.0"),
    "2.5.1+cu121": ("12.1", "0.20.1", "3.1.0"),
    "2.6.0+cu124": ("12.4", "0.21.0", "3.2.0"),
    "2.7.1+cu128": ("12.8", "0.22.1", "3.3.1"),
    "2.9.1+cu128": ("12.8", "0.24.1", "3.5.1"),
    "2.12.0+cu130": ("13.0", "", ""),
    "2.13.0+cu130": ("13.0", "", ""),
}


def gpus(name: str, capability: str, count: int, driver: str, torch: str, **more: Any) -> dict[str, Any]:
    """A working machine; `more` replaces facts, their dots written as two underscores."""
    cuda, vision, triton = MADE[torch]
    local = torch.partition("+")[2]
    base = machine(driver, CUDA_OF[driver.split(".")[0]], [name] * count, capability)
    partners = {"torchvision.version": f"{vision}+{local}", "triton.version": triton} if vision else {}
    return {
        **base,
        "torch.version": torch,
        "torch.metadata_version": torch,
        "torch.build": "cuda",
        "torch.cuda_version": cuda,
        "torch.cuda_available": True,
        "torch.device_count": count,
        "torch.arch_list": ARCHITECTURES[cuda.split(".")[0]],
        "numpy.version": "2.1.3",
        "compiler.c_path": "/usr/bin/gcc",
        **partners,
        **{key.replace("__", "."): one for key, one in more.items()},
    }


ROCM = {
    **BARE,
    "torch.version": "2.9.1+rocm6.4",
    "torch.build": "rocm",
    "torch.hip_version": "6.4.43484",
    "torch.cuda_version": UNSET,
    "torch.cuda_available": True,
    "torch.device_count": 8,
    "torch.device_names": ["AMD Instinct MI300X"] * 8,
    "container.kind": "docker",
    "env.hip_visible_devices": "0,1,2,3",
    "expect.gpus": "8",
    "compiler.c_path": "/usr/bin/gcc",
}
SHARED = {
    "container__kind": "kubernetes",
    "container__nvidia_visible_devices": "GPU-fa4e0000-0000-0000-0000-000000000001",
    "gpu__memory_used_bytes": [61 << 30],
    "gpu__process_counts": [0],
    "gpu__processes": [],
    "gpu__utilisation_percent": [97],
}
NGC = "2.9.0a0+50eac811a6.nv25.09"
# environment -> its facts, and the notes that it gets (that its driver's branch has ended is always true of some)
ODD: dict[str, tuple[dict[str, Any], set[str]]] = {
    "ROCm in docker": (ROCM, set()),
    "Intel's GPUs": (
        {**BARE, **UNAVAILABLE, "torch.version": "2.8.0+xpu", "torch.build": "xpu", "torch.cuda_version": UNSET},
        set(),
    ),
    "a Mac": (
        {
            **BARE, **UNAVAILABLE, "kernel.name": "Darwin", "kernel.machine": "arm64", "os.name": "macOS 15.1",
            "torch.version": "2.8.0", "torch.build": "cpu", "torch.cuda_version": UNSET, "glibc.version": UNSUPPORTED,
        },
        set(),
    ),
    "a MIG slice in Kubernetes, where NVML tells little": (
        gpus(
            H100, "9.0", 1, "550.144.03", "2.6.0+cu124", container__kind="kubernetes",
            container__nvidia_visible_devices=SLICE, gpu__mig_enabled=[True], gpu__mig_device_counts=[1],
            gpu__ecc_volatile_uncorrected=[PERMISSION], gpu__memory_used_bytes=[PERMISSION],
            gpu__memory_total_bytes=[PERMISSION], gpu__process_counts=[PERMISSION],
            gpu__utilisation_percent=[UNSUPPORTED], gpu__clock_event_reasons=[PERMISSION],
            gpu__remapping_failed=[PERMISSION], gpu__remapping_pending=[PERMISSION],
            cuda__device_names=[f"{H100} MIG 1g.10gb"], torch__device_names=[f"{H100} MIG 1g.10gb"],
        ),
        set(),
    ),
    "one of seven MIG slices by its name": (
        gpus(
            A100, "8.0", 2, "535.161.08", "2.5.1+cu121", gpu__mig_enabled=[True, False],
            gpu__mig_device_counts=[7, 0], env__cuda_visible_devices=SLICE, cuda__device_count=1,
            torch__device_count=1, cuda__device_names=[f"{A100} MIG 1g.10gb"],
        ),
        set(),
    ),
    "a virtual GPU": (
        gpus(
            "NVIDIA L40S-24Q", "8.9", 1, "550.90.07", "2.6.0+cu124", gpu__virtualisation_modes=["vgpu"],
            gpu__ecc_volatile_uncorrected=[UNSUPPORTED], gpu__remapping_failed=[UNSUPPORTED],
            gpu__remapping_pending=[UNSUPPORTED], gpu__clock_event_reasons=[UNSUPPORTED],
            gpu__utilisation_percent=[UNSUPPORTED], gpu__pcie_widths=[0], gpu__pcie_width_maximums=[0],
            gpu__memory_total_bytes=[24 << 30], gpu__persistence_enabled=[False],
        ),
        set(),
    ),
    "Python without the global lock": (
        gpus(RTX4090, "8.9", 1, "580.95.05", "2.9.1+cu128", python__version="3.14.0", python__free_threaded=True),
        set(),
    ),
    "conda, PyTorch's old channel": (
        gpus(
            "NVIDIA A10", "8.6", 1, "535.104.05", "2.5.1+cu121", torch__version="2.5.1", torch__installer="conda",
            torch__metadata_version="2.5.1", torchvision__version="0.20.1", python__environment="conda",
            env__conda_prefix="/opt/conda", env__ld_library_path="/opt/conda/lib",
        ),
        set(),
    ),
    "conda-forge's own build": (
        gpus(
            "NVIDIA A10", "8.6", 1, "580.95.05", "2.7.1+cu128", torch__version="2.7.1.post302",
            torch__metadata_version="2.7.1.post302", torch__cuda_version="12.9", torch__installer="conda",
            python__environment="conda", torchvision__version="0.22.0", triton__version="3.3.0",
        ),
        set(),
    ),
    "rootless podman": (
        gpus(
            RTX4090, "8.9", 1, "570.124.06", "2.7.1+cu128", container__kind="podman", process__is_root=True,
            process__in_user_namespace=True, process__capabilities=[], cgroup__memory_limit_bytes=SILENT,
            cgroup__oom_kill_count=SILENT, shm__size_bytes=65_536_000, init__name="catatonit",
            init__reaps_children=True,
        ),
        {"shm-small"},
    ),
    "a GPU in time slices": (gpus(A100, "8.0", 1, "535.161.08", "2.5.1+cu121", **SHARED), {"gpu-occupied"}),
    "a share of a GPU by a preloaded library": (
        gpus(A100, "8.0", 1, "535.161.08", "2.5.1+cu121", **SHARED, env__ld_preload="/usr/local/vgpu/libvgpu.so"),
        {"gpu-occupied", "library-preloaded"},
    ),
    "GB200 NVL72": (
        gpus(
            "NVIDIA GB200", "10.0", 4, "580.95.05", "2.12.0+cu130", kernel__machine="aarch64",
            gpu__fabric_states=["completed"] * 4, gpu__fabric_health=["none"] * 4, gpu__fabric_status_codes=[0] * 4,
            gpu__nvlinks_active=[18] * 4, gpu__nvlinks_inactive=[0] * 4, gpu__c2c_enabled=[True] * 4,
            device__imex_channel_count=1, cpu__numa_node_count=34,
        ),
        set(),
    ),
    "GB10, whose memory is the machine's": (
        gpus(
            "NVIDIA GB10", "12.1", 1, "580.95.05", "2.13.0+cu130", kernel__machine="aarch64",
            gpu__memory_total_bytes=[UNSUPPORTED], gpu__memory_used_bytes=[UNSUPPORTED],
            gpu__clock_event_reasons=[UNSUPPORTED], gpu__ecc_volatile_uncorrected=[UNSUPPORTED],
        ),
        set(),
    ),
    "NVIDIA's image on an older data-center driver": (
        gpus(
            H100, "9.0", 8, "535.161.08", "2.12.0+cu130", torch__version=NGC, torch__metadata_version=NGC,
            container__kind="docker", env__ld_library_path="/usr/local/cuda/compat/lib:/usr/local/nvidia/lib64",
            cuda_toolkit__compat_in_library_path=True, libcuda__version="580.82.07", cuda__driver_api_version="13.0",
            libcuda__path="/usr/local/cuda/compat/lib/libcuda.so.1", torchvision__version="0.24.0a0",
            numpy__version="1.26.4", shm__size_bytes=64 << 30, init__name="docker-init", init__reaps_children=True,
        ),
        {"forward-compat-in-use", "torch-is-no-official-build"},
    ),
    "docker under WSL2": (
        {**wsl(), "container.kind": "docker", "container.nvidia_visible_devices": "all", "init.reaps_children": True},
        set(),
    ),
    "a notebook in the cloud": (
        gpus(
            "Tesla T4", "7.5", 1, "550.54.15", "2.6.0+cu124", container__kind="docker", process__is_root=True,
            env__ld_preload="/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4", env__ld_library_path="/usr/lib64-nvidia",
            container__nvidia_visible_devices="all", init__name="docker-init", init__reaps_children=True,
        ),
        {"library-preloaded"},
    ),
    "Apptainer on a cluster": (
        gpus(
            A100_40, "8.0", 4, "550.54.14", "2.4.0+cu124", container__kind="apptainer",
            env__ld_library_path="/.singularity.d/libs", disk__root_is_read_only=True, mounts__home_is_network=True,
        ),
        set(),
    ),
    "a toolkit of the cluster's modules": (
        gpus(
            A100_40, "8.0", 4, "550.54.14", "2.4.0+cu124", job__scheduler="slurm",
            env__ld_library_path="/opt/nvidia/hpc_sdk/Linux_x86_64/24.5/math_libs/lib64:/opt/cray/libfabric/lib64",
            env__cuda_home="/opt/cuda-12.4", cuda_toolkit__nvcc_version="12.4.131",
        ),
        set(),
    ),
    "a multi-process server": (
        gpus(
            A100, "8.0", 1, "535.161.08", "2.5.1+cu121", gpu__compute_modes=["exclusive_process"],
            env__cuda_mps_pipe_directory="/tmp/nvidia-mps", gpu__process_counts=[1],
            gpu__processes=["gpu:0 pid 77 compute 30000000 bytes"], gpu__memory_used_bytes=[600 << 20],
        ),
        set(),
    ),
    "no GPU wanted on a GPU machine": (
        gpus(
            H100, "9.0", 8, "550.163.01", "2.6.0+cu124", env__cuda_visible_devices="", torch__cuda_available=False,
            torch__device_count=0, expect__gpus="none", cuda__init_code=100, cuda__device_count=UNSUPPORTED,
        ),
        set(),
    ),
    "one of eight by its UUID": (
        gpus(
            H100, "9.0", 8, "550.163.01", "2.6.0+cu124", env__cuda_visible_devices="GPU-fa4e0000",
            torch__device_count=1, cuda__device_count=1, cuda__device_names=[H100],
        ),
        set(),
    ),
    "a desktop with two boards and idle links": (
        gpus(
            "NVIDIA GeForce RTX 3090", "8.6", 2, "580.95.05", "2.7.1+cu128", gpu__pcie_widths=[8, 8],
            gpu__pcie_width_maximums=[16, 16], gpu__pcie_generations=[1, 1], gpu__pcie_generation_maximums=[4, 4],
            gpu__memory_used_bytes=[900 << 20, 5 << 20], gpu__clock_event_reasons=["sw_power_cap", "gpu_idle"],
            gpu__nvlinks_active=[0, 0], gpu__nvlinks_inactive=[4, 4],
            gpu__ecc_volatile_uncorrected=[UNSUPPORTED, UNSUPPORTED],
        ),
        {"gpu-pcie-narrow"},
    ),
    "a sandbox that shows nothing of the kernel": (
        gpus(
            "Tesla T4", "7.5", 1, "550.163.01", "2.6.0+cu124", container__kind="docker", init__reaps_children=True,
            driver__kernel_module_version=SILENT, device__uvm_registered_major=SILENT, driver__modules_loaded=SILENT,
        ),
        set(),
    ),
    "Jetson Thor": (
        {
            **JETSON, "cuda.device_names": ["NVIDIA Thor"], "cuda.device_compute_capabilities": ["11.0"],
            "cuda.driver_api_version": "13.0", "torch.version": "2.9.0+cu130", "torch.cuda_version": "13.0",
            "torch.arch_list": ["sm_80", "sm_90", "sm_100", "sm_110", "sm_120"],
        },
        set(),
    ),
    "a torch built here": (
        gpus(
            H100, "9.0", 1, "580.82.07", "2.12.0+cu130", torch__version="2.10.0a0+gitabc1234",
            torch__metadata_version="2.10.0a0+gitabc1234", torchvision__version="0.25.0a0+12",
            triton__version="3.5.0+git", torchaudio__version=ABSENT,
        ),
        {"torch-is-no-official-build"},
    ),
}  # fmt: skip
ALWAYS_ALLOWED = {"driver-branch-ended"}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_but_healthy_environment_is_left_in_peace(name: str) -> None:
    facts, notes = ODD[name]
    judgement = judged(facts)
    failed = [one for one in judgement.findings if one.kind is Kind.FAIL]
    shouted = [f"{one.check}: {one.message}" for one in failed if one.severity is not Severity.NOTE]
    assert shouted == []
    assert judgement.health is Health.HEALTHY
    assert {one.check for one in failed} - ALWAYS_ALLOWED == notes
