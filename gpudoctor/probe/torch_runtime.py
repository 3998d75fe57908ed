"""Facts about torch at work: whether it gets at the GPU, in its own words, and the versions it finds at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe import answers
from gpudoctor.probe.answers import known_or, said, text, texts, version, why_no_torch, why_step_failed
from gpudoctor.probe.torch_build import Sources, other_build

FACTS = (
    FactSpec(
        "torch.runtime_outcome", FactType.TEXT, "how asking torch for the GPU ended: completed, crashed, timed_out"
    ),
    FactSpec("torch.runtime_signal", FactType.TEXT, "the signal that ended that attempt"),
    FactSpec("torch.runtime_output", FactType.TEXT, "what was printed during that attempt", private=True),
    FactSpec("torch.cuda_available", FactType.BOOLEAN, "torch.cuda.is_available()"),
    FactSpec("torch.cuda_warning", FactType.TEXT, "the warnings of torch.cuda.is_available(), word for word"),
    FactSpec("torch.cuda_init_error", FactType.TEXT, "what torch.cuda.init() raised, word for word"),
    FactSpec("torch.device_count", FactType.INTEGER, "torch.cuda.device_count()"),
    FactSpec("torch.device_names", FactType.TEXT_LIST, "the devices in torch's order"),
    FactSpec("torch.device_capabilities", FactType.VERSION_LIST, "their compute capabilities"),
    FactSpec("torch.device_memory_bytes", FactType.INTEGER_LIST, "their memory", unit="bytes"),
    FactSpec("torch.device_uuids", FactType.TEXT_LIST, "their identifiers", private=True),
    FactSpec("torch.config", FactType.TEXT, "torch.__config__.show()"),
    FactSpec("torch.distributed_available", FactType.BOOLEAN, "whether torch was built with torch.distributed"),
    FactSpec("torch.distributed_backends", FactType.TEXT_LIST, "the backends it was built with"),
    FactSpec("cudnn.version", FactType.VERSION, "the cuDNN that torch found at run time"),
    FactSpec("cudnn.error", FactType.TEXT, "what asking for cuDNN raised, word for word"),
    FactSpec("nccl.version", FactType.VERSION, "the NCCL that torch found at run time"),
)
NOTHING = Unknown(Reason.NOT_APPLICABLE, "it said nothing")


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; without an imported torch all have the reason for that."""
    why = why_no_torch(end, plan)
    if why is not None:
        yield from answers.absent(tuple(spec.key for spec in FACTS), why)
        return
    build = Sources.of(end, plan).build()
    yield from availability(end, said(end, "cuda"))
    yield from devices(end, said(end, "cuda"), build)
    yield from libraries(end, said(end, "build"), build)


def availability(end: ChildEnd, line: Mapping[str, Any]) -> Iterable[Fact]:
    """Whether CUDA came up, and the words of torch."""
    why = why_step_failed(end, "cuda")
    outcome = text(line.get("outcome"))
    yield Fact("torch.runtime_outcome", known_or(outcome if outcome != "started" else "", why))
    yield Fact("torch.runtime_signal", known_or(answers.signal_of(line), Unknown(Reason.NOT_APPLICABLE, "no signal")))
    yield Fact("torch.runtime_output", known_or(text(line.get("output")), NOTHING))
    yield Fact("torch.cuda_available", flag(line.get("available"), failed(line, "available") or why))
    warned = line.get("available_warnings") or line.get("count_warnings") or line.get("init_warnings")
    silent = NOTHING if "available" in line else why
    yield Fact("torch.cuda_warning", known_or("\n".join(texts(warned)), silent))
    raised = text(line.get("init_error")) or text(line.get("available_error"))
    yield Fact("torch.cuda_init_error", known_or(raised, silent))


def devices(end: ChildEnd, line: Mapping[str, Any], build: str) -> Iterable[Fact]:
    """The devices in torch's own order, which CUDA_VISIBLE_DEVICES may change."""
    why = failed(line, "count") or why_step_failed(end, "cuda")
    count = line.get("count")
    yield Fact("torch.device_count", count if isinstance(count, int) else why)
    found = line.get("devices")
    keys = ("names", "capabilities", "memory_bytes", "uuids")
    if not isinstance(found, list):
        none = Unknown(Reason.NOT_APPLICABLE, "torch sees no device") if count == 0 else why
        if line.get("available") is False:
            none = Unknown(Reason.NOT_APPLICABLE, "CPU-only build" if build == "cpu" else "torch cannot use CUDA")
        yield from answers.absent(tuple(f"torch.device_{key}" for key in keys), none)
        return
    yield Fact("torch.device_names", tuple(element(device, text(device.get("name")) or None) for device in found))
    yield Fact("torch.device_capabilities", tuple(element(device, capability(device)) for device in found))
    yield Fact("torch.device_memory_bytes", tuple(element(device, device.get("total_memory")) for device in found))
    yield Fact("torch.device_uuids", tuple(element(device, text(device.get("uuid")) or None) for device in found))


def libraries(end: ChildEnd, line: Mapping[str, Any], build: str) -> Iterable[Fact]:
    """What the libraries inside torch say."""
    why = why_step_failed(end, "build")
    errors = line.get("errors") or {}
    yield Fact("torch.config", known_or(text(line.get("config")), missing(errors, "config", why)))
    yield Fact("torch.distributed_available", flag(line.get("distributed"), missing(errors, "distributed", why)))
    backends = tuple(name for name in ("nccl", "gloo", "mpi") if line.get(f"has_{name}") is True)
    told = "has_gloo" in line or "has_nccl" in line
    yield Fact("torch.distributed_backends", backends if told else missing(errors, "has_gloo", why))
    other = other_build(build, "cuda")
    yield Fact("cudnn.error", known_or(text(errors.get("cudnn")), NOTHING))
    cudnn = line.get("cudnn")
    number = cudnn_text(cudnn) if isinstance(cudnn, int) and not isinstance(cudnn, bool) else ""
    # a ROCm build answers both questions with the numbers of MIOpen and RCCL, which count differently
    yield Fact("cudnn.version", other or (version(number) if number else missing(errors, "cudnn", why)))
    nccl = nccl_text(line.get("nccl"))
    yield Fact("nccl.version", other or (version(nccl) if nccl else missing(errors, "nccl", why)))


def flag(value: object, otherwise: Unknown) -> Value | Unknown:
    """A boolean, or why there is none."""
    return value if isinstance(value, bool) else otherwise


def failed(line: Mapping[str, Any], name: str) -> Unknown | None:
    """What asking for one thing raised."""
    error = text(line.get(f"{name}_error"))
    return Unknown(Reason.NO_DATA, error) if error else None


def missing(errors: Mapping[str, Any], name: str, otherwise: Unknown) -> Unknown:
    """What reading one thing raised, or else the step's own reason."""
    error = text(errors.get(name))
    return Unknown(Reason.NO_DATA, error) if error else otherwise


def element(device: Mapping[str, Any], value: Element | None) -> Element:
    """One device's value, or why this device has none."""
    return Unknown(Reason.NO_DATA, text(device.get("error"))) if value is None else value


def capability(device: Mapping[str, Any]) -> Element | None:
    """The compute capability, such as 9.0."""
    major, minor = device.get("major"), device.get("minor")
    if not isinstance(major, int) or not isinstance(minor, int):
        return None
    return version(f"{major}.{minor}")


def cudnn_text(number: int) -> str:
    """cuDNN's number as a version: 8902 is 8.9.2; since 9 the major counts ten thousands, so 91900 is 9.19.0."""
    base = 10_000 if number >= 90_000 else 1_000
    return f"{number // base}.{number % base // 100}.{number % 100}"


def nccl_text(value: object) -> str:
    """NCCL's version: parts, or a number that counts ten thousands since 2.9 (21005 is 2.10.5, 2708 is 2.7.8)."""
    if isinstance(value, list):
        return ".".join(part for part in map(str, value) if part.isdigit())
    if isinstance(value, int) and value > 0:
        base = 10_000 if value >= 10_000 else 1_000
        return f"{value // base}.{value % base // 100}.{value % 100}"
    return ""
