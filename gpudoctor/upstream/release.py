"""What the metadata of one release says, in the few parts that the tables know, however it was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.record import field, record

_DEMAND = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?(?P<spec>[^;()]*)\)?\s*(?:;(?P<marker>.*))?$"
)
_WHEEL = re.compile(
    r"^(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl$"
)
# What the tables hold about dependencies; the rest of a package's demands is of no interest here.
KEPT = re.compile(
    r"torch|torchvision|torchaudio|triton|numpy|cuda-toolkit|nvidia-(?:cuda-runtime|cudnn|nccl)(?:-cu\d+)?"
)


@record
class Release:
    """`demands` maps a package to its specifier (without extras and markers of optional features), or to the version
    that a resolver chose where the release is `resolved`; `requires_python` is None where the way of reading cannot
    tell, empty where the release demands none; `tags` are `cp312-cp312-manylinux_2_28_x86_64` of its wheels."""

    package: str
    version: str
    requires_python: str | None = None
    demands: Mapping[str, str] | None = None
    tags: tuple[str, ...] = ()
    resolved: bool = False

    def as_data(self) -> dict[str, Any]:
        """Plain data for a file."""
        found: dict[str, Any] = {"tags": sorted(tag for tag in self.tags if re.search("linux.*x86_64|-any$", tag))}
        if self.requires_python is not None:
            found["requires_python"] = self.requires_python
        if self.demands is not None:
            found["demands"] = dict(sorted(self.demands.items()))
            if self.resolved:
                found["resolved"] = True
        return found


@record
class Metadata:
    """Everything that was read: for each package its published versions and the releases that were looked at."""

    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    troubles: tuple[str, ...] = ()
    lookups: int = 0

    def as_data(self) -> dict[str, Any]:
        """Plain data for a file that `of_data` reads again."""
        packages: dict[str, Any] = {}
        for package, versions in sorted(self.versions.items()):
            found = {item.version: item.as_data() for item in self.releases if item.package == package}
            packages[package] = {"versions": list(versions), "releases": found}
        return {"format": 1, "packages": packages}


def of_data(data: object) -> Metadata:
    """Read what `as_data` wrote; ValueError where it is something else."""
    if not isinstance(data, dict) or data.get("format") != 1 or not isinstance(data.get("packages"), dict):
        raise ValueError("this is no metadata that `rules verify --save` wrote")
    versions, releases = {}, []
    for package, entry in data["packages"].items():
        versions[str(package)] = tuple(str(item) for item in entry.get("versions", ()))
        for version, found in entry.get("releases", {}).items():
            demands, requires = found.get("demands"), found.get("requires_python")
            resolved = bool(found.get("resolved", requires is None and demands is not None))
            releases.append(Release(package, version, requires, demands, tuple(found.get("tags", ())), resolved))
    return Metadata(versions, tuple(releases))


def demands_of(lines: Iterable[str]) -> dict[str, str]:
    """The demands worth keeping from Requires-Dist lines, as they hold on 64-bit Linux; extras are left out."""
    found: dict[str, str] = {}
    for line in lines:
        match = _DEMAND.match(line)
        if match is None or "extra" in (match["marker"] or ""):
            continue
        name = normalised(match["name"])
        if KEPT.fullmatch(name) and _on_linux(match["marker"] or ""):
            found.setdefault(name, ",".join(sorted(part.strip() for part in match["spec"].split(",") if part.strip())))
    return found


def _on_linux(marker: str) -> bool:
    """Whether a marker lets Linux x86-64 in. Only the tests that these packages use are known; others let in."""
    alternatives = marker.replace('"', "'").split(" or ")
    foreign = (
        r"(?:platform_system|sys_platform)\s*==\s*'(?!Linux|linux)",
        r"(?:platform_system|sys_platform)\s*!=\s*'[Ll]inux'",
        r"platform_machine\s*==\s*'(?!x86_64)",
        r"platform_machine\s*!=\s*'x86_64'",
    )
    return any(not any(re.search(pattern, part) for pattern in foreign) for part in alternatives)


def normalised(name: str) -> str:
    """A distribution's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_of(filename: str) -> tuple[str, str] | None:
    """Version and tag of a wheel's file name; None for anything else."""
    match = _WHEEL.match(filename)
    if match is None:
        return None
    return match["version"].replace("%2B", "+"), f"{match['python']}-{match['abi']}-{match['platform']}"
