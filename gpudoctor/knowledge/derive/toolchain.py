"""Whether the CUDA toolkit that compiles extensions here is of the major version that torch was built with."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec(
        "cuda_toolkit.fits_torch",
        FactType.BOOLEAN,
        "Whether nvcc is of the CUDA major version that torch was built with.",
    ),
)
INPUTS = ("cuda_toolkit.nvcc_version", "torch.cuda_version")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """torch refuses to compile across majors; between minors of one major it only warns."""
    yield Fact("cuda_toolkit.fits_torch", _fits(facts))


def _fits(facts: Facts) -> Value | Unknown:
    nvcc, torch = facts.version("cuda_toolkit.nvcc_version"), facts.version("torch.cuda_version")
    if nvcc is not None and torch is not None:
        return nvcc.major == torch.major
    for key in ("cuda_toolkit.nvcc_version", "torch.cuda_version"):
        value = facts[key]
        if isinstance(value, Unknown) and value.reason is not Reason.NO_DATA:
            return value
    return Unknown(Reason.NO_DATA, "either nvcc's version or torch's CUDA version is not known")
