"""The child that loads NVML and asks it everything that tells a GPU's health, one step for each call and device.

It runs alone, with nothing of gpudoctor but its neighbour `driver_steps`, and imports only pynvml (nvidia-ml-py).
A crash or hang inside the library costs what comes after it; a second child then leaves the killer out.
Of the processes on a GPU, NVML tells only those that it lets this container see, with the host's process ids.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # PYTHONSAFEPATH leaves it out

from driver_steps import MACHINE, RefusedError, Steps, loaded_path  # type: ignore[import-not-found]

SONAME = "libnvidia-ml.so.1"
FUNCTION_NOT_FOUND = 13
NOT_SUPPORTED = 3
INVALID_ARGUMENT = 2
MAXIMUM_LINKS = 36
LINK_COUNTERS = ("replay", "recovery", "crc_flit", "crc_data")
RECOVERY_ACTION_FIELD, MEMORY_TEMPERATURE_FIELD = 230, 82
# The capability indices of a pair of GPUs; pynvml's own constant for reading is a tuple by mistake.
P2P_READ, P2P_NVLINK = 0, 2

try:
    import pynvml
except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is the answer
    pynvml = None
    import_error = f"{type(error).__name__}: {error}"

Read = Callable[..., Any]
tellers: list[Callable[[str], None]] = []  # filled by main: who is told of each call before it is made


# Laid out here, because pynvml 12.535 has the first of them with a cluster id of 80 bytes and so reads the wrong place.
class Fabric(ctypes.Structure):
    """What NVML fills in for a GPU on an NVLink fabric."""

    _fields_ = (
        ("cluster", ctypes.c_ubyte * 16),
        ("status", ctypes.c_int),
        ("clique", ctypes.c_uint),
        ("state", ctypes.c_uint),
    )


class FabricWithHealth(ctypes.Structure):
    """The same in its second version."""

    _fields_ = (("version", ctypes.c_uint), *Fabric._fields_, ("health", ctypes.c_uint))


class SramErrors(ctypes.Structure):
    """What NVML fills in for the caches and registers of a GPU; pynvml before 12.555 has no such structure."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("aggregate", ctypes.c_ulonglong * 3),
        ("volatile", ctypes.c_ulonglong * 3),
        ("buckets", ctypes.c_ulonglong * 5),
        ("threshold_exceeded", ctypes.c_uint),
    )


def tell(name: str) -> None:
    """Announce a call."""
    for teller in tellers:
        teller(name)


def call(name: str, *arguments: Any) -> Any:
    """One function of pynvml. A refusal carries NVML's code; a pynvml too old to know the function reads as code 13."""
    function = getattr(pynvml, name, None)
    if function is None:
        raise RefusedError(FUNCTION_NOT_FOUND)
    tell(name)
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        raise RefusedError(int(error.value)) from None


def plain(name: str, *arguments: Any) -> Read:
    """A reader that gives what the function gives."""
    return lambda handle: _text(call(name, handle, *arguments))


def fields(name: str, *wanted: str) -> Read:
    """A reader that gives some fields of the structure that the function gives."""

    def read(handle: Any) -> Any:
        answer = call(name, handle)
        return [_text(getattr(answer, field)) for field in wanted]

    return read


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def processes(name: str) -> Read:
    """A reader of process lists: pairs of process id and bytes (null where NVML does not tell)."""
    return lambda handle: [[one.pid, one.usedGpuMemory] for one in call(name, handle)]


def nvlink_states(handle: Any) -> list[Any]:
    """For each link 1 (up), 0 (down) or null (not there)."""
    states: list[Any] = []
    for link in range(MAXIMUM_LINKS):
        try:
            states.append(call("nvmlDeviceGetNvLinkState", handle, link))
        except RefusedError as refused:
            if not states or refused.code not in (INVALID_ARGUMENT, NOT_SUPPORTED):
                raise
            if refused.code == INVALID_ARGUMENT:
                break
            states.append(None)
    return states


def nvlink_errors(handle: Any) -> list[list[Any]]:
    """The error counters that are not zero, as link, counter and number. A link that is down has none."""
    found = []
    for link, state in enumerate(nvlink_states(handle)):
        for index, counter in enumerate(LINK_COUNTERS if state else ()):
            number = call("nvmlDeviceGetNvLinkErrorCounter", handle, link, index)
            if number:
                found.append([link, counter, number])
    return found


def fabric_before_health(handle: Any) -> list[Any]:
    """The same from drivers that do not tell the fabric's health yet."""
    answer = Fabric()
    call("nvmlDeviceGetGpuFabricInfo", handle, ctypes.byref(answer))
    return [answer.state, answer.status, None]


def gsp_firmware(handle: Any) -> Any:
    """The firmware's version. The buffers are handed over because older pynvml does not make them itself."""
    buffer = ctypes.create_string_buffer(64)
    call("nvmlDeviceGetGspFirmwareVersion", handle, buffer)
    return _text(buffer.value)


def gsp_mode(handle: Any) -> list[int]:
    """Whether the system processor runs firmware, and whether it does by default."""
    enabled, standard = ctypes.c_uint(), ctypes.c_uint()
    call("nvmlDeviceGetGspFirmwareMode", handle, ctypes.byref(enabled), ctypes.byref(standard))
    return [enabled.value, standard.value]


def fabric(handle: Any) -> list[Any]:
    """State, status and health mask of the NVLink fabric that the GPU belongs to."""
    answer = FabricWithHealth(version=2 << 24 | ctypes.sizeof(FabricWithHealth))
    call("nvmlDeviceGetGpuFabricInfoV", handle, ctypes.byref(answer))
    return [answer.state, answer.status, answer.health]


def one_field(field: int) -> Callable[[str], Read]:
    """A maker of readers of a field that NVML knows by number only."""

    def read(handle: Any, name: str) -> int:
        value = call(name, handle, [field])[0]
        if value.nvmlReturn:
            raise RefusedError(int(value.nvmlReturn))
        return int(value.value.uiVal)

    return lambda name: lambda handle: read(handle, name)


def sram(handle: Any) -> list[int]:
    """Uncorrected errors of the caches and registers over the GPU's life, and whether NVIDIA's limit was passed."""
    answer = SramErrors(version=1 << 24 | ctypes.sizeof(SramErrors))
    call("nvmlDeviceGetSramEccErrorStatus", handle, ctypes.byref(answer))
    return [answer.aggregate[0] + answer.aggregate[1], answer.threshold_exceeded]


def mig_devices(handle: Any) -> list[str]:
    """The UUIDs of the MIG devices on a GPU."""
    found = []
    for index in range(call("nvmlDeviceGetMaxMigDeviceCount", handle)):
        try:
            device = call("nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        except RefusedError as refused:
            if refused.code not in (INVALID_ARGUMENT, 6):  # 6: no such instance
                raise
            continue
        found.append(_text(call("nvmlDeviceGetUUID", device)))
    return found


# pynvml refuses the names without a version once the driver lacks the newest version, so these are asked for by number.
# Each step with the functions that can answer it, the newest first: a driver too old for one is asked with the next.
DEVICE_STEPS: tuple[tuple[str, tuple[tuple[str, Read], ...]], ...] = tuple(
    (step, tuple((one, make(one)) for one in names))
    for step, make, names in (
        ("name", plain, ("nvmlDeviceGetName",)),
        ("compute_capability", plain, ("nvmlDeviceGetCudaComputeCapability",)),
        ("memory", lambda name: fields(name, "total", "used", "free"), ("nvmlDeviceGetMemoryInfo",)),
        ("pci", lambda name: fields(name, "busId"), ("nvmlDeviceGetPciInfo",)),
        ("uuid", plain, ("nvmlDeviceGetUUID",)),
        (
            "processes_compute",
            processes,
            ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"),
        ),
        (
            "processes_graphics",
            processes,
            ("nvmlDeviceGetGraphicsRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v2"),
        ),
        (
            "processes_mps",
            processes,
            ("nvmlDeviceGetMPSComputeRunningProcesses_v3", "nvmlDeviceGetMPSComputeRunningProcesses_v2"),
        ),
        ("minor", plain, ("nvmlDeviceGetMinorNumber",)),
        ("mig_mode", plain, ("nvmlDeviceGetMigMode",)),
        ("compute_mode", plain, ("nvmlDeviceGetComputeMode",)),
        ("persistence", plain, ("nvmlDeviceGetPersistenceMode",)),
        ("ecc_mode", plain, ("nvmlDeviceGetEccMode",)),
        ("ecc_volatile_corrected", lambda name: plain(name, 0, 0), ("nvmlDeviceGetTotalEccErrors",)),
        ("ecc_volatile_uncorrected", lambda name: plain(name, 1, 0), ("nvmlDeviceGetTotalEccErrors",)),
        ("ecc_aggregate_corrected", lambda name: plain(name, 0, 1), ("nvmlDeviceGetTotalEccErrors",)),
        ("ecc_aggregate_uncorrected", lambda name: plain(name, 1, 1), ("nvmlDeviceGetTotalEccErrors",)),
        ("remapped_rows", plain, ("nvmlDeviceGetRemappedRows",)),
        (
            "retired_single",
            lambda name: lambda handle: len(call(name, handle, 0)),
            ("nvmlDeviceGetRetiredPages",),
        ),
        (
            "retired_double",
            lambda name: lambda handle: len(call(name, handle, 1)),
            ("nvmlDeviceGetRetiredPages",),
        ),
        ("retired_pending", plain, ("nvmlDeviceGetRetiredPagesPendingStatus",)),
        (
            "clock_event_reasons",
            plain,
            ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
        ),
        (
            "temperature",
            lambda name: plain(name, 0),
            ("nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV"),
        ),
        ("temperature_memory", one_field(MEMORY_TEMPERATURE_FIELD), ("nvmlDeviceGetFieldValues",)),
        ("temperature_shutdown", lambda name: plain(name, 0), ("nvmlDeviceGetTemperatureThreshold",)),
        ("temperature_slowdown", lambda name: plain(name, 1), ("nvmlDeviceGetTemperatureThreshold",)),
        ("power_draw", plain, ("nvmlDeviceGetPowerUsage",)),
        ("power_limit", plain, ("nvmlDeviceGetEnforcedPowerLimit",)),
        ("power_default_limit", plain, ("nvmlDeviceGetPowerManagementDefaultLimit",)),
        ("performance_state", plain, ("nvmlDeviceGetPerformanceState",)),
        ("clock_sm", lambda name: plain(name, 1), ("nvmlDeviceGetClockInfo",)),
        ("clock_memory", lambda name: plain(name, 2), ("nvmlDeviceGetClockInfo",)),
        ("clock_sm_maximum", lambda name: plain(name, 1), ("nvmlDeviceGetMaxClockInfo",)),
        ("clock_memory_maximum", lambda name: plain(name, 2), ("nvmlDeviceGetMaxClockInfo",)),
        ("pcie_generation", plain, ("nvmlDeviceGetCurrPcieLinkGeneration",)),
        ("pcie_generation_maximum", plain, ("nvmlDeviceGetMaxPcieLinkGeneration",)),
        ("pcie_width", plain, ("nvmlDeviceGetCurrPcieLinkWidth",)),
        ("pcie_width_maximum", plain, ("nvmlDeviceGetMaxPcieLinkWidth",)),
        ("pcie_replays", plain, ("nvmlDeviceGetPcieReplayCounter",)),
        ("utilisation", lambda name: fields(name, "gpu", "memory"), ("nvmlDeviceGetUtilizationRates",)),
        ("nvlink_states", lambda name: nvlink_states, ("nvmlDeviceGetNvLinkState",)),
        ("nvlink_errors", lambda name: nvlink_errors, ("nvmlDeviceGetNvLinkErrorCounter",)),
        (
            "fabric",
            {"nvmlDeviceGetGpuFabricInfoV": fabric, "nvmlDeviceGetGpuFabricInfo": fabric_before_health}.__getitem__,
            ("nvmlDeviceGetGpuFabricInfoV", "nvmlDeviceGetGpuFabricInfo"),
        ),
        ("recovery_action", one_field(RECOVERY_ACTION_FIELD), ("nvmlDeviceGetFieldValues",)),
        ("sram", lambda name: sram, ("nvmlDeviceGetSramEccErrorStatus",)),
        ("repair", plain, ("nvmlDeviceGetRepairStatus",)),
        ("fan", plain, ("nvmlDeviceGetFanSpeed",)),
        ("bar1", lambda name: fields(name, "bar1Total", "bar1Used"), ("nvmlDeviceGetBAR1MemoryInfo",)),
        ("c2c", lambda name: fields(name, "isC2cEnabled"), ("nvmlDeviceGetC2cModeInfoV",)),
        ("vbios", plain, ("nvmlDeviceGetVbiosVersion",)),
        ("gsp_firmware", lambda name: gsp_firmware, ("nvmlDeviceGetGspFirmwareVersion",)),
        ("gsp_mode", lambda name: gsp_mode, ("nvmlDeviceGetGspFirmwareMode",)),
        ("virtualisation", plain, ("nvmlDeviceGetVirtualizationMode",)),
        ("serial", plain, ("nvmlDeviceGetSerial",)),
    )
)
PAIR_STEPS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("topology", "nvmlDeviceGetTopologyCommonAncestor", ()),
    ("p2p_read", "nvmlDeviceGetP2PStatus", (P2P_READ,)),
    ("p2p_nvlink", "nvmlDeviceGetP2PStatus", (P2P_NVLINK,)),
)


def newest_first(ways: tuple[tuple[str, Read], ...], handle: Any) -> Any:
    """Ask with the first function that the library has."""
    for position, (_, read) in enumerate(ways):
        try:
            return read(handle)
        except RefusedError as refused:
            if refused.code != FUNCTION_NOT_FOUND or position == len(ways) - 1:
                raise
    return None


def read_devices(steps: Any, count: int) -> None:
    """All steps for all devices: the step that tells most comes first, for every device."""
    handles = {}
    for gpu in range(count):
        held: list[Any] = []

        def grasp(gpu: int = gpu, held: list[Any] = held) -> bool:
            held.append(call("nvmlDeviceGetHandleByIndex", gpu))
            return True

        if steps.take("handle", gpu, grasp):
            handles[gpu] = held[0]
    with_mig = set()
    for step, ways in DEVICE_STEPS:
        for gpu, handle in handles.items():
            value = steps.take(step, gpu, lambda ways=ways, handle=handle: newest_first(ways, handle))
            if step == "mig_mode" and value and value[0]:
                with_mig.add(gpu)
    for gpu in sorted(with_mig):
        steps.take("mig_devices", gpu, lambda gpu=gpu: mig_devices(handles[gpu]))
    for step, name, arguments in PAIR_STEPS:
        for first in handles:
            for second in (gpu for gpu in handles if gpu > first):
                read = lambda a=handles[first], b=handles[second], n=name, x=arguments: call(n, a, b, *x)  # noqa: E731
                steps.take(f"{step}.{second}", first, read)


def tell_error_texts(steps: Any) -> None:
    """NVML's own words for every code that it gave, last, because asking for them is one more call that can fail."""
    for code in list(steps.codes):
        steps.take(f"error_text.{code}", MACHINE, lambda code=code: _text(call("nvmlErrorString", code)))


def examine(steps: Any) -> None:
    """The whole read-out, as far as the library goes along."""
    if pynvml is None:
        steps.say(step="import", gpu=MACHINE, error=import_error)
        return

    def load() -> str:
        tell("dlopen")
        ctypes.CDLL(SONAME)
        return str(loaded_path(SONAME))

    if steps.take("load", MACHINE, load) is None:
        return
    if steps.take("init", MACHINE, lambda: call("nvmlInit") or 0) is None:
        return
    steps.take("driver_version", MACHINE, lambda: call("nvmlSystemGetDriverVersion"))
    steps.take("cuda_version", MACHINE, _cuda_version)
    steps.take("library_version", MACHINE, lambda: call("nvmlSystemGetNVMLVersion"))
    count = steps.take("count", MACHINE, lambda: call("nvmlDeviceGetCount"))
    read_devices(steps, count or 0)


def _cuda_version() -> int:
    ways = tuple(
        (name, lambda _, name=name: call(name))
        for name in ("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion")
    )
    return int(newest_first(ways, None))


def main() -> None:
    """Read, tell, and leave without running the library's own destructors, which may hang."""
    steps = Steps(sys.argv)
    tellers.append(steps.announce)
    examine(steps)
    if pynvml is not None:
        tell_error_texts(steps)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
