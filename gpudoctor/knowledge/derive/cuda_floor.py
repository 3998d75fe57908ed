"""Whether the driver is new enough for the CUDA that torch was built with."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.floors import floor_of, serves, serves_by_cuda
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.truth import Truth

FACTS = (
    FactSpec("cuda.min_driver", FactType.VERSION, "The oldest driver that runs torch's CUDA version."),
    FactSpec("cuda.min_driver_exact", FactType.VERSION, "The driver that NVIDIA names for exactly that CUDA version."),
    FactSpec("driver.serves_torch", FactType.BOOLEAN, "Whether the driver runs torch's CUDA version."),
)
INPUTS = (
    "torch.cuda_version",
    "driver.version",
    "driver.cuda_version",
    "cuda.seen_serving_torch",
    "machine.has_windows_driver",
    "machine.is_jetson",
)
JETSON = Unknown(Reason.NOT_APPLICABLE, "a Jetson's driver comes with its board's Linux release")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """By the driver's version where it counts, else by the CUDA version that the driver reports."""
    cuda = facts.version("torch.cuda_version")
    jetson, windows = facts.flag("machine.is_jetson") is True, facts.flag("machine.has_windows_driver") is True
    oldest: Value | Unknown
    exact: Value | Unknown
    if cuda is None:
        missing = facts["torch.cuda_version"]
        oldest = exact = missing if isinstance(missing, Unknown) else Unknown(Reason.NO_DATA)
    elif jetson:
        oldest = exact = JETSON
    else:
        floor = floor_of(cuda, tables, windows)
        unlisted = Unknown(Reason.NO_DATA, f"CUDA {cuda} is not in the table of driver floors")
        oldest = floor.oldest if floor else unlisted
        exact = floor.exact if floor and floor.exact else unlisted
    yield Fact("cuda.min_driver", oldest)
    yield Fact("cuda.min_driver_exact", exact)
    yield Fact("driver.serves_torch", _serves(facts, tables, jetson, windows))


def _serves(facts: Facts, tables: Tables, jetson: bool, windows: bool) -> Value | Unknown:
    cuda = facts.version("torch.cuda_version")
    if facts.flag("cuda.seen_serving_torch") is True:
        return True
    if cuda is None:
        return Unknown(Reason.NOT_APPLICABLE, "torch is no CUDA build, or its CUDA version is not known")
    driver, offered = facts.version("driver.version"), facts.version("driver.cuda_version")
    verdict = Truth.UNKNOWN
    if driver is not None and not jetson:
        verdict = serves(driver, cuda, tables, windows)
    if verdict is Truth.UNKNOWN and offered is not None:
        verdict = serves_by_cuda(offered, cuda)
    if verdict is Truth.UNKNOWN:
        return Unknown(Reason.NO_DATA, "neither the driver's version nor its CUDA version is known")
    return verdict is Truth.TRUE
