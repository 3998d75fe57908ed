"""Every way in which the fake driver can be sick, as data: which function, which fault, and which facts it may cost.

The end-to-end tests and those of the collectors share these lists. `test_driver_faults` holds that the functions here
are exactly those that the children call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NVML_CODES = (*range(1, 31), 999)
CUDA_CODES = (1, 2, 3, 34, 35, 46, 100, 101, 201, 209, 214, 304, 801, 802, 803, 804, 999)
CUDA_NAMES = {
    1: "CUDA_ERROR_INVALID_VALUE",
    2: "CUDA_ERROR_OUT_OF_MEMORY",
    3: "CUDA_ERROR_NOT_INITIALIZED",
    34: "CUDA_ERROR_STUB_LIBRARY",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    100: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    201: "CUDA_ERROR_INVALID_CONTEXT",
    209: "CUDA_ERROR_NO_BINARY_FOR_GPU",
    214: "CUDA_ERROR_ECC_UNCORRECTABLE",
    304: "CUDA_ERROR_OPERATING_SYSTEM",
    801: "CUDA_ERROR_NOT_SUPPORTED",
    802: "CUDA_ERROR_SYSTEM_NOT_READY",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    999: "CUDA_ERROR_UNKNOWN",
}
# The settings that make every function below worth calling: a GPU with MIG devices, a link that is up, a fabric.
RICH = {"mig": 1, "mig.devices": 2, "field230": 0, "field82": 47, "fabric.state": 3, "procs": "4242:1048576"}

NVML_SYSTEM: dict[str, tuple[str, ...]] = {
    "nvmlSystemGetDriverVersion": ("nvml.driver_version",),
    "nvmlSystemGetCudaDriverVersion_v2": ("nvml.cuda_version",),
    "nvmlSystemGetNVMLVersion": ("nvml.library_version",),
}
# When one of these fails, nothing that comes after it can be known.
NVML_VITAL = ("nvmlInitWithFlags", "nvmlDeviceGetCount_v2")
# The per-device facts that each function alone gives.
NVML_DEVICE: dict[str, tuple[str, ...]] = {
    "nvmlDeviceGetName": ("nvml.device_names",),
    "nvmlDeviceGetCudaComputeCapability": ("gpu.compute_capabilities",),
    "nvmlDeviceGetMemoryInfo": ("gpu.memory_total_bytes", "gpu.memory_used_bytes", "gpu.memory_free_bytes"),
    "nvmlDeviceGetPciInfo_v3": ("gpu.bus_ids",),
    "nvmlDeviceGetUUID": ("gpu.uuids", "gpu.mig_device_counts"),
    "nvmlDeviceGetComputeRunningProcesses_v3": ("gpu.process_counts", "gpu.process_memory_bytes"),
    "nvmlDeviceGetGraphicsRunningProcesses_v3": (),
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": (),
    "nvmlDeviceGetMinorNumber": ("gpu.minor_numbers",),
    "nvmlDeviceGetMigMode": ("gpu.mig_enabled", "gpu.mig_pending_enabled", "gpu.mig_device_counts"),
    "nvmlDeviceGetComputeMode": ("gpu.compute_modes",),
    "nvmlDeviceGetPersistenceMode": ("gpu.persistence_enabled",),
    "nvmlDeviceGetEccMode": ("gpu.ecc_enabled", "gpu.ecc_pending_enabled"),
    "nvmlDeviceGetTotalEccErrors": (
        "gpu.ecc_volatile_corrected",
        "gpu.ecc_volatile_uncorrected",
        "gpu.ecc_aggregate_corrected",
        "gpu.ecc_aggregate_uncorrected",
    ),
    "nvmlDeviceGetRemappedRows": (
        "gpu.remapped_rows_corrected",
        "gpu.remapped_rows_uncorrected",
        "gpu.remapping_pending",
        "gpu.remapping_failed",
    ),
    "nvmlDeviceGetRetiredPages": ("gpu.retired_pages_single_bit", "gpu.retired_pages_double_bit"),
    "nvmlDeviceGetRetiredPagesPendingStatus": ("gpu.retirement_pending",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("gpu.clock_event_reasons",),
    "nvmlDeviceGetTemperature": ("gpu.temperature_celsius",),
    "nvmlDeviceGetTemperatureThreshold": ("gpu.temperature_slowdown_celsius", "gpu.temperature_shutdown_celsius"),
    "nvmlDeviceGetPowerUsage": ("gpu.power_draw_watts",),
    "nvmlDeviceGetEnforcedPowerLimit": ("gpu.power_limit_watts",),
    "nvmlDeviceGetPowerManagementDefaultLimit": ("gpu.power_default_limit_watts",),
    "nvmlDeviceGetPerformanceState": ("gpu.performance_states",),
    "nvmlDeviceGetClockInfo": ("gpu.clock_sm_megahertz", "gpu.clock_memory_megahertz"),
    "nvmlDeviceGetMaxClockInfo": ("gpu.clock_sm_maximum_megahertz", "gpu.clock_memory_maximum_megahertz"),
    "nvmlDeviceGetCurrPcieLinkGeneration": ("gpu.pcie_generations",),
    "nvmlDeviceGetMaxPcieLinkGeneration": ("gpu.pcie_generation_maximums",),
    "nvmlDeviceGetCurrPcieLinkWidth": ("gpu.pcie_widths",),
    "nvmlDeviceGetMaxPcieLinkWidth": ("gpu.pcie_width_maximums",),
    "nvmlDeviceGetPcieReplayCounter": ("gpu.pcie_replays",),
    "nvmlDeviceGetUtilizationRates": ("gpu.utilisation_percent",),
    "nvmlDeviceGetNvLinkState": ("gpu.nvlinks_active", "gpu.nvlinks_inactive", "gpu.nvlink_errors"),
    "nvmlDeviceGetNvLinkErrorCounter": ("gpu.nvlink_errors",),
    "nvmlDeviceGetGpuFabricInfoV": ("gpu.fabric_states", "gpu.fabric_status_codes", "gpu.fabric_health"),
    "nvmlDeviceGetFieldValues": ("gpu.recovery_actions", "gpu.temperature_memory_celsius"),
    "nvmlDeviceGetSramEccErrorStatus": ("gpu.sram_uncorrected", "gpu.sram_threshold_exceeded"),
    "nvmlDeviceGetRepairStatus": ("gpu.channel_repair_pending", "gpu.tpc_repair_pending"),
    "nvmlDeviceGetFanSpeed": ("gpu.fan_percent",),
    "nvmlDeviceGetBAR1MemoryInfo": ("gpu.bar1_total_bytes", "gpu.bar1_used_bytes"),
    "nvmlDeviceGetC2cModeInfoV": ("gpu.c2c_enabled",),
    "nvmlDeviceGetVbiosVersion": ("gpu.vbios_versions",),
    "nvmlDeviceGetGspFirmwareVersion": ("gpu.gsp_firmware_versions",),
    "nvmlDeviceGetGspFirmwareMode": ("gpu.gsp_enabled",),
    "nvmlDeviceGetVirtualizationMode": ("gpu.virtualisation_modes",),
    "nvmlDeviceGetSerial": ("gpu.serials",),
    "nvmlDeviceGetMaxMigDeviceCount": ("gpu.mig_device_counts",),
    "nvmlDeviceGetMigDeviceHandleByIndex": ("gpu.mig_device_counts",),
}
# These cost one whole GPU.
NVML_HANDLE = "nvmlDeviceGetHandleByIndex_v2"
# Elements of lists over pairs of GPUs.
NVML_PAIR: dict[str, tuple[str, ...]] = {
    "nvmlDeviceGetTopologyCommonAncestor": ("gpu.pair_topologies",),
    "nvmlDeviceGetP2PStatus": ("gpu.pair_p2p_reads", "gpu.pair_p2p_nvlinks"),
}
# A driver without the function is asked with an older or newer one, so "function not found" costs nothing.
HAVE_ANOTHER_WAY = frozenset(
    {
        "nvmlSystemGetCudaDriverVersion_v2",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetGpuFabricInfoV",
    }
)
# What is lost where the other way tells less.
OTHER_WAY_LOSES = {"nvmlDeviceGetGpuFabricInfoV": ("gpu.fabric_health",)}
# "No such instance" is how NVML says that a slot for a MIG device is free.
MEAN_NOTHING_WRONG = frozenset({("nvmlDeviceGetMigDeviceHandleByIndex", 2), ("nvmlDeviceGetMigDeviceHandleByIndex", 6)})

CUDA_SYSTEM: dict[str, tuple[str, ...]] = {"cuDriverGetVersion": ("cuda.driver_api_version",)}
CUDA_VITAL = ("cuInit", "cuDeviceGetCount")
CUDA_DEVICE: dict[str, tuple[str, ...]] = {
    "cuDeviceGetName": ("cuda.device_names",),
    "cuDeviceGetAttribute": ("cuda.device_compute_capabilities",),
    "cuDeviceTotalMem_v2": ("cuda.device_memory_bytes",),
    "cuDeviceGetPCIBusId": ("cuda.device_bus_ids",),
}
CUDA_HANDLE = "cuDeviceGet"
CUDA_WORDS = {"cuGetErrorName": ("cuda.init_name",), "cuGetErrorString": ("cuda.init_text",)}

DEADLY = ("segv", "abort", "exit", "hang")


@dataclass(frozen=True)
class Fault:
    """One sick function. `gpu` is the only device that is sick, or None for all (and for the machine's functions).

    `costs` are the facts that may be unknown because of it.
    """

    function: str
    kind: str
    value: int = 1
    gpu: int | None = None
    costs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def settings(self) -> dict[str, object]:
        """What makes the fake driver sick in this way."""
        prefix = "" if self.gpu is None else f"gpu{self.gpu}."
        return {f"{prefix}{self.kind}.{self.function}": self.value}

    @property
    def id(self) -> str:
        """A short name for a test."""
        where = "" if self.gpu is None else f"-gpu{self.gpu}"
        return f"{self.function}-{self.kind}-{self.value}{where}"


def refusals() -> list[Fault]:
    """Every error code of every function that concerns the whole machine."""
    nvml = {**NVML_SYSTEM, **dict.fromkeys(NVML_VITAL, ())}
    cuda = {**CUDA_SYSTEM, **dict.fromkeys(CUDA_VITAL, ())}
    return [
        *(Fault(function, "fail", code, None, costs) for function, costs in nvml.items() for code in NVML_CODES),
        *(Fault(function, "fail", code, None, costs) for function, costs in cuda.items() for code in CUDA_CODES),
    ]


def device_refusals() -> list[Fault]:
    """Every error code of every per-device function, for GPU 1 alone."""
    everything = {**NVML_DEVICE, NVML_HANDLE: ()}
    cuda = {**CUDA_DEVICE, CUDA_HANDLE: ()}
    return [
        *(Fault(function, "fail", code, 1, costs) for function, costs in everything.items() for code in NVML_CODES),
        *(Fault(function, "fail", code, 1, costs) for function, costs in cuda.items() for code in CUDA_CODES),
    ]


def deaths(kinds: tuple[str, ...] = DEADLY) -> list[Fault]:
    """Every function dying or hanging in every way; the per-device ones on GPU 1 alone. A hang takes an hour."""
    machine = {**NVML_SYSTEM, **dict.fromkeys(NVML_VITAL, ()), **CUDA_SYSTEM, **dict.fromkeys(CUDA_VITAL, ())}
    devices = {**NVML_DEVICE, NVML_HANDLE: (), **CUDA_DEVICE, CUDA_HANDLE: ()}
    value = {"segv": 1, "abort": 1, "exit": 3, "hang": 3600}
    return [
        *(Fault(function, kind, value[kind], None, costs) for function, costs in machine.items() for kind in kinds),
        *(Fault(function, kind, value[kind], 1, costs) for function, costs in devices.items() for kind in kinds),
    ]
