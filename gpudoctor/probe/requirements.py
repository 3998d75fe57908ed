"""Whether the installed versions satisfy what the GPU packages require of one another, as pip would judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REQUIREMENTS_LIMIT = 5_000


def conflicts_of(
    packages: Mapping[str, Any], interpreter: Mapping[str, Any], installed: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Violated requirements and missing ones, as sentences, sorted.

    `packages` is the line of the package scan, `interpreter` that of the interpreter, whose markers decide which
    requirements apply; `installed` maps normalised names to versions. What cannot be parsed is nobody's conflict.
    """
    details = [
        detail for detail in packages.get("details", ()) if detail.get("requires") or detail.get("requires_python")
    ]
    if not details:
        return (), ()
    markers = {str(key): str(value) for key, value in (interpreter.get("markers") or {}).items()}
    wrong: set[str] = set()
    missing: set[str] = set()
    seen: set[str] = set()
    for detail in details:
        if detail.get("name") in seen:
            continue  # a second copy further down the path, which nothing imports
        seen.add(str(detail.get("name")))
        owner = f"{detail.get('name')} {detail.get('version')}"
        for requirement in detail.get("requires", ())[:REQUIREMENTS_LIMIT]:
            _judge(owner, str(requirement), markers, installed, wrong, missing)
        _judge_python(owner, str(detail.get("requires_python") or ""), markers, wrong)
    return tuple(sorted(wrong)), tuple(sorted(missing))


def _judge(
    owner: str,
    requirement: str,
    markers: Mapping[str, str],
    installed: Mapping[str, str],
    wrong: set[str],
    missing: set[str],
) -> None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Requirement(requirement)
        if wanted.marker is not None and not wanted.marker.evaluate({**markers, "extra": ""}):
            return
    except (InvalidRequirement, ValueError, KeyError):
        return
    there = installed.get(canonicalize_name(wanted.name))
    asked = f"{wanted.name}{wanted.specifier}"
    if there is None:
        missing.add(f"{owner} requires {asked}, which is not installed")
        return
    try:
        fits = wanted.specifier.contains(Version(there), prereleases=True)
    except InvalidVersion:
        return
    if not fits:
        wrong.add(f"{owner} requires {asked}, but {there} is installed")


def _judge_python(owner: str, asked: str, markers: Mapping[str, str], wrong: set[str]) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    python = markers.get("python_full_version", "")
    if not asked or not python:
        return
    try:
        fits = SpecifierSet(asked).contains(python, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return
    if not fits:
        wrong.add(f"{owner} requires Python {asked}, but this is {python}")
