"""Whether the driver's two halves fit: the kernel module and the libraries that programs load."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("driver.library_version", FactType.VERSION, "Version of the driver libraries that programs would load."),
    FactSpec("driver.halves_agree", FactType.BOOLEAN, "Whether kernel module and libraries are of one version."),
)
INPUTS = (
    "driver.kernel_module_version",
    "libcuda.kind",
    "libcuda.version",
    "libnvidia_ml.kind",
    "libnvidia_ml.version",
    "machine.has_device_nodes",
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """A compat libcuda is of another version on purpose; WSL and Jetson have no module of this kind."""
    if facts.flag("machine.has_device_nodes") is False:
        elsewhere = Unknown(Reason.NOT_APPLICABLE, "this machine's driver has no separate halves to compare")
        return (Fact("driver.library_version", elsewhere), Fact("driver.halves_agree", elsewhere))
    if facts.text("libcuda.kind") == "absent" and facts.text("libnvidia_ml.kind") in ("absent", None):
        none = Unknown(Reason.NOT_APPLICABLE, "there are no driver libraries here")
        return (Fact("driver.library_version", none), Fact("driver.halves_agree", none))
    library: Value | Unknown = Unknown(Reason.NO_DATA, "no driver library of a known version was found")
    for name in ("libcuda", "libnvidia_ml"):
        found = facts.version(f"{name}.version")
        if facts.text(f"{name}.kind") == "real" and found is not None and len(found.numbers) > 1:
            library = found
            break
    module = facts.version("driver.kernel_module_version")
    agree: Value | Unknown = Unknown(Reason.NO_DATA, "the version of one half is not known")
    if module is not None and not isinstance(library, Unknown):
        agree = module == library
    return (Fact("driver.library_version", library), Fact("driver.halves_agree", agree))
