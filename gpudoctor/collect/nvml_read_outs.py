"""Every fact that one NVML step gives for each GPU: key, type, meaning, and how the step's value becomes the fact's."""

from __future__ import annotations

from collections.abc import Callable

from gpudoctor.collect.child_attempts import Json, text_of
from gpudoctor.collect.nvml_decode import (
    COMPUTE_MODES,
    FABRIC_STATES,
    RECOVERY_ACTIONS,
    VIRTUALISATION_MODES,
    clock_events,
    fabric_health,
    process_bytes,
    word,
)
from gpudoctor.model.fact import Element, FactSpec, FactType
from gpudoctor.model.record import record
from gpudoctor.model.version import Version

Convert = Callable[[Json], Element]


JUNK = (ValueError, TypeError, LookupError, ArithmeticError)


@record
class ReadOut:
    """One per-device fact. `convert` raises one of JUNK on a value of the wrong shape, which is then unparseable."""

    spec: FactSpec
    step: str
    convert: Convert


def _per_gpu(
    key: str, element: FactType, meaning: str, step: str, convert: Convert, unit: str = "", private: bool = False
) -> ReadOut:
    spec = FactSpec(f"gpu.{key}", FactType(element.value + "_list"), meaning, unit, private, per_device=True)
    return ReadOut(spec, step, convert)


def _number(key: str, meaning: str, step: str, unit: str = "", place: int | None = None, scale: int = 1) -> ReadOut:
    def convert(value: Json) -> Element:
        one = int(value if place is None else value[place])
        return one if scale == 1 else one / scale

    kind = FactType.INTEGER if scale == 1 else FactType.NUMBER
    return _per_gpu(key, kind, meaning, step, convert, unit)


def _flag(key: str, meaning: str, step: str, place: int | None = None) -> ReadOut:
    return _per_gpu(key, FactType.BOOLEAN, meaning, step, lambda value: bool(value if place is None else value[place]))


def _text(key: str, meaning: str, step: str, convert: Convert = text_of, private: bool = False) -> ReadOut:
    return _per_gpu(key, FactType.TEXT, meaning, step, convert, private=private)


def _states(value: Json, state: int) -> int:
    return sum(1 for one in value if one == state)


READ_OUTS: tuple[ReadOut, ...] = (
    _text("nvml_names", "Name of each GPU as NVML gives it.", "name"),
    _per_gpu(
        "compute_capabilities",
        FactType.VERSION,
        "Compute capability of each GPU.",
        "compute_capability",
        lambda value: Version.parse(f"{int(value[0])}.{int(value[1])}"),
    ),
    _number("memory_total_bytes", "Memory of each GPU.", "memory", "bytes", 0),
    _number("memory_used_bytes", "Memory in use on each GPU, the driver's own share included.", "memory", "bytes", 1),
    _number("memory_free_bytes", "Memory that is free on each GPU.", "memory", "bytes", 2),
    _text("bus_ids", "PCI bus id of each GPU.", "pci", lambda value: text_of(value[0])),
    _text("uuids", "UUID of each GPU.", "uuid", private=True),
    _text("serials", "Serial number of each board.", "serial", private=True),
    _number("minor_numbers", "Number of each GPU's device node: 0 is /dev/nvidia0.", "minor"),
    _per_gpu(
        "process_counts",
        FactType.INTEGER,
        "Compute processes on each GPU, read before our own probes start.",
        "processes_compute",
        len,
    ),
    _per_gpu(
        "process_memory_bytes",
        FactType.INTEGER,
        "Memory that the compute processes on each GPU hold.",
        "processes_compute",
        process_bytes,
        "bytes",
    ),
    _text(
        "compute_modes",
        "Compute mode of each GPU: default, exclusive_thread, prohibited or exclusive_process.",
        "compute_mode",
        lambda value: word(COMPUTE_MODES, value),
    ),
    _flag("persistence_enabled", "Whether the driver keeps each GPU awake without clients.", "persistence"),
    _flag("mig_enabled", "Whether each GPU is cut into MIG devices.", "mig_mode", 0),
    _flag("mig_pending_enabled", "Whether it will be after the next reset.", "mig_mode", 1),
    _flag("ecc_enabled", "Whether the memory of each GPU corrects errors.", "ecc_mode", 0),
    _flag("ecc_pending_enabled", "Whether it will after the next reboot.", "ecc_mode", 1),
    _number("ecc_volatile_corrected", "Corrected memory errors since the driver loaded.", "ecc_volatile_corrected"),
    _number(
        "ecc_volatile_uncorrected", "Uncorrected memory errors since the driver loaded.", "ecc_volatile_uncorrected"
    ),
    _number("ecc_aggregate_corrected", "Corrected memory errors over the GPU's life.", "ecc_aggregate_corrected"),
    _number("ecc_aggregate_uncorrected", "Uncorrected memory errors over the GPU's life.", "ecc_aggregate_uncorrected"),
    _number("remapped_rows_corrected", "Memory rows remapped after correctable errors.", "remapped_rows", "", 0),
    _number("remapped_rows_uncorrected", "Memory rows remapped after uncorrectable errors.", "remapped_rows", "", 1),
    _flag("remapping_pending", "Whether a row waits for a reset to be remapped.", "remapped_rows", 2),
    _flag("remapping_failed", "Whether a row could not be remapped.", "remapped_rows", 3),
    _number("sram_uncorrected", "Uncorrected errors of caches and registers over the GPU's life.", "sram", "", 0),
    _flag("sram_threshold_exceeded", "Whether these are more than NVIDIA allows a board.", "sram", 1),
    _flag("channel_repair_pending", "Whether a channel of the memory waits for a reset to be repaired.", "repair", 0),
    _flag("tpc_repair_pending", "Whether a cluster of processors waits for a reset to be repaired.", "repair", 1),
    _number("retired_pages_single_bit", "Memory pages retired after many single-bit errors.", "retired_single"),
    _number("retired_pages_double_bit", "Memory pages retired after a double-bit error.", "retired_double"),
    _flag("retirement_pending", "Whether a page waits for a reboot to be retired.", "retired_pending"),
    _text(
        "clock_event_reasons",
        "Why each GPU runs below its highest clocks, as words parted by commas; none when nothing holds it back.",
        "clock_event_reasons",
        clock_events,
    ),
    _number("temperature_celsius", "Temperature of each GPU.", "temperature", "celsius"),
    _number("temperature_memory_celsius", "Temperature of each GPU's memory.", "temperature_memory", "celsius"),
    _number("temperature_slowdown_celsius", "Temperature at which it slows down.", "temperature_slowdown", "celsius"),
    _number("temperature_shutdown_celsius", "Temperature at which it shuts down.", "temperature_shutdown", "celsius"),
    _number("fan_percent", "Speed that each GPU's fan is meant to have.", "fan", "percent"),
    _number("power_draw_watts", "Power that each GPU draws.", "power_draw", "watts", scale=1000),
    _number("power_limit_watts", "Power limit in force.", "power_limit", "watts", scale=1000),
    _number("power_default_limit_watts", "Power limit it came with.", "power_default_limit", "watts", scale=1000),
    _number("performance_states", "Performance state of each GPU: 0 is the fastest.", "performance_state"),
    _number("clock_sm_megahertz", "Clock of the multiprocessors.", "clock_sm", "megahertz"),
    _number("clock_sm_maximum_megahertz", "Highest clock of the multiprocessors.", "clock_sm_maximum", "megahertz"),
    _number("clock_memory_megahertz", "Clock of the memory.", "clock_memory", "megahertz"),
    _number("clock_memory_maximum_megahertz", "Highest clock of the memory.", "clock_memory_maximum", "megahertz"),
    _number("pcie_generations", "PCIe generation of each GPU's link now; idle GPUs lower it.", "pcie_generation"),
    _number("pcie_generation_maximums", "PCIe generation that GPU and slot can reach.", "pcie_generation_maximum"),
    _number("pcie_widths", "PCIe lanes in use.", "pcie_width"),
    _number("pcie_width_maximums", "PCIe lanes that GPU and slot can reach.", "pcie_width_maximum"),
    _number("pcie_replays", "PCIe packets sent again since the GPU was reset.", "pcie_replays"),
    _number("bar1_total_bytes", "Window through which other devices reach each GPU's memory.", "bar1", "bytes", 0),
    _number("bar1_used_bytes", "How much of that window is taken.", "bar1", "bytes", 1),
    _flag("c2c_enabled", "Whether NVLink-C2C joins each GPU to the processor (Grace).", "c2c", 0),
    _number("utilisation_percent", "Share of the last moments in which a kernel ran.", "utilisation", "percent", 0),
    _per_gpu(
        "nvlinks_active",
        FactType.INTEGER,
        "NVLinks of each GPU that are up.",
        "nvlink_states",
        lambda value: _states(value, 1),
    ),
    _per_gpu(
        "nvlinks_inactive",
        FactType.INTEGER,
        "NVLinks of each GPU that are down.",
        "nvlink_states",
        lambda value: _states(value, 0),
    ),
    _per_gpu(
        "nvlink_errors",
        FactType.INTEGER,
        "Errors that all NVLinks of each GPU have counted.",
        "nvlink_errors",
        lambda value: sum(int(number) for _, _, number in value),
    ),
    _text(
        "fabric_states",
        "Whether each GPU has joined its NVSwitch fabric: not_supported, not_started, in_progress or completed.",
        "fabric",
        lambda value: word(FABRIC_STATES, value[0]),
    ),
    _number("fabric_status_codes", "NVML code with which joining the fabric ended; 0 is success.", "fabric", "", 1),
    _text(
        "fabric_health",
        "What the fabric complains of; none when nothing.",
        "fabric",
        lambda value: fabric_health(value[2]),
    ),
    _text(
        "recovery_actions",
        "What the driver says has to be done to bring each GPU back; none when nothing.",
        "recovery_action",
        lambda value: word(RECOVERY_ACTIONS, value),
    ),
    _text("vbios_versions", "Video BIOS of each GPU.", "vbios"),
    _text("gsp_firmware_versions", "Firmware of each GPU's system processor.", "gsp_firmware"),
    _flag("gsp_enabled", "Whether each GPU's system processor runs firmware.", "gsp_mode", 0),
    _text(
        "virtualisation_modes",
        "How each GPU reaches this machine: none, passthrough, vgpu, host_vgpu or host_vsga.",
        "virtualisation",
        lambda value: word(VIRTUALISATION_MODES, value),
    ),
)
