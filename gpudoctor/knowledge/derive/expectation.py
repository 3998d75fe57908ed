"""Whether a GPU is meant to be here, and what says so.

A missing GPU is a fault only where one was meant. Signs, from the strongest: somebody asked for it, a driver or its
device nodes are there, the container was started with one requested, torch is a CUDA build. The last sign is weak,
since that build is what the default package index hands out.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.truth import Truth, any_of

FACTS = (
    FactSpec("gpu.expected", FactType.BOOLEAN, "Whether something says that a GPU is meant to be here."),
    FactSpec(
        "gpu.expected_because", FactType.TEXT, "What says so: asked, driver, device_nodes, container, cuda_build; none."
    ),
    FactSpec("gpu.expected_words", FactType.TEXT, "The same as a clause for messages."),
    FactSpec("expect.gpu_count", FactType.INTEGER, "How many GPUs were asked for."),
)
INPUTS = (
    "expect.gpus",
    "driver.version",
    "libcuda.kind",
    "nvml.failure_code",
    "cuda.failure_code",
    "cuda.seen_working",
    "nvml.seen_working",
    "device.gpu_node_count",
    "gpu.count",
    "container.nvidia_visible_devices",
    "torch.build",
)
WORDS = {
    "asked": "you asked for one",
    "driver": "an NVIDIA driver makes itself known",
    "device_nodes": "a GPU or its device nodes are to be seen",
    "container": "NVIDIA_VISIBLE_DEVICES asks for one",
    "cuda_build": "torch is a CUDA build",
    "none": "nothing says so",
}
NOT_ASKED = Unknown(Reason.NOT_APPLICABLE, "no number of GPUs was asked for")
# An error by which a driver makes itself heard; "no library" and "no device" are what a machine without one answers.
_SILENT = (None, 0, 12, 100)
_NO_DEVICES = ("", "void", "none")
_ABSENT = (Reason.NOT_INSTALLED, Reason.NOT_APPLICABLE, Reason.NO_DATA)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """The first sign that holds names the reason; signs that could not be looked at leave a "no" open."""
    because = _because(facts)
    yield Fact("gpu.expected_because", because)
    yield Fact("gpu.expected", because if isinstance(because, Unknown) else because != "none")
    yield Fact("gpu.expected_words", because if isinstance(because, Unknown) else WORDS[because])
    asked = _asked(facts)
    yield Fact("expect.gpu_count", int(asked) if because == "asked" else NOT_ASKED)


def _asked(facts: Facts) -> str:
    return (facts.text("expect.gpus") or "any").strip().lower()


def _because(facts: Facts) -> str | Unknown:
    asked = _asked(facts)
    if asked.isdecimal():
        return "asked" if int(asked) else "none"
    if asked == "none":
        return "none"
    signs = _signs(facts)
    reason = next((name for name, truth in signs if truth is Truth.TRUE), "")
    if not reason and any_of([truth for _, truth in signs]) is Truth.UNKNOWN:
        return Unknown(Reason.NO_DATA, "neither driver nor torch could be looked at")
    return reason or "none"


def _signs(facts: Facts) -> tuple[tuple[str, Truth], ...]:
    seen = facts.flag("cuda.seen_working") is True or facts.flag("nvml.seen_working") is True
    driver = facts.known("driver.version") is not None or facts.text("libcuda.kind") == "real"
    driver = driver or any(facts.number(f"{area}.failure_code") not in _SILENT for area in ("nvml", "cuda"))
    nodes = (facts.number("device.gpu_node_count") or 0) >= 1 or (facts.number("gpu.count") or 0) >= 1
    wanted = facts.text("container.nvidia_visible_devices")
    return (
        ("driver", Truth.TRUE if seen or driver else _open(facts, "driver.version")),
        ("device_nodes", Truth.TRUE if nodes else _open(facts, "device.gpu_node_count")),
        ("container", Truth.of(wanted is not None and wanted.strip().lower() not in _NO_DEVICES)),
        ("cuda_build", Truth.TRUE if facts.text("torch.build") == "cuda" else _open(facts, "torch.build")),
    )


def _open(facts: Facts, key: str) -> Truth:
    value = facts[key]
    return Truth.UNKNOWN if isinstance(value, Unknown) and value.reason not in _ABSENT else Truth.FALSE
