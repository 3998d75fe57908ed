"""What the sustained probe measured, held against what this GPU and its link reach: is it slower than half of that?

A wrong alarm costs more than none. So only figures are judged that were taken under lasting load, and a slow one is
held against the GPU only where nothing else explains it: others at work on it, a MIG slice, a power limit that was
lowered, or the driver's own reasons for slower clocks. Whatever explains it is said instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.derive.ring_links import GIGA, element, lane_rate, nvml_places
from gpudoctor.knowledge.gpu_names import model_of
from gpudoctor.knowledge.rows import Cells
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

PROBE = "probe.sustained."
LASTING = PROBE + "lasting_throttle_reasons"
FACTS = (
    FactSpec(
        "probe.braked_under_load",
        FactType.TEXT_LIST,
        "The driver's reasons of heat or hardware for which the GPU ran slower while it worked for some seconds.",
    ),
    FactSpec(
        "probe.below_half_of_peak",
        FactType.TEXT_LIST,
        "Work that the GPU does at less than half of the rate of its data sheet, with the figures.",
    ),
    FactSpec(
        "probe.below_half_of_link",
        FactType.TEXT_LIST,
        "Copies that reach less than half of what the GPU's PCIe link carries, with the figures.",
    ),
)
INPUTS = (
    PROBE + "outcome",
    PROBE + "device",
    PROBE + "size",
    PROBE + "best_flops_per_second",
    PROBE + "lowest_share",
    PROBE + "clocks_mhz",
    PROBE + "throttle_reasons",
    LASTING,
    PROBE + "memory_bytes_per_second",
    PROBE + "pinned_to_device_bytes_per_second",
    PROBE + "device_to_pinned_bytes_per_second",
    PROBE + "link_copy_bytes",
    PROBE + "pcie_generation",
    PROBE + "pcie_width",
    "os.is_wsl",
    "gpu.count",
    "gpu.names",
    "gpu.uuids",
    "gpu.mig_enabled",
    "gpu.virtualisation_modes",
    "gpu.process_counts",
    "gpu.utilisation_percent",
    "gpu.is_occupied",
    "gpu.power_limit_watts",
    "gpu.power_default_limit_watts",
    "gpu.clock_sm_maximum_megahertz",
    "gpu.c2c_enabled",
    "torch.device_count",
    "torch.device_uuids",
)
# Of heat or of hardware; a software power cap under full load is what every data center GPU shows.
BRAKES = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown")
CLOCKS_ARE_FREE = ("none",)
HALF = 0.5
# Smaller products do not fill a large GPU, and smaller copies are spent on starting them.
LEAST_SIDE = 4096
LEAST_COPY = 16 << 20
# A rate that falls this far within seconds was disturbed, by whatever it was.
STEADY_SHARE = 0.8
IDLE_PERCENT = 5
# Power limits are told in milliwatts and rounded.
LOWERED = 0.98
# Boards of laptops and shared ones bear the names of others; no figure is theirs.
OTHER_BOARD = r"Laptop|Max-[QP]|Mobile|MIG |GRID|\bvGPU\b|-\d+[QCAB]\b"


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """The three lists; each is unknown where the probe tells nothing, or something else explains what is slow."""
    yield Fact("probe.braked_under_load", braked(facts))
    gap = untold(facts)
    place = place_of(facts)
    yield Fact("probe.below_half_of_peak", gap or below_peak(facts, tables, place))
    yield Fact("probe.below_half_of_link", gap or below_link(facts, tables, place))


def untold(facts: Facts) -> Unknown | None:
    """Why the probe tells nothing about a GPU."""
    device = facts[PROBE + "device"]
    if isinstance(device, Unknown):
        return device
    if not str(device).startswith("cuda"):
        return Unknown(Reason.NOT_APPLICABLE, "it ran on the CPU, which no table knows")
    outcome = facts[PROBE + "outcome"]
    if isinstance(outcome, Unknown):
        return outcome
    return None if outcome == "passed" else Unknown(Reason.NO_DATA, f"the probe ended as {outcome}")


def braked(facts: Facts) -> Value | Unknown:
    """The reasons that somebody has to do something about, where they lasted."""
    lasting = facts[LASTING]
    seen = facts.elements(LASTING)
    return lasting if isinstance(lasting, Unknown) else tuple(str(one) for one in seen if one in BRAKES)


def words_of(facts: Facts) -> list[str]:
    """The driver's reasons under load."""
    return [str(one) for one in facts.elements(PROBE + "throttle_reasons") if not isinstance(one, Unknown)]


def place_of(facts: Facts) -> int | None:
    """The GPU's number for NVML: by its identifier, or because there is one alone."""
    number = str(facts.known(PROBE + "device") or "").rpartition(":")[2]
    place = nvml_places(facts).get(int(number)) if number.isdigit() else None
    if place is None and facts.number("gpu.count") == 1 and facts.number("torch.device_count") == 1:
        return 0
    return place


def below_peak(facts: Facts, tables: Tables, place: int | None) -> Value | Unknown:
    """Products and copies within the memory, against the table."""
    names = facts.elements("gpu.names")
    name = names[place] if place is not None and place < len(names) else None
    if not isinstance(name, str):
        return Unknown(Reason.NO_DATA, "the GPU that was measured cannot be told among those that NVML lists")
    row = peaks_of(name, tables)
    answers = (
        judged(
            "products of half precision", facts, "best_flops_per_second", cell(row, "half_teraflops", 1e12), "TFLOP/s"
        ),
        judged("its memory", facts, "memory_bytes_per_second", cell(row, "memory_gigabytes_per_second", GIGA), "GB/s"),
    )
    if (facts.number(PROBE + "size") or 0) < LEAST_SIDE:
        return Unknown(Reason.NOT_APPLICABLE, "too little memory was free for products that fill the GPU")
    slow = tuple(one for one in answers if isinstance(one, str) and one)
    if not slow:
        return next((one for one in answers if isinstance(one, Unknown)), ())
    return explained(facts, place) or tuple(f"{one}{clocks(facts, place)}" for one in slow)


def peaks_of(name: str, tables: Tables) -> Cells:
    """The row for a name that a driver prints; an empty one where no row is certain."""
    if re.search(OTHER_BOARD, name):
        return {}
    model = model_of(name)
    fits = [row for row in tables["gpu_peaks"].rows if re.fullmatch(rows.text(row, "pattern"), model)]
    return fits[0] if len(fits) == 1 else {}


def cell(row: Cells, column: str, scale: float) -> float | None:
    """A figure of the table in plain units."""
    value = row.get(column)
    return float(value) * scale if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def judged(what: str, facts: Facts, key: str, peak: float | None, unit: str) -> str | Unknown:
    """In words how far a figure is below half; empty where it is not."""
    measured = facts[PROBE + key]
    if isinstance(measured, Unknown):
        return measured
    if peak is None:
        return Unknown(Reason.NO_DATA, f"no table holds a certain figure for {what} of this GPU")
    rate = facts.number(PROBE + key) or 0.0
    if rate >= HALF * peak:
        return ""
    scale = 1e12 if unit == "TFLOP/s" else GIGA
    return f"{what}: {rate / scale:.4g} {unit} of {peak / scale:.4g}"


def clocks(facts: Facts, place: int | None) -> str:
    """How high the clock stood meanwhile, where both are told."""
    seen = sorted(one for one in facts.elements(PROBE + "clocks_mhz") if isinstance(one, int))
    most = element(facts, "gpu.clock_sm_maximum_megahertz", place)
    return f" (its clock stood at {seen[len(seen) // 2]} of {most} MHz)" if seen and most else ""


def explained(facts: Facts, place: int | None) -> Unknown | None:
    """What else than the GPU itself explains that it is slow, or that nobody can tell; None where nothing does."""
    found = shared(facts, place) or lowered(facts, place)
    if found is not None:
        return found
    seen = facts[PROBE + "throttle_reasons"]
    if isinstance(seen, Unknown):
        return Unknown(seen.reason, f"it is slow, and what the driver did to its clocks is not known: {seen.detail}")
    held = [one for one in words_of(facts) if one not in CLOCKS_ARE_FREE]
    if held:
        return Unknown(Reason.NOT_APPLICABLE, f"it is slow because its clocks were held down: {', '.join(held)}")
    steady = facts.number(PROBE + "lowest_share")
    if steady is None or steady < STEADY_SHARE:
        return Unknown(Reason.NOT_APPLICABLE, "it is slow, but the rate went up and down, so something disturbed it")
    return None


def shared(facts: Facts, place: int | None) -> Unknown | None:
    """Whether the GPU was not all ours."""
    for key, words in (("gpu.mig_enabled", "it is cut into MIG slices"), ("gpu.is_occupied", "others work on it")):
        value = at(facts, key, place)
        if value is True:
            return Unknown(Reason.NOT_APPLICABLE, f"it is slow, and {words}")
        if isinstance(value, Unknown) and value.reason is not Reason.NOT_APPLICABLE:
            return Unknown(value.reason, f"it is slow, and nobody tells whether {words}")
    if at(facts, "gpu.virtualisation_modes", place) == "vgpu":
        return Unknown(Reason.NOT_APPLICABLE, "it is slow, and it is a share of a GPU (vGPU)")
    processes, busy = at(facts, "gpu.process_counts", place), at(facts, "gpu.utilisation_percent", place)
    for value, most in ((processes, 0), (busy, IDLE_PERCENT)):
        if isinstance(value, Unknown):
            return Unknown(value.reason, f"it is slow, and nobody tells whether others work on it: {value.detail}")
        if isinstance(value, (int, float)) and value > most:
            return Unknown(Reason.NOT_APPLICABLE, "it is slow, and others work on it")
    return None


def lowered(facts: Facts, place: int | None) -> Unknown | None:
    """Whether somebody gave it less power than it came with."""
    limit, usual = at(facts, "gpu.power_limit_watts", place), at(facts, "gpu.power_default_limit_watts", place)
    if not isinstance(limit, (int, float)) or not isinstance(usual, (int, float)):
        return Unknown(Reason.NO_DATA, "it is slow, and its power limits are not told")
    if limit < LOWERED * usual:
        return Unknown(
            Reason.NOT_APPLICABLE, f"its power limit was lowered to {limit:.0f} W of {usual:.0f} W, which explains it"
        )
    return None


def at(facts: Facts, key: str, place: int | None) -> object:
    """One GPU's element, unknown where there is none."""
    values = facts.elements(key)
    if place is not None and place < len(values):
        return values[place]
    whole = facts[key]
    return whole if isinstance(whole, Unknown) else Unknown(Reason.NO_DATA, "not told for this GPU")


def below_link(facts: Facts, tables: Tables, place: int | None) -> Value | Unknown:
    """Copies from and to pinned memory, against generation and lanes as they were meanwhile."""
    for key in ("pcie_generation", "pcie_width", "link_copy_bytes"):
        value = facts[PROBE + key]
        if isinstance(value, Unknown):
            return value
    if (facts.number(PROBE + "link_copy_bytes") or 0) < LEAST_COPY:
        return Unknown(Reason.NOT_APPLICABLE, "too little memory was free for copies that are large enough")
    if at(facts, "gpu.c2c_enabled", place) is True:
        return Unknown(Reason.NOT_APPLICABLE, "NVLink-C2C joins it to the processor")
    generation, width = int(facts.number(PROBE + "pcie_generation") or 0), int(facts.number(PROBE + "pcie_width") or 0)
    lane = lane_rate(generation, tables)
    if lane is None or not width:
        return Unknown(Reason.NO_DATA, f"what PCIe {generation} x{width} carries is in no table")
    ways = (
        ("from the host", "pinned_to_device_bytes_per_second"),
        ("to the host", "device_to_pinned_bytes_per_second"),
    )
    answers = [judged(words, facts, key, lane * width, "GB/s") for words, key in ways]
    slow = tuple(f"{one} (PCIe {generation} x{width})" for one in answers if isinstance(one, str) and one)
    if not slow:
        return next((one for one in answers if isinstance(one, Unknown)), ())
    mode = "wsl" if facts.flag("os.is_wsl") else at(facts, "gpu.virtualisation_modes", place)
    if mode != "none":
        told = "not told" if isinstance(mode, Unknown) else str(mode)
        return Unknown(Reason.NOT_APPLICABLE, f"copies are slow, and between GPU and host is a hypervisor ({told})")
    return shared(facts, place) or slow
