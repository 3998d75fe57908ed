"""What kind of machine this is, as far as rules depend on it: always decided, since rules ask about what was seen."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType

FACTS = (
    FactSpec("machine.is_container", FactType.BOOLEAN, "Whether a container was recognised."),
    FactSpec("machine.has_windows_driver", FactType.BOOLEAN, "Whether the driver is a Windows one (WSL or Windows)."),
    FactSpec("machine.has_device_nodes", FactType.BOOLEAN, "Whether the driver is reached through /dev/nvidia* here."),
    FactSpec("machine.is_jetson", FactType.BOOLEAN, "Whether a Jetson board was recognised."),
)
INPUTS = (
    "container.kind",
    "os.is_wsl",
    "os.is_jetson",
    "os.name",
    "kernel.name",
    "kernel.release",
    "device.dxg_present",
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """WSL reaches the driver through /dev/dxg and Jetson through nodes of its own; neither has /dev/nvidiactl."""
    wsl = facts.flag("os.is_wsl") is True or facts.flag("device.dxg_present") is True
    wsl = wsl or "microsoft" in (facts.text("kernel.release") or "").lower()
    windows = "windows" in f"{facts.text('os.name') or ''} {facts.text('kernel.name') or ''}".lower()
    jetson = facts.flag("os.is_jetson") is True
    yield Fact("machine.is_container", (facts.text("container.kind") or "none") != "none")
    yield Fact("machine.has_windows_driver", wsl or windows)
    yield Fact("machine.has_device_nodes", not (wsl or windows or jetson))
    yield Fact("machine.is_jetson", jetson)
