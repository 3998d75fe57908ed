"""The official torch build that would serve this machine best, for the remedies of the checks."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import wheel
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("wheel.best_torch", FactType.VERSION, "The newest official torch that serves this machine."),
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
    "python.version",
    "glibc.version",
    "kernel.machine",
    "kernel.name",
    "os.name",
    "torch.installed",
    "machine.has_windows_driver",
    "machine.is_jetson",
    "cuda.seen_working",
    "cuda.driver_api_version",
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Only where driver and GPUs are known: a recommendation for a machine that was not seen would be a guess."""
    wanted = _wanted(facts)
    if isinstance(wanted, Unknown):
        return tuple(Fact(spec.key, wanted) for spec in FACTS)
    choice = wheel.choose(wanted, tables)
    if choice.best is None:
        reason = choice.rejected[0].reason if choice.rejected else "the tables list no build"
        none = Unknown(Reason.NOT_APPLICABLE, f"no official build serves this machine; of the newest: {reason}")
        return tuple(Fact(spec.key, none) for spec in FACTS)
    best = choice.best
    # pip keeps an installed build whose version differs only in its label, so the old one has to go first.
    first = "pip uninstall -y torch torchvision torchaudio && " if facts.flag("torch.installed") else ""
    return (
        Fact("wheel.best_torch", Version.parse(best.torch)),
        Fact("wheel.best_variant", best.variant),
        Fact("wheel.best_cuda", Version.parse(best.cuda)),
        Fact("wheel.install_command", first + best.pip_command),
        Fact("wheel.uv_command", best.uv_command),
    )


def _wanted(facts: Facts) -> wheel.Wanted | Unknown:
    if facts.flag("machine.is_jetson") is True:
        return Unknown(Reason.NOT_APPLICABLE, "Jetson boards need the builds of their own Linux release")
    driver, offered = facts.version("driver.version"), facts.version("driver.cuda_version")
    if driver is None and offered is None:
        return Unknown(Reason.NO_DATA, "the driver is not known")
    names = facts.elements("gpu.names")
    gpus = []
    for index, capability in enumerate(facts.elements("gpu.capabilities")):
        if not isinstance(capability, Version):
            return Unknown(Reason.NO_DATA, "the compute capability of a GPU is not known")
        name = names[index] if index < len(names) else None
        gpus.append(wheel.Gpu(name if isinstance(name, str) else f"GPU {index}", capability))
    if not gpus:
        return Unknown(Reason.NO_DATA, "the GPU's model is not known")
    seen = facts.version("cuda.driver_api_version") if facts.flag("cuda.seen_working") else None
    return wheel.Wanted(
        driver=driver,
        driver_cuda=seen if driver is not None else offered,
        gpus=tuple(gpus),
        python=facts.version("python.version"),
        glibc=facts.version("glibc.version"),
        platform=_platform(facts),
        windows_driver=facts.flag("machine.has_windows_driver") is True,
    )


def _platform(facts: Facts) -> str:
    if "windows" in f"{facts.text('kernel.name') or ''} {facts.text('os.name') or ''}".lower():
        return wheel.WINDOWS
    return wheel.LINUX_ARM if facts.text("kernel.machine") in ("aarch64", "arm64") else wheel.LINUX
