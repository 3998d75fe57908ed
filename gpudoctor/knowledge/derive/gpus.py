"""The GPUs of the machine: how many, their names and compute capabilities, out of NVML, libcuda, torch and the table.

NVML's order is the one that counts. CUDA may list fewer GPUs and in another order, so its answers are taken over only
where NVML gave none.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.gpu_names import capability_of, kind_of
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Element, Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("gpu.count", FactType.INTEGER, "GPUs of this machine or container."),
    FactSpec("gpu.names", FactType.TEXT_LIST, "Their names.", per_device=True),
    FactSpec(
        "gpu.capabilities", FactType.VERSION_LIST, "Their compute capabilities, by whoever tells.", per_device=True
    ),
    FactSpec("gpu.kinds", FactType.TEXT_LIST, "datacenter, workstation, geforce, titan, jetson, ...", per_device=True),
)
INPUTS = (
    "gpu.count",
    "gpu.names",
    "gpu.compute_capabilities",
    "nvml.device_count",
    "nvml.device_names",
    "cuda.device_count",
    "cuda.device_names",
    "cuda.device_compute_capabilities",
    "torch.device_count",
    "torch.device_names",
    "torch.device_capabilities",
    "driver.gpu_models",
    "device.gpu_node_count",
    "device.dxg_present",
    "libcuda.kind",
)
NONE_SEEN = Unknown(Reason.NO_DATA, "no GPU was listed by NVML, CUDA or torch")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Names first, since documents often hold nothing else; an empty list from one source does not stop the next."""
    names = _names(facts)
    count = _count(facts, names)
    size = len(names) if names else count if isinstance(count, int) else 0
    yield Fact("gpu.count", count)
    yield Fact("gpu.names", names or NONE_SEEN)
    capabilities = _capabilities(facts, names, size, tables)
    yield Fact("gpu.capabilities", capabilities or NONE_SEEN)
    kind_by_name = {name: _kind(name, tables) for name in set(names)}  # a machine's GPUs mostly bear one name
    kinds: tuple[Element, ...] = tuple(kind_by_name[name] for name in names)
    yield Fact("gpu.kinds", kinds or NONE_SEEN)


def _names(facts: Facts) -> tuple[Element, ...]:
    for key in ("gpu.names", "nvml.device_names", "cuda.device_names", "torch.device_names"):
        found = facts.elements(key)
        if any(not isinstance(name, Unknown) for name in found):
            return found
    # The kernel's list may hold all GPUs of the host where the container was given only some.
    models = facts.elements("driver.gpu_models")
    return models if len(models) == facts.number("device.gpu_node_count") else ()


def _count(facts: Facts, names: tuple[Element, ...]) -> Value | Unknown:
    given = facts["gpu.count"]
    if not isinstance(given, Unknown):
        return given
    for key in ("nvml.device_count", "cuda.device_count"):
        if (facts.number(key) or 0) > 0:
            return facts[key]
    if names:
        return len(names)
    if (facts.number("torch.device_count") or 0) > 0:
        return facts["torch.device_count"]
    nodes = facts.number("device.gpu_node_count")
    if nodes:
        return int(nodes)
    for key in ("nvml.device_count", "cuda.device_count"):
        if facts.known(key) is not None:
            return facts[key]
    if nodes == 0 and not facts.flag("device.dxg_present") and facts.text("libcuda.kind") in (None, "absent"):
        return 0
    return NONE_SEEN


def _capabilities(facts: Facts, names: tuple[Element, ...], size: int, tables: Tables) -> tuple[Element, ...]:
    observed = facts.elements("gpu.compute_capabilities")
    for key in ("cuda.device_compute_capabilities", "torch.device_capabilities"):
        other = facts.elements(key)
        if not observed or all(isinstance(item, Unknown) for item in observed):
            observed = other if other and (not size or len(other) == size) else observed
    if not observed:
        observed = tuple(NONE_SEEN for _ in range(len(names)))
    filled = []
    for index, item in enumerate(observed):
        name = names[index] if index < len(names) else None
        filled.append(_by_name(name, tables) if isinstance(item, Unknown) and isinstance(name, str) else item)
    return tuple(filled)


def _by_name(name: str, tables: Tables) -> Element:
    return capability_of(name, tables) or Unknown(Reason.NO_DATA, f"{name} is not in the table of GPUs")


def _kind(name: Element, tables: Tables) -> Element:
    found = kind_of(name, tables) if isinstance(name, str) else ""
    return found or Unknown(Reason.NO_DATA, "the model is not in the table of GPUs")
