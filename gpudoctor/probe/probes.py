"""Probes: steps that prove something by doing it. A subject module declares its own in `PROBES`, and nothing else has
to be touched; the level that was asked for decides which of them run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from gpudoctor.probe.zygote import Group, Step

# What each level holds: full is quick and more.
LEVELS: Mapping[str, tuple[str, ...]] = {"none": (), "quick": ("quick",), "full": ("quick", "full")}


@dataclass(frozen=True)
class Probe:
    """One step file, `scripts/step_<name>.py`, with its limit in seconds. `level` is `quick` or `full`; probes of one
    `group` share a forked child and so a CUDA context, and one without a group has a child of its own."""

    name: str
    level: str
    limit_s: float
    group: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def groups_of(modules: Iterable[ModuleType], level: str) -> tuple[Group, ...]:
    """The groups of a level, in the order of the modules that declare them."""
    steps: dict[str, list[Step]] = {}
    for module in modules:
        for probe in getattr(module, "PROBES", ()):
            if probe.level in LEVELS[level]:
                step = Step(probe.name, limit_s=probe.limit_s, options=probe.options)
                steps.setdefault(probe.group or probe.name, []).append(step)
    return tuple(Group(name, tuple(found)) for name, found in steps.items())
