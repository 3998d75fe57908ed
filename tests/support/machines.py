"""Whole machines as plain facts: the parts that every one has, a working GPU machine, WSL, a Jetson board."""

from __future__ import annotations

from typing import Any

UNSET = {"unknown": "not_applicable", "detail": "not set"}
ABSENT = {"unknown": "not_installed", "detail": "absent"}
SILENT = {"unknown": "no_data", "detail": "not told"}
H100 = "NVIDIA H100 80GB HBM3"
CU128 = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
UNAVAILABLE = {"torch.cuda_available": False, "torch.device_count": 0}
CUDA_SILENT = {"cuda.device_count": SILENT, "cuda.device_names": SILENT}
NVML_SILENT = {"nvml.device_count": SILENT, "nvml.device_names": SILENT, "gpu.compute_capabilities": SILENT}

BARE: dict[str, Any] = {
    "os.name": "Ubuntu 22.04.5 LTS",
    "kernel.name": "Linux",
    "kernel.machine": "x86_64",
    "os.is_wsl": False,
    "os.is_jetson": False,
    "glibc.version": "2.35",
    "python.version": "3.12.3",
    "python.environment": "venv",
    "container.kind": "none",
    "container.nvidia_visible_devices": UNSET,
    "container.nvidia_driver_capabilities": UNSET,
    "env.cuda_visible_devices": UNSET,
    "env.ld_library_path": UNSET,
    "env.ld_preload": UNSET,
    "cgroup.memory_limit_bytes": UNSET,
    "cgroup.pids_limit": UNSET,
    "cgroup.oom_kill_count": 0,
    "shm.size_bytes": 16 << 30,
    "shm.used_bytes": 0,
    "expect.gpus": "any",
    "device.dxg_present": False,
    "device.gpu_node_count": 0,
    "device.gpu_node_errnos": [],
    "device.control_node_errno": "ENOENT",
    "device.uvm_node_errno": "ENOENT",
    "driver.kernel_module_version": ABSENT,
    "driver.modules_loaded": [],
    "libcuda.kind": "absent",
    "libnvidia_ml.kind": "absent",
    "nvml.init_code": 12,
    "nvml.device_count": ABSENT,
    "cuda.init_code": ABSENT,
    "cuda.device_count": ABSENT,
    "packages.names_versions": [],
    "packages.requirement_conflicts": [],
    "packages.duplicates": [],
    "torch.installed": True,
    "torch.import_outcome": "imported",
    "torch.runtime_outcome": "completed",
    "torch.maps_doubled": [],
}


def torch(version: str, cuda: str, codes: list[str]) -> dict[str, Any]:
    """A CUDA build that finds its GPU."""
    return {
        "torch.version": version,
        "torch.build": "cuda",
        "torch.cuda_version": cuda,
        "torch.arch_list": codes,
        "torch.cuda_available": True,
    }


CPU_TORCH = {"torch.version": "2.13.0+cpu", "torch.build": "cpu", "torch.cuda_version": UNSET, **UNAVAILABLE}


def machine(driver: str, cuda: str, names: list[str], capability: str, **more: Any) -> dict[str, Any]:
    """A working GPU machine; `more` replaces facts, their dots written as two underscores."""
    count = len(names)
    each = {
        "gpu.compute_capabilities": capability,
        "gpu.nvml_error_codes": 0,
        "gpu.recovery_actions": "none",
        "gpu.ecc_volatile_uncorrected": 0,
        "gpu.remapping_failed": False,
        "gpu.remapping_pending": False,
        "gpu.retirement_pending": UNSET,
        "gpu.clock_event_reasons": "gpu_idle",
        "gpu.mig_enabled": False,
        "gpu.mig_device_counts": 0,
        "gpu.compute_modes": "default",
        "gpu.fabric_states": "not_supported",
        "gpu.memory_used_bytes": 500 << 20,
        "gpu.memory_total_bytes": 80 << 30,
        "gpu.process_counts": 0,
        "gpu.utilisation_percent": 0,
    }
    return {
        **BARE,
        "driver.kernel_module_version": driver,
        "libcuda.kind": "real",
        "libcuda.version": driver,
        "libnvidia_ml.kind": "real",
        "libnvidia_ml.version": driver,
        "device.gpu_node_count": count,
        "device.gpu_node_errnos": [""] * count,
        "device.control_node_errno": "",
        "device.uvm_node_errno": "",
        "device.uvm_node_major": 511,
        "device.uvm_registered_major": 511,
        "nvml.outcome": "ok",
        "nvml.init_code": 0,
        "nvml.driver_version": driver,
        "nvml.cuda_version": cuda,
        "nvml.device_count": count,
        "nvml.device_names": names,
        "cuda.init_outcome": "ok",
        "cuda.init_code": 0,
        "cuda.driver_api_version": cuda,
        "cuda.device_count": count,
        "cuda.device_names": names,
        **{key: [one] * count for key, one in each.items()},
        **{key.replace("__", "."): one for key, one in more.items()},
    }


def wsl() -> dict[str, Any]:
    """WSL2: a Windows driver, no nodes, the libraries in a folder of Windows."""
    base = machine("577.00", "12.9", ["NVIDIA GeForce RTX 3080 Laptop GPU"], "8.6", os__is_wsl=True)
    missing = ("device.", "driver.", "libcuda.version", "libnvidia_ml.version")
    own = {key: one for key, one in base.items() if not key.startswith(missing)}
    return {**own, "device.dxg_present": True, "device.gpu_node_count": 0, **torch("2.8.0+cu128", "12.8", CU128)}


JETSON = {
    **BARE,
    "os.is_jetson": True,
    "kernel.machine": "aarch64",
    "libcuda.kind": "real",
    "cuda.init_code": 0,
    "cuda.driver_api_version": "12.6",
    "cuda.device_count": 1,
    "cuda.device_names": ["Orin"],
    "cuda.device_compute_capabilities": ["8.7"],
    **torch("2.5.0a0+872d972e41.nv24.08", "12.6", ["sm_87"]),
}
