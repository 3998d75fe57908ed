"""Each GPU's state in the few yes-or-no questions that checks ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Element, Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

HARDWARE_BRAKES = ("hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown")
# A context of another program takes some hundred megabytes; from a tenth of the memory on, it is in our way.
OCCUPIED_SHARE = 0.1
# What a driver and a display take of an idle GPU stays below this.
IDLE_BYTES = 400 << 20
BUSY_PERCENT = 20

FACTS = (
    FactSpec("gpu.is_braked", FactType.BOOLEAN_LIST, "Whether hardware slows each GPU down.", per_device=True),
    FactSpec(
        "gpu.pcie_narrowed", FactType.BOOLEAN_LIST, "Whether fewer PCIe lanes than possible are used.", per_device=True
    ),
    FactSpec(
        "gpu.mig_without_slices", FactType.BOOLEAN_LIST, "Whether MIG is on and no slice exists.", per_device=True
    ),
    FactSpec("gpu.is_occupied", FactType.BOOLEAN_LIST, "Whether others hold memory of or work on it.", per_device=True),
    FactSpec("gpu.memory_used_percent", FactType.INTEGER_LIST, "Share of memory in use.", "percent", per_device=True),
    FactSpec("gpu.memory_used_mebibytes", FactType.INTEGER_LIST, "Memory in use.", "mebibytes", per_device=True),
    FactSpec(
        "gpu.is_taken_exclusively",
        FactType.BOOLEAN_LIST,
        "Whether one process alone may use it, and one does.",
        per_device=True,
    ),
    FactSpec("gpu.is_exclusive", FactType.BOOLEAN_LIST, "Whether one process alone may use it.", per_device=True),
)
INPUTS = (
    "gpu.clock_event_reasons",
    "gpu.pcie_widths",
    "gpu.pcie_width_maximums",
    "gpu.mig_enabled",
    "gpu.mig_device_counts",
    "gpu.memory_total_bytes",
    "gpu.memory_used_bytes",
    "gpu.process_counts",
    "gpu.utilisation_percent",
    "gpu.compute_modes",
)
NOT_TOLD = Unknown(Reason.NO_DATA, "NVML did not tell")
Judge = Callable[..., Element]


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Element by element; a GPU that does not tell stays unknown without spoiling its neighbours."""
    reasons = ("gpu.clock_event_reasons",)
    yield Fact("gpu.is_braked", _each(facts, reasons, lambda text: any(one in _words(text) for one in HARDWARE_BRAKES)))
    widths = ("gpu.pcie_widths", "gpu.pcie_width_maximums")
    yield Fact("gpu.pcie_narrowed", _each(facts, widths, lambda now, most: 0 < now < most))
    slices = ("gpu.mig_enabled", "gpu.mig_device_counts")
    yield Fact("gpu.mig_without_slices", _each(facts, slices, lambda on, count: bool(on) and count == 0, (False,)))
    memory = ("gpu.memory_used_bytes", "gpu.memory_total_bytes")
    yield Fact("gpu.memory_used_percent", _each(facts, memory, lambda used, total: int(100 * used / total)))
    yield Fact("gpu.memory_used_mebibytes", _each(facts, memory[:1], lambda used: int(used) >> 20))
    yield Fact("gpu.is_exclusive", _each(facts, ("gpu.compute_modes",), lambda mode: str(mode).startswith("exclusive")))
    held = ("gpu.compute_modes", "gpu.memory_used_bytes")
    yield Fact("gpu.is_taken_exclusively", _each(facts, held, _is_taken, ("default", "prohibited")))
    yield Fact("gpu.is_occupied", _occupied(facts))


def _is_taken(mode: object, used: float) -> bool:
    return str(mode).startswith("exclusive") and used > IDLE_BYTES


def _words(text: object) -> list[str]:
    return [word.strip() for word in str(text).split(",")]


def _each(facts: Facts, keys: tuple[str, ...], judge: Judge, decides: tuple[object, ...] = ()) -> Value | Unknown:
    """Judge each GPU by its elements; an element in `decides` for the first key settles it alone."""
    columns = [facts.elements(key) for key in keys]
    if not columns[0]:
        first = facts[keys[0]]
        return first if isinstance(first, Unknown) else NOT_TOLD
    answers: list[Element] = []
    for index, head in enumerate(columns[0]):
        values = [column[index] if index < len(column) else NOT_TOLD for column in columns]
        if decides and not isinstance(head, Unknown) and head in decides:
            answers.append(False)
            continue
        gap = next((value for value in values if isinstance(value, Unknown)), None)
        try:
            answers.append(gap if gap is not None else judge(*values))
        except (ArithmeticError, TypeError, ValueError):
            answers.append(NOT_TOLD)
    return tuple(answers)


def _occupied(facts: Facts) -> Value | Unknown:
    used, total = facts.elements("gpu.memory_used_bytes"), facts.elements("gpu.memory_total_bytes")
    counts, busy = facts.elements("gpu.process_counts"), facts.elements("gpu.utilisation_percent")
    size = max(len(used), len(counts), len(busy))
    if not size:
        return NOT_TOLD
    return tuple(_is_occupied(*(_at(column, index) for column in (used, total, counts, busy))) for index in range(size))


def _at(column: tuple[Element, ...], index: int) -> float | None:
    value = column[index] if index < len(column) else None
    return value if isinstance(value, (int, float)) else None


def _is_occupied(used: float | None, total: float | None, processes: float | None, busy: float | None) -> Element:
    """Processes of other containers are not listed inside ours, so memory and load speak as well."""
    if used is None and processes is None and busy is None:
        return NOT_TOLD
    if used is not None and total and used >= OCCUPIED_SHARE * total:
        return True
    return bool(processes and busy is not None and busy >= BUSY_PERCENT)
