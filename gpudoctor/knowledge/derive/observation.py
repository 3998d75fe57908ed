"""What was seen to work. These facts are always decided: they say what was observed, not what holds.

An observed success outranks every static comparison: a GPU that CUDA has opened is not "behind a missing node", and a
driver under which torch has found its GPU is not "too old".
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.floors import serves_by_cuda
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType
from gpudoctor.model.truth import Truth

FACTS = (
    FactSpec("cuda.seen_working", FactType.BOOLEAN, "Whether CUDA was seen to start and to list a GPU."),
    FactSpec("torch.seen_using_gpu", FactType.BOOLEAN, "Whether torch was seen to find a GPU."),
    FactSpec(
        "cuda.seen_serving_torch", FactType.BOOLEAN, "Whether CUDA was seen to start in a version that serves torch."
    ),
    FactSpec("nvml.seen_working", FactType.BOOLEAN, "Whether NVML was seen to start and to list a GPU."),
    FactSpec("torch.seen_imported", FactType.BOOLEAN, "Whether torch was seen to load."),
)
INPUTS = (
    "cuda.init_code",
    "cuda.device_count",
    "cuda.driver_api_version",
    "nvml.init_code",
    "nvml.device_count",
    "torch.cuda_available",
    "torch.cuda_version",
    "torch.import_outcome",
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Unknown inputs count as "not seen"."""
    torch = facts.flag("torch.cuda_available") is True
    driver = facts.number("cuda.init_code") == 0 and (facts.number("cuda.device_count") or 0) >= 1
    offered, needed = facts.version("cuda.driver_api_version"), facts.version("torch.cuda_version")
    serving = driver and offered is not None and needed is not None and serves_by_cuda(offered, needed) is Truth.TRUE
    nvml = facts.number("nvml.init_code") == 0 and (facts.number("nvml.device_count") or 0) >= 1
    yield Fact("cuda.seen_working", driver or torch)
    yield Fact("torch.seen_using_gpu", torch)
    yield Fact("cuda.seen_serving_torch", torch or serving)
    yield Fact("nvml.seen_working", nvml)
    imported = facts.text("torch.import_outcome") == "imported" or facts.flag("torch.cuda_available") is not None
    yield Fact("torch.seen_imported", imported)
