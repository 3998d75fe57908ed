"""What an installed torch says of itself, against our tables: its own list of GPUs, releases and architectures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gpudoctor.host.base import Host, HostError
from gpudoctor.knowledge import builds, rows
from gpudoctor.knowledge.kernels import TEGRA, covers, machine_code, parse_target
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version
from gpudoctor.probe import registry
from gpudoctor.upstream.compare import Disagreement

CHILD = "torch_own_tables"
SCRIPT = Path(registry.__file__).resolve().parent / "scripts" / "torch_own_tables.py"
SECONDS = 120.0


def ask(host: Host, interpreter: str) -> Mapping[str, Any]:
    """What torch under this interpreter tells; empty where there is none or it is too old to have such tables."""
    try:
        end = host.run_script(CHILD, interpreter, str(SCRIPT), {}, SECONDS)
    except HostError:
        return {}
    return next((line for line in end.lines if line.get("step") == "own_tables"), {})


def compare_own(said: Mapping[str, Any], tables: Tables) -> tuple[list[Disagreement], int]:
    """Every GPU in torch's table against every release in it, by torch's verdict and by ours; the build's own
    architectures against our row. Gives the disagreements and how many values were compared."""
    found: list[Disagreement] = []
    compared = 0
    version = str(said.get("version") or "")
    for cuda, machine, codes, device, runs in said.get("verdicts") or ():
        compared += 1
        ours = covers(machine_code(_capability(code) for code in codes), _capability(device))
        if ours is not Truth.of(bool(runs)):
            what = f"whether a build for CUDA {cuda} ({machine}) runs on {_capability(device)}"
            found.append(Disagreement("torch", version, what, ours.name.lower(), str(bool(runs)).lower()))
    for device in said.get("devices") or ():
        compared += 1
        if not _some_row(_capability(device), tables):
            found.append(
                Disagreement("torch", version, "GPUs by compute capability", "nothing", str(_capability(device)))
            )
    for ours_text, theirs_text in _architectures(said, tables):
        compared += 1
        if ours_text != theirs_text:
            found.append(Disagreement("torch", version, "architectures of this build", ours_text, theirs_text))
    return found, compared


def _capability(number: int) -> Version:
    return Version.parse(f"{int(number) // 10}.{int(number) % 10}")


def _some_row(capability: Version, tables: Tables) -> bool:
    """Whether we know the capability: as a GPU, as a target of some build, or as one of the integrated parts."""
    if (capability.major, capability.minor) in TEGRA:
        return True
    if any(rows.version(row, "capability") == capability for row in tables["gpus"].rows):
        return True
    columns = ("sm_x86_64", "sm_aarch64")
    return any(
        capability in (rows.versions(row, name) or ()) for row in tables["torch_variants"].rows for name in columns
    )


def _architectures(said: Mapping[str, Any], tables: Tables) -> Iterator[tuple[str, str]]:
    cuda, text = said.get("cuda"), str(said.get("version") or "")
    targets = [parse_target(item) for item in said.get("arch_list") or ()]
    if not cuda or not targets:
        return
    torch = Version.parse(text)
    row = builds.variant_row(torch, builds.variant_of(torch, Version.parse(str(cuda))), tables)
    ours = rows.versions(row, "sm_aarch64" if said.get("machine") == "aarch64" else "sm_x86_64") if row else None
    if ours:
        theirs = sorted({item.capability for item in targets if item is not None and not item.is_ptx})
        yield ", ".join(str(item) for item in sorted(ours)), ", ".join(f"{major}.{minor}" for major, minor in theirs)
