"""NVML's numbers put into words: error codes, clock event reasons, states. The names are those of NVML's own header."""

from __future__ import annotations

from collections.abc import Mapping

from gpudoctor.collect.child_attempts import Json, code_of
from gpudoctor.model.clock_events import words as clock_event_words
from gpudoctor.model.fact import Element, Reason, Unknown
from gpudoctor.model.version import Version

# nvml.h, enum nvmlReturn_t, as listed by nvidia-ml-py 13.615; checked 2026-11-20.
ERROR_NAMES = {
    0: "SUCCESS",
    1: "UNINITIALIZED",
    2: "INVALID_ARGUMENT",
    3: "NOT_SUPPORTED",
    4: "NO_PERMISSION",
    5: "ALREADY_INITIALIZED",
    6: "NOT_FOUND",
    7: "INSUFFICIENT_SIZE",
    8: "INSUFFICIENT_POWER",
    9: "DRIVER_NOT_LOADED",
    10: "TIMEOUT",
    11: "IRQ_ISSUE",
    12: "LIBRARY_NOT_FOUND",
    13: "FUNCTION_NOT_FOUND",
    14: "CORRUPTED_INFOROM",
    15: "GPU_IS_LOST",
    16: "RESET_REQUIRED",
    17: "OPERATING_SYSTEM",
    18: "LIB_RM_VERSION_MISMATCH",
    19: "IN_USE",
    20: "MEMORY",
    21: "NO_DATA",
    22: "VGPU_ECC_NOT_SUPPORTED",
    23: "INSUFFICIENT_RESOURCES",
    24: "FREQ_NOT_SUPPORTED",
    25: "ARGUMENT_VERSION_MISMATCH",
    26: "DEPRECATED",
    27: "NOT_READY",
    28: "GPU_NOT_FOUND",
    29: "INVALID_STATE",
    30: "RESET_TYPE_NOT_SUPPORTED",
    999: "UNKNOWN",
}
# What a code means for the fact that was asked for; every other code leaves the fact without data.
REASONS = {
    3: Reason.NOT_APPLICABLE,
    4: Reason.PERMISSION_DENIED,
    10: Reason.TIMED_OUT,
    12: Reason.NOT_INSTALLED,
    13: Reason.NOT_APPLICABLE,
    22: Reason.NOT_APPLICABLE,
    26: Reason.NOT_APPLICABLE,
}
# Codes that only say that this GPU, driver or user cannot be asked this; they tell nothing about the GPU's health.
HARMLESS_CODES = frozenset({2, 3, 4, 6, 7, 13, 21, 22, 25, 26})
# The codes that mean a sick GPU or driver, the most telling first.
SICK_CODES = (15, 16, 14, 11, 8, 9, 18, 17, 10, 27, 20, 23, 999)

COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}
FABRIC_STATES = {0: "not_supported", 1: "not_started", 2: "in_progress", 3: "completed"}
RECOVERY_ACTIONS = {
    0: "none",
    1: "gpu_reset",
    2: "node_reboot",
    3: "drain_p2p",
    4: "drain_and_reset",
    5: "recover_imex_domain",
    6: "bus_reset",
    7: "system_reboot",
}
VIRTUALISATION_MODES = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}
TOPOLOGY_LEVELS = {0: "internal", 10: "single", 20: "multiple", 30: "hostbridge", 40: "node", 50: "system"}
P2P_STATES = {
    0: "ok",
    1: "chipset_not_supported",
    2: "gpu_not_supported",
    3: "topology_not_supported",
    4: "disabled_by_regkey",
    5: "not_supported",
    6: "unknown",
}
# Two-bit fields of the fabric's health mask (1: true, 2: false, 0: not supported) and one of four bits.
FABRIC_FLAGS = {
    "degraded_bandwidth": 0,
    "route_recovery": 2,
    "route_unhealthy": 4,
    "access_timeout_recovery": 6,
}
FABRIC_CONFIGURATIONS = {
    2: "incorrect_system_guid",
    3: "incorrect_chassis_serial",
    4: "no_partition",
    5: "insufficient_nvlinks",
    6: "incompatible_gpu_firmware",
    7: "invalid_location",
    8: "gpu_state_invalid",
}


def refusal(line: Mapping[str, Json], texts: Mapping[int, str]) -> Unknown | None:
    """Why a step gave no value; None when it gave one. `texts` are the library's own words for its codes."""
    call = line.get("call") or line.get("step")
    code = code_of(line)
    if code is not None:
        return Unknown(REASONS.get(code, Reason.NO_DATA), f"{call}: NVML error {code}, {error_text(code, texts)}")
    if "error" in line:
        return Unknown(_reason(line), f"{call}: {line['error']}")
    return None if "value" in line else Unknown(Reason.UNPARSEABLE, f"{call}: a line without an answer")


def _reason(line: Mapping[str, Json]) -> Reason:
    """Why a step failed without a code of NVML: the library is not there, did not load, or answered with junk."""
    if line.get("step") not in ("load", "import"):
        return Reason.UNPARSEABLE
    absent = "No such file" in str(line["error"]) or "No module named" in str(line["error"])
    return Reason.NOT_INSTALLED if absent else Reason.NO_DATA


def error_text(code: int, texts: Mapping[int, str]) -> str:
    """The library's words for a code, or the header's name where it had none."""
    return texts.get(code) or (
        "Success" if code == 0 else f"NVML_ERROR_{ERROR_NAMES.get(code, 'with an unknown number')}"
    )


def word(names: Mapping[int, str], number: Json) -> str:
    """The name of a number; one that is newer than this table keeps its number."""
    return names.get(int(number), f"unknown_{int(number)}")


def clock_events(bits: Json) -> str:
    """The reasons as words in the order of their bits, parted by commas; `none` when no bit is set."""
    return ",".join(clock_event_words(int(bits))) or "none"


def cuda_version(number: Json) -> Version:
    """CUDA's way of packing: 12020 is 12.2."""
    packed = int(number)
    if packed < 1000:
        raise ValueError(f"not a CUDA version: {packed}")
    return Version.parse(f"{packed // 1000}.{packed % 1000 // 10}")


def fabric_health(mask: Json) -> Element:
    """What the health mask complains of, parted by commas; `none` when it complains of nothing."""
    if mask is None:
        return Unknown(Reason.NOT_APPLICABLE, "this driver does not tell the health of the fabric")
    bits = int(mask)
    words = [name for name, shift in FABRIC_FLAGS.items() if bits >> shift & 3 == 1]
    configuration = bits >> 8 & 0xF
    if configuration > 1:
        words.append(word(FABRIC_CONFIGURATIONS, configuration))
    return ",".join(words) or "none"


def process_bytes(processes: Json) -> Element:
    """The memory of all listed processes; unknown as soon as NVML does not tell that of one."""
    sizes = [size for _, size in processes]
    if any(size is None for size in sizes):
        return Unknown(Reason.NO_DATA, "NVML does not tell the memory of every process")
    return sum(int(size) for size in sizes)
