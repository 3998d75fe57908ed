"""Whether torch holds code for each GPU: by the list that torch prints, else by the table of official builds."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import builds, kernels, rows
from gpudoctor.knowledge.floors import serves_by_cuda
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Element, Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("gpu.covered_by_wheel", FactType.BOOLEAN_LIST, "Whether torch holds code for each GPU.", per_device=True),
    FactSpec("torch.kernel_list", FactType.TEXT, "The architectures that torch holds code for, in one line."),
)
INPUTS = (
    "gpu.capabilities",
    "torch.build",
    "torch.version",
    "torch.cuda_version",
    "torch.arch_list",
    "driver.cuda_version",
    "kernel.machine",
    "python.environment",
    "machine.has_windows_driver",
)
NO_LIST = Unknown(Reason.NO_DATA, "for which GPUs this torch was built is not known")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Builds without CUDA have nothing to cover."""
    if facts.text("torch.build") in ("cpu", "rocm", "xpu"):
        not_cuda = Unknown(Reason.NOT_APPLICABLE, "torch is no CUDA build")
        return (Fact("gpu.covered_by_wheel", not_cuda), Fact("torch.kernel_list", not_cuda))
    names = tuple(item for item in facts.elements("torch.arch_list") if isinstance(item, str))
    from_table = not names
    targets: tuple[kernels.Target | None, ...] = tuple(kernels.parse_target(name) for name in names)
    if from_table:
        targets = _by_table(facts, tables)
    shown = ", ".join(names) or ", ".join(f"sm_{one.capability[0]}{one.capability[1]}" for one in targets if one)
    listed = Fact("torch.kernel_list", shown or NO_LIST)
    capabilities = facts.elements("gpu.capabilities")
    if not capabilities or not targets:
        return (Fact("gpu.covered_by_wheel", NO_LIST), listed)
    verdicts = tuple(_verdict(item, targets, facts, from_table) for item in capabilities)
    return (Fact("gpu.covered_by_wheel", verdicts), listed)


def _by_table(facts: Facts, tables: Tables) -> tuple[kernels.Target | None, ...]:
    torch = facts.version("torch.version")
    if torch is None or not builds.is_plain(torch):
        return ()
    row = builds.variant_row(torch, builds.variant_of(torch, facts.version("torch.cuda_version")), tables)
    if row is None or row.confidence == "low":
        return ()
    machine = facts.text("kernel.machine") or "x86_64"
    column = "sm_aarch64" if machine in ("aarch64", "arm64") else "sm_x86_64"
    return kernels.machine_code(rows.versions(row, column) or ())


def _verdict(item: Element, targets: tuple[kernels.Target | None, ...], facts: Facts, from_table: bool) -> Element:
    if not isinstance(item, Version):
        return item if isinstance(item, Unknown) else NO_LIST
    machine_code = tuple(target for target in targets if target is None or not target.is_ptx)
    verdict = kernels.covers(machine_code, item) if machine_code else Truth.FALSE
    if verdict is not Truth.TRUE and any(target and target.is_ptx for target in targets):
        verdict = kernels.covers(targets, item)
        if verdict is Truth.TRUE and not _driver_compiles(facts):
            return Unknown(Reason.NO_DATA, "only PTX fits, and this driver is older than the toolkit that wrote it")
    if verdict is Truth.FALSE and from_table and facts.text("python.environment") == "conda":
        return Unknown(Reason.NO_DATA, "conda's builds hold more architectures than the table lists")
    if verdict is Truth.UNKNOWN:
        return Unknown(Reason.NO_DATA, "the architecture list holds entries of unclear reach")
    return verdict is Truth.TRUE


def _driver_compiles(facts: Facts) -> bool:
    """PTX of a newer toolkit cannot be compiled by an older driver, minor-version compatibility or not."""
    offered, built = facts.version("driver.cuda_version"), facts.version("torch.cuda_version")
    if offered is None or built is None:
        return True
    return offered >= built or serves_by_cuda(offered, built) is Truth.FALSE
