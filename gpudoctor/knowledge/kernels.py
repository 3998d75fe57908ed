"""Whether a build holds code that a GPU can run.

Machine code (`sm_86`) runs on GPUs of the same major capability from its own minor upwards: an `sm_86` kernel serves
8.9, an `sm_80` kernel serves 8.6, neither serves 9.0. Integrated Tegra parts have numbers inside those ranges and yet
need builds of their own. PTX (`compute_90`) is compiled by the driver for any newer GPU. Targets ending in `a` use
features of one chip and carry over to no other; those ending in `f` stay within a family that numbers do not show.
Rules: CUDA programming guide, "binary compatibility"; Tegra exceptions as PyTorch's own compatibility table has them.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.model.record import record
from gpudoctor.model.truth import Truth, any_of
from gpudoctor.model.version import Version

TEGRA = frozenset({(5, 3), (6, 2), (7, 2), (8, 7), (10, 1)})
# CUDA 13 renamed the capability of one chip; code built under the old number still runs on it.
_RENAMED = {(10, 1): (11, 0)}


@record
class Target:
    """One entry of an architecture list. `is_ptx` tells text for the driver's compiler from machine code."""

    capability: tuple[int, int]
    is_ptx: bool = False
    suffix: str = ""


def parse_target(text: str) -> Target | None:
    """`sm_90a` or `compute_120`; None for anything else, such as another vendor's name."""
    kind, _, number = text.strip().partition("_")  # by hand: compiling a pattern costs more than reading the list
    suffix = number[-1:] if number[-1:] in ("a", "f") else ""
    digits = number[: len(number) - len(suffix)]
    if kind not in ("sm", "compute") or not (digits.isascii() and digits.isdecimal() and len(digits) in (2, 3)):
        return None
    return Target((int(digits[:-1]), int(digits[-1])), kind == "compute", suffix)


def machine_code(capabilities: Iterable[Version]) -> tuple[Target, ...]:
    """Targets from a table's list of capabilities."""
    return tuple(Target((item.major, item.minor)) for item in capabilities)


def runs_on(target: Target, capability: Version) -> Truth:
    """Whether one target runs on a GPU of this compute capability."""
    device = (capability.major, capability.minor)
    if target.suffix == "f" and device[0] == target.capability[0] and device[1] > target.capability[1]:
        return Truth.UNKNOWN
    if target.suffix:
        return Truth.of(device == target.capability)
    if target.is_ptx:
        return Truth.of(device >= target.capability)
    if target.capability in TEGRA or device in TEGRA:
        return Truth.of(device in (target.capability, _RENAMED.get(target.capability)))
    return Truth.of(device[0] == target.capability[0] and device[1] >= target.capability[1])


def covers(targets: Iterable[Target | None], capability: Version) -> Truth:
    """Whether any target runs on the GPU. A target that could not be read leaves the answer open."""
    answers = [Truth.UNKNOWN if target is None else runs_on(target, capability) for target in targets]
    return any_of(answers) if answers else Truth.UNKNOWN
