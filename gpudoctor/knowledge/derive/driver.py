"""The driver: one version, one branch and one CUDA version out of what the kernel, NVML and libcuda say."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("driver.version", FactType.VERSION, "The NVIDIA driver: the kernel module's version, else NVML's."),
    FactSpec("driver.branch", FactType.INTEGER, "The first number of the driver's version."),
    FactSpec("driver.branch_ended", FactType.BOOLEAN, "Whether NVIDIA has ended the support of that branch."),
    FactSpec("driver.branch_end_of_life", FactType.TEXT, "When NVIDIA ended or will end it, as a date or month."),
    FactSpec(
        "driver.cuda_version", FactType.VERSION, "The CUDA version that the driver offers (no ceiling in a major)."
    ),
)
INPUTS = (
    "driver.kernel_module_version",
    "nvml.driver_version",
    "libcuda.kind",
    "libcuda.version",
    "cuda.driver_api_version",
    "nvml.cuda_version",
    "driver.version",
)
NO_DRIVER = Unknown(Reason.NOT_INSTALLED, "no NVIDIA driver was seen")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """The kernel module is what runs, so its version goes first; libraries can be of another version."""
    library = facts["libcuda.version"] if facts.text("libcuda.kind") == "real" else NO_DRIVER
    own = facts["driver.version"]  # a document states it outright
    found = _first(own, facts["driver.kernel_module_version"], facts["nvml.driver_version"], library)
    yield Fact("driver.version", found)
    version = Facts([Fact("driver.version", found)]).version("driver.version")
    yield Fact("driver.branch", NO_DRIVER if version is None else version.major)
    row = tables["driver_branches"].find(branch=version.major) if version is not None else None
    unlisted = NO_DRIVER if version is None else Unknown(Reason.NO_DATA, f"branch {version.major} is not in the table")
    ended = rows.flag(row, "ended") if row is not None else None
    yield Fact("driver.branch_ended", unlisted if ended is None else ended)
    yield Fact("driver.branch_end_of_life", (rows.text(row, "end_of_life") if row is not None else "") or unlisted)
    table = (rows.version(row, "max_cuda") if row is not None else None) or unlisted
    yield Fact(
        "driver.cuda_version",
        _first(facts["cuda.driver_api_version"], facts["nvml.cuda_version"], table, otherwise=unlisted),
    )


def _first(*values: Value | Unknown, otherwise: Unknown = NO_DRIVER) -> Value | Unknown:
    known = next((value for value in values if not isinstance(value, Unknown)), None)
    if known is not None:
        return known
    telling = [value for value in values if isinstance(value, Unknown) and value.reason is not Reason.NO_DATA]
    return telling[0] if telling else otherwise
