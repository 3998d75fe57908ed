"""What NVML, the driver's management library, says of the driver and of every GPU, read out by a child process.

Of all the facts here `gpu.nvml_error_codes` is the one to ask first: for each GPU the worst code that any read-out
gave, 0 for a GPU that answered everything it can. The process list is taken before our own probes allocate anything,
and in a container it shows only what NVML lets the container see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpudoctor.collect.base import STAGE_CHILD
from gpudoctor.collect.child_attempts import MACHINE, Json, Plan, Readings, code_of, read_out, text_of
from gpudoctor.collect.nvml_decode import (
    HARMLESS_CODES,
    P2P_STATES,
    SICK_CODES,
    TOPOLOGY_LEVELS,
    cuda_version,
    error_text,
    refusal,
    word,
)
from gpudoctor.collect.nvml_read_outs import JUNK, READ_OUTS, Convert
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

STAGE = STAGE_CHILD
STDERR_LIMIT = 4000
LIBRARY_NOT_FOUND = 12
PROCESS_KINDS = ("compute", "graphics", "mps")

# A GPU that nobody keeps awake needs seconds to wake up; a call that only reads a register needs milliseconds.
PLAN = Plan(
    name="nvml",
    script="nvml_child.py",
    vital=frozenset({"import", "load", "init", "count"}),
    slow=("load", "init", "count", "handle"),
    child_seconds=30.0,
    slow_seconds=15.0,
    step_seconds=5.0,
)

FACTS: tuple[FactSpec, ...] = (
    FactSpec(
        "nvml.outcome",
        FactType.TEXT,
        "How asking NVML went: ok, error (it refused), crashed, timed_out or not_started. A crash or hang in one "
        "function counts here even where everything else was read without it.",
    ),
    FactSpec("nvml.sick_calls", FactType.TEXT_LIST, "The calls in which a child died or hung, and how."),
    FactSpec("nvml.stderr", FactType.TEXT, "What the children wrote to standard error, verbatim."),
    FactSpec("nvml.load_error", FactType.TEXT, "The dynamic loader's words when libnvidia-ml.so.1 did not load."),
    FactSpec("nvml.loaded_path", FactType.TEXT, "The file that libnvidia-ml.so.1 was really loaded from."),
    FactSpec("nvml.init_code", FactType.INTEGER, "NVML's answer to being started; 0 is success, 12 no library."),
    FactSpec("nvml.init_text", FactType.TEXT, "The same in the library's own words."),
    FactSpec("nvml.driver_version", FactType.VERSION, "Version of the driver that NVML talks to."),
    FactSpec("nvml.cuda_version", FactType.VERSION, "Newest CUDA that this driver runs, as NVML says."),
    FactSpec("nvml.library_version", FactType.TEXT, "Version of NVML itself."),
    FactSpec("nvml.device_count", FactType.INTEGER, "GPUs that NVML lists."),
    FactSpec("nvml.device_names", FactType.TEXT_LIST, "Their names.", per_device=True),
    FactSpec("gpu.nvml_error_codes", FactType.INTEGER_LIST, "Worst NVML code of each GPU; 0 is well.", per_device=True),
    FactSpec("gpu.nvml_error_texts", FactType.TEXT_LIST, "The same in words; empty when well.", per_device=True),
    FactSpec("gpu.processes", FactType.TEXT_LIST, "Processes on the GPUs, as `gpu:0 pid 123 compute 1048576 bytes`."),
    FactSpec("gpu.mig_devices", FactType.TEXT_LIST, "UUIDs of the MIG devices, with their GPU.", private=True),
    FactSpec("gpu.mig_device_counts", FactType.INTEGER_LIST, "MIG devices on each GPU.", per_device=True),
    FactSpec("gpu.nvlink_error_counters", FactType.TEXT_LIST, "NVLink counters above zero: `gpu:0 link 3 replay 12`."),
    FactSpec("gpu.pair_topologies", FactType.TEXT_LIST, "What lies between two GPUs, as `0-1 hostbridge`."),
    FactSpec("gpu.pair_p2p_reads", FactType.TEXT_LIST, "Whether one GPU can read the other's memory, as `0-1 ok`."),
    FactSpec("gpu.pair_p2p_nvlinks", FactType.TEXT_LIST, "Whether NVLink joins the two, as `0-1 ok`."),
    *(one.spec for one in READ_OUTS if one.spec.key != "gpu.nvml_names"),
)


def collect(host: Host) -> Iterable[Fact]:
    """Run the child, again without what killed it where needed, and interpret what came back."""
    return interpret(read_out(host, PLAN))


def interpret(readings: Readings) -> list[Fact]:
    """The facts of one read-out. Pure; every declared fact is there."""
    reading = _Reading(readings)
    facts = {fact.key: fact for fact in (*_machine(reading), *_lists(reading), *_devices(reading))}
    return list(facts.values())


class _Reading:
    """Looks answers up, and turns what is not there into its reason."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings
        self.texts: dict[int, str] = {}
        for (step, _), line in readings.answers.items():
            kind, _, code = step.partition(".")
            if kind == "error_text" and code.isdecimal() and isinstance(line.get("value"), str):
                self.texts[int(code)] = line["value"]
        count = self.value("count", MACHINE, int)
        self.count = count if isinstance(count, int) and 0 <= count <= 4096 else None
        self.no_count = count if isinstance(count, Unknown) else Unknown(Reason.UNPARSEABLE, f"count: {count}")

    def raw(self, step: str, gpu: int) -> Json:
        """The value of a step as the child sent it, or Unknown."""
        line = self.readings.answers.get((step, gpu))
        if line is None:
            return self._unasked(step, gpu)
        if "skipped" in line:
            return self.readings.missing(step, gpu)
        refused = refusal(line, self.texts)
        return line["value"] if refused is None else refused

    def value(self, step: str, gpu: int, convert: Convert) -> Element:
        """The value of a step, converted; junk is unparseable."""
        raw = self.raw(step, gpu)
        if isinstance(raw, Unknown):
            return raw
        try:
            return convert(raw)
        except JUNK as error:
            return Unknown(Reason.UNPARSEABLE, f"{step}: {error}: {raw!r}"[:300])

    def _unasked(self, step: str, gpu: int) -> Unknown:
        """A step that was never begun: what it needed did not come."""
        needed = (("handle", gpu),) if gpu != MACHINE else ()
        for before in (*needed, ("count", MACHINE), ("init", MACHINE), ("load", MACHINE), ("import", MACHINE)):
            line = self.readings.answers.get(before)
            if line is not None and "skipped" not in line and before != (step, gpu):
                refused = refusal(line, self.texts)
                if refused is not None:
                    return refused
        return self.readings.missing(step, gpu)

    def per_device(self, step: str, convert: Convert) -> tuple[Element, ...] | Unknown:
        """One element for each GPU; unknown as a whole where the number of GPUs is."""
        if self.count is None:
            return self.no_count
        return tuple(self.value(step, gpu, convert) for gpu in range(self.count))

    def worst_code(self, gpu: int) -> int:
        """The most telling error code that any step of a GPU gave; 0 when none did."""
        lines = (line for (_, device), line in self.readings.answers.items() if device == gpu)
        found = {code for code in map(code_of, lines) if code is not None and code not in HARMLESS_CODES}
        return next((code for code in SICK_CODES if code in found), min(found, default=0))


def _machine(reading: _Reading) -> Iterator[Fact]:
    readings = reading.readings
    load, init = reading.raw("load", MACHINE), reading.raw("init", MACHINE)
    outcome = readings.outcome
    if outcome == "ok" and reading.count is None:
        outcome = "error"
    yield Fact("nvml.outcome", outcome)
    yield Fact("nvml.sick_calls", tuple(death.words for death in readings.deaths))
    said = "\n".join(end.stderr.strip() for end in readings.ends if end.stderr.strip())
    yield Fact("nvml.stderr", said[:STDERR_LIMIT] or Unknown(Reason.NO_DATA, "nothing was written"))
    load_line = readings.answers.get(("load", MACHINE), {})
    not_so = Unknown(Reason.NOT_APPLICABLE, "the library loaded") if "value" in load_line else load
    yield Fact("nvml.load_error", str(load_line["error"]) if "error" in load_line else not_so)
    nowhere = Unknown(Reason.NO_DATA, "the kernel's maps do not show it")
    path = reading.value("load", MACHINE, text_of)
    yield Fact("nvml.loaded_path", nowhere if path == "" else path)
    yield from _init(reading, init, "error" in load_line)
    yield Fact("nvml.driver_version", reading.value("driver_version", MACHINE, Version.parse))
    yield Fact("nvml.cuda_version", reading.value("cuda_version", MACHINE, cuda_version))
    yield Fact("nvml.library_version", reading.value("library_version", MACHINE, text_of))
    yield Fact("nvml.device_count", reading.no_count if reading.count is None else reading.count)


def _init(reading: _Reading, init: Json, not_loaded: bool) -> Iterator[Fact]:
    line = reading.readings.answers.get(("init", MACHINE), {})
    code = LIBRARY_NOT_FOUND if not_loaded else 0 if "value" in line else code_of(line)
    if code is None:
        unknown = init if isinstance(init, Unknown) else reading.readings.missing("init", MACHINE)
        yield Fact("nvml.init_code", unknown)
        yield Fact("nvml.init_text", unknown)
    else:
        yield Fact("nvml.init_code", code)
        yield Fact("nvml.init_text", error_text(code, reading.texts))


def _devices(reading: _Reading) -> Iterator[Fact]:
    for one in READ_OUTS:
        key = "nvml.device_names" if one.spec.key == "gpu.nvml_names" else one.spec.key
        yield Fact(key, reading.per_device(one.step, one.convert))
    if reading.count is None:
        yield Fact("gpu.nvml_error_codes", reading.no_count)
        yield Fact("gpu.nvml_error_texts", reading.no_count)
        yield Fact("gpu.mig_device_counts", reading.no_count)
        return
    codes = [reading.worst_code(gpu) for gpu in range(reading.count)]
    yield Fact("gpu.nvml_error_codes", tuple(codes))
    yield Fact("gpu.nvml_error_texts", tuple(error_text(code, reading.texts) if code else "" for code in codes))
    yield Fact("gpu.mig_device_counts", tuple(_mig_count(reading, gpu) for gpu in range(reading.count)))


def _mig_count(reading: _Reading, gpu: int) -> Element:
    enabled = reading.value("mig_mode", gpu, lambda mode: bool(mode[0]))
    return reading.value("mig_devices", gpu, len) if enabled is True else 0 if enabled is False else enabled


def _lists(reading: _Reading) -> Iterator[Fact]:
    """Facts whose elements are not one for each GPU; what a GPU does not tell is absent and unknown elsewhere."""
    if reading.count is None:
        for key in ("processes", "mig_devices", "nvlink_error_counters"):
            yield Fact(f"gpu.{key}", reading.no_count)
    else:
        gpus = range(reading.count)
        yield Fact("gpu.processes", tuple(text for gpu in gpus for text in _processes(reading, gpu)))
        slices = [(gpu, uuid) for gpu in gpus for uuid in _items(reading, "mig_devices", gpu, 0)]
        yield Fact("gpu.mig_devices", tuple(f"gpu:{gpu} {uuid}" for gpu, uuid in slices))
        counters = [(gpu, item) for gpu in gpus for item in _items(reading, "nvlink_errors", gpu, 3)]
        texts = tuple(f"gpu:{gpu} link {item[0]} {item[1]} {item[2]}" for gpu, item in counters)
        yield Fact("gpu.nvlink_error_counters", texts)
    for key, step, names in (
        ("gpu.pair_topologies", "topology", TOPOLOGY_LEVELS),
        ("gpu.pair_p2p_reads", "p2p_read", P2P_STATES),
        ("gpu.pair_p2p_nvlinks", "p2p_nvlink", P2P_STATES),
    ):
        yield Fact(key, reading.no_count if reading.count is None else tuple(_pairs(reading, step, names)))


def _items(reading: _Reading, step: str, gpu: int, width: int) -> list[Json]:
    """The elements of a list of lists that have the right width (0: plain texts)."""
    raw = reading.raw(step, gpu)
    items = raw if isinstance(raw, list) else []
    return [
        item for item in items if (isinstance(item, list) and len(item) == width if width else isinstance(item, str))
    ]


def _processes(reading: _Reading, gpu: int) -> Iterator[str]:
    for kind in PROCESS_KINDS:
        for item in _items(reading, f"processes_{kind}", gpu, 2):
            size = f"{item[1]} bytes" if item[1] is not None else "memory not told"
            yield f"gpu:{gpu} pid {item[0]} {kind} {size}"


def _pairs(reading: _Reading, step: str, names: dict[int, str]) -> Iterator[Element]:
    count = reading.count or 0
    for first in range(count):
        for second in range(first + 1, count):
            number = reading.value(f"{step}.{second}", first, lambda raw: word(names, raw))
            yield number if isinstance(number, Unknown) else f"{first}-{second} {number}"
