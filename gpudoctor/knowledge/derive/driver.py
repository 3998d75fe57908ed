"""The driver: one version, one branch and one CUDA version out of what the kernel, NVML and libcuda say."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.floors import branch_cuda
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("driver.version", FactType.VERSION, "The NVIDIA driver: the kernel module's version, else NVML's."),
    FactSpec("driver.branch", FactType.INTEGER, "The first number of the driver's version."),
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
    table: Value | Unknown = NO_DRIVER
    if version is not None:
        table = branch_cuda(version.major, tables) or Unknown(
            Reason.NO_DATA, f"driver branch {version.major} is not in the table"
        )
    yield Fact("driver.cuda_version", _first(facts["cuda.driver_api_version"], facts["nvml.cuda_version"], table))


def _first(*values: Value | Unknown) -> Value | Unknown:
    known = next((value for value in values if not isinstance(value, Unknown)), None)
    if known is not None:
        return known
    telling = [value for value in values if isinstance(value, Unknown) and value.reason is not Reason.NO_DATA]
    return telling[0] if telling else NO_DRIVER
