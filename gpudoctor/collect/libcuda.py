"""What the CUDA driver API itself says of this machine, asked by ctypes in a child process: no torch is needed.

`cuInit` gives the one error code that decides whether CUDA can work here; everything else explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gpudoctor.collect.base import STAGE_CHILD
from gpudoctor.collect.child_attempts import MACHINE, Json, Plan, Readings, code_of, read_out, text_of
from gpudoctor.collect.nvml_decode import cuda_version
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

STAGE = STAGE_CHILD
STDERR_LIMIT = 4000
MAXIMUM_DEVICES = 4096

# cuInit wakes GPUs that nobody keeps awake, and on a machine with many of them that takes a while.
PLAN = Plan(
    name="libcuda",
    script="libcuda_child.py",
    vital=frozenset({"import", "load", "init", "count"}),
    slow=("load", "init", "count"),
    child_seconds=30.0,
    slow_seconds=20.0,
    step_seconds=5.0,
)

FACTS: tuple[FactSpec, ...] = (
    FactSpec(
        "cuda.init_outcome",
        FactType.TEXT,
        "How starting the CUDA driver API went: ok, error (it refused or did not load), crashed, timed_out or "
        "not_started.",
    ),
    FactSpec("cuda.init_code", FactType.INTEGER, "What cuInit gave; 0 is success."),
    FactSpec("cuda.init_name", FactType.TEXT, "The same as CUDA names it, like CUDA_ERROR_NO_DEVICE."),
    FactSpec("cuda.init_text", FactType.TEXT, "The same in the library's own words."),
    FactSpec("cuda.driver_api_version", FactType.VERSION, "Newest CUDA that this libcuda runs."),
    FactSpec("cuda.device_count", FactType.INTEGER, "GPUs that CUDA lets this process see."),
    FactSpec("cuda.device_names", FactType.TEXT_LIST, "Their names, in CUDA's order."),
    FactSpec("cuda.device_compute_capabilities", FactType.VERSION_LIST, "Their compute capabilities."),
    FactSpec("cuda.device_memory_bytes", FactType.INTEGER_LIST, "Their memory.", "bytes"),
    FactSpec("cuda.device_bus_ids", FactType.TEXT_LIST, "Their PCI bus ids, to be compared with NVML's."),
    FactSpec("cuda.sick_calls", FactType.TEXT_LIST, "The calls in which a child died or hung, and how."),
    FactSpec("cuda.stderr", FactType.TEXT, "What the children wrote to standard error, verbatim."),
    FactSpec("libcuda.loaded_path", FactType.TEXT, "The file that libcuda.so.1 was really loaded from."),
    FactSpec("libcuda.load_error", FactType.TEXT, "The dynamic loader's words when libcuda.so.1 did not load."),
)


def collect(host: Host) -> Iterable[Fact]:
    """Run the child, again without what killed it where needed, and interpret what came back."""
    return interpret(read_out(host, PLAN))


def interpret(readings: Readings) -> list[Fact]:
    """The facts of one read-out. Pure; every declared fact is there."""
    return [*_loading(readings), *_starting(readings), *_devices(readings)]


def _raw(readings: Readings, step: str, gpu: int = MACHINE) -> Json:
    """The value of a step as the child sent it, or Unknown with CUDA's own code and words."""
    line = readings.answers.get((step, gpu))
    if line is None or "skipped" in line:
        before = _failed_before(readings, step)
        return readings.missing(step, gpu) if before is None else before
    if "value" in line:
        return line["value"]
    return _refusal(readings, line)


def _unknown(readings: Readings, step: str) -> Unknown:
    raw = _raw(readings, step)
    return raw if isinstance(raw, Unknown) else Unknown(Reason.UNPARSEABLE, f"{step}: {raw!r}"[:300])


def _failed_before(readings: Readings, step: str) -> Unknown | None:
    for before in ("load", "init", "count"):
        line = readings.answers.get((before, MACHINE))
        if before != step and line is not None and not {"value", "skipped"} & line.keys():
            return _refusal(readings, line)
    return None


def _refusal(readings: Readings, line: Mapping[str, Json]) -> Unknown:
    call = line.get("call", line.get("step"))
    if code_of(line) is not None:
        name = readings.answers.get((f"error_name.{line['code']}", MACHINE), {}).get("value") or "an unknown error"
        return Unknown(Reason.NO_DATA, f"{call} gave CUDA error {line['code']}, {name}")
    reason = Reason.NOT_INSTALLED if "No such file" in str(line.get("error")) else Reason.NO_DATA
    return Unknown(reason, f"{call}: {line.get('error', 'a line without an answer')}")


def _converted(readings: Readings, step: str, gpu: int, convert: Callable[[Json], Element]) -> Element:
    raw = _raw(readings, step, gpu)
    if isinstance(raw, Unknown):
        return raw
    try:
        return convert(raw)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        return Unknown(Reason.UNPARSEABLE, f"{step}: {error}: {raw!r}"[:300])


def _loading(readings: Readings) -> Iterator[Fact]:
    line = readings.answers.get(("load", MACHINE), {})
    path = _converted(readings, "load", MACHINE, text_of)
    yield Fact(
        "libcuda.loaded_path", path if path != "" else Unknown(Reason.NO_DATA, "the kernel's maps do not show it")
    )
    fine = Unknown(Reason.NOT_APPLICABLE, "the library loaded") if "value" in line else path
    yield Fact("libcuda.load_error", str(line["error"]) if "error" in line else fine)
    yield Fact("cuda.sick_calls", tuple(death.words for death in readings.deaths))
    said = "\n".join(end.stderr.strip() for end in readings.ends if end.stderr.strip())
    yield Fact("cuda.stderr", said[:STDERR_LIMIT] or Unknown(Reason.NO_DATA, "nothing was written"))


def _starting(readings: Readings) -> Iterator[Fact]:
    line = readings.answers.get(("init", MACHINE), {})
    code = 0 if "value" in line else code_of(line)
    outcome = readings.outcome
    if outcome == "ok" and code != 0:
        outcome = "error"
    yield Fact("cuda.init_outcome", outcome)
    if code is None:
        for key in ("code", "name", "text"):
            yield Fact(f"cuda.init_{key}", _unknown(readings, "init"))
    else:
        yield Fact("cuda.init_code", code)
        for key in ("name", "text"):
            words = _converted(readings, f"error_{key}.{code}", MACHINE, text_of)
            nameless = Unknown(Reason.NO_DATA, f"the library has no {key} for CUDA error {code}")
            yield Fact(f"cuda.init_{key}", nameless if words == "" else words)
    yield Fact("cuda.driver_api_version", _converted(readings, "api_version", MACHINE, cuda_version))


def _devices(readings: Readings) -> Iterator[Fact]:
    count = _converted(readings, "count", MACHINE, _count)
    yield Fact("cuda.device_count", count)
    devices = range(count) if isinstance(count, int) else None
    for key, step, convert in (
        ("names", "name", text_of),
        ("compute_capabilities", "compute_capability", lambda raw: Version.parse(f"{int(raw[0])}.{int(raw[1])}")),
        ("memory_bytes", "memory", int),
        ("bus_ids", "bus_id", text_of),
    ):
        value = count if devices is None else tuple(_device(readings, step, gpu, convert) for gpu in devices)
        yield Fact(f"cuda.device_{key}", value)


def _count(raw: Json) -> int:
    if not 0 <= int(raw) <= MAXIMUM_DEVICES:
        raise ValueError("no number of devices")
    return int(raw)


def _device(readings: Readings, step: str, gpu: int, convert: Callable[[Json], Element]) -> Element:
    grasped = readings.answers.get(("device", gpu), {})
    if "skipped" in grasped:
        return readings.missing("device", gpu)
    if grasped and "value" not in grasped:
        return _refusal(readings, grasped)
    return _converted(readings, step, gpu, convert)
