"""The official torch build that would serve this machine best, for the remedies of the checks."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import wheel
from gpudoctor.knowledge.gpu_names import capability_of
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.record import replace
from gpudoctor.model.version import Version

FACTS = (
    FactSpec(
        "wheel.best_torch",
        FactType.VERSION,
        "The official torch that serves this machine: the installed release, else the newest.",
    ),
    FactSpec("wheel.best_variant", FactType.TEXT, "Its variant, as in cu126."),
    FactSpec("wheel.best_cuda", FactType.VERSION, "Its CUDA version."),
    FactSpec("wheel.install_command", FactType.TEXT, "The pip command that installs it."),
    FactSpec("wheel.uv_command", FactType.TEXT, "The uv command that installs it."),
)
INPUTS = (
    "driver.version",
    "driver.cuda_version",
    "gpu.names",
    "gpu.capabilities",
    "driver.gpu_models",
    "python.version",
    "glibc.version",
    "kernel.machine",
    "kernel.name",
    "os.name",
    "torch.installed",
    "torch.version",
    "machine.has_windows_driver",
    "machine.is_jetson",
    "cuda.seen_working",
    "cuda.driver_api_version",
)

NOT_KNOWN = Unknown(Reason.NO_DATA, "the GPU's model or compute capability is not known")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Only where driver and GPUs are known: a recommendation for a machine that was not seen would be a guess."""
    wanted = _wanted(facts, tables)
    if isinstance(wanted, Unknown):
        return tuple(Fact(spec.key, wanted) for spec in FACTS)
    best = _best(wanted, facts.version("torch.version"), tables)
    if best is None:
        rejected = wheel.choose(wanted, tables).rejected
        reason = rejected[0].reason if rejected else "the tables list no build"
        none = Unknown(Reason.NOT_APPLICABLE, f"no official build serves this machine; of the newest: {reason}")
        return tuple(Fact(spec.key, none) for spec in FACTS)
    first = wheel.REMOVE_FIRST if facts.flag("torch.installed") else ""
    return (
        Fact("wheel.best_torch", Version.parse(best.torch)),
        Fact("wheel.best_variant", best.variant),
        Fact("wheel.best_cuda", Version.parse(best.cuda)),
        Fact("wheel.install_command", first + best.pip_command),
        Fact("wheel.uv_command", best.uv_command),
    )


def _best(wanted: wheel.Wanted, installed: Version | None, tables: Tables) -> wheel.Wheel | None:
    """The release that is installed where one of its builds serves: whoever repairs a machine changes no more than
    has to be, and the packages beside torch were chosen for that release."""
    if installed is not None:
        same = wheel.best_of(replace(wanted, torch=".".join(map(str, installed.numbers))), tables)
        if same is not None and not same.doubt:
            return same
    return wheel.best_of(wanted, tables)


def _wanted(facts: Facts, tables: Tables) -> wheel.Wanted | Unknown:
    if facts.flag("machine.is_jetson") is True:
        return Unknown(Reason.NOT_APPLICABLE, "Jetson boards need the builds of their own Linux release")
    driver, offered = facts.version("driver.version"), facts.version("driver.cuda_version")
    if driver is None and offered is None:
        return Unknown(Reason.NO_DATA, "the driver is not known")
    gpus = gpus_of(facts, tables)
    if isinstance(gpus, Unknown):
        return gpus
    seen = facts.version("cuda.driver_api_version") if facts.flag("cuda.seen_working") else None
    return wheel.Wanted(
        driver=driver,
        driver_cuda=seen if driver is not None else offered,
        gpus=gpus,
        python=facts.version("python.version"),
        glibc=facts.version("glibc.version"),
        platform=platform_of(facts),
        windows_driver=facts.flag("machine.has_windows_driver") is True,
    )


def gpus_of(facts: Facts, tables: Tables) -> tuple[wheel.Gpu, ...] | Unknown:
    """As NVML or CUDA list them; where both are silent, by the names that the kernel's driver gives."""
    names, capabilities = facts.elements("gpu.names"), facts.elements("gpu.capabilities")
    if not capabilities:
        names = facts.elements("driver.gpu_models")
        capabilities = tuple(capability_of(str(name), tables) or NOT_KNOWN for name in names)
    found = []
    for index, capability in enumerate(capabilities):
        if not isinstance(capability, Version):
            return NOT_KNOWN
        name = names[index] if index < len(names) else None
        found.append(wheel.Gpu(name if isinstance(name, str) else f"GPU {index}", capability))
    return tuple(found) or NOT_KNOWN


def platform_of(facts: Facts) -> str:
    """The platform that wheels are built for."""
    if "windows" in f"{facts.text('kernel.name') or ''} {facts.text('os.name') or ''}".lower():
        return wheel.WINDOWS
    return wheel.LINUX_ARM if facts.text("kernel.machine") in ("aarch64", "arm64") else wheel.LINUX
