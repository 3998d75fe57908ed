"""Which Python a release can be installed under, by the tags of its Linux x86-64 wheels and by its Requires-Python."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge.specifier import satisfies
from gpudoctor.model.version import Version

_TAG = re.compile(r"(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>.+)")
_CPYTHON = re.compile(r"cp(\d)(\d{1,2})")
_ANY_PYTHON = re.compile(r"py(\d)(\d{0,2})")
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_x86_64")
_LEGACY = {"manylinux2014_x86_64": "2.17"}
# A demand such as !=3.14.1 or >=3.7.1 speaks of patch releases; a Python serves if its first or its last may.
_PATCHES = (0, 99)


def on_linux(tags: Iterable[str]) -> list[re.Match[str]]:
    """The tags of wheels for Linux x86-64, or for every platform, in their parts."""
    found = [match for tag in tags if (match := _TAG.fullmatch(tag))]
    return [
        match
        for match in found
        if match["platform"] == "any" or ("linux" in match["platform"] and "x86_64" in match["platform"])
    ]


def pythons_of(tags: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The CPython versions that wheels were built for one by one: ordinary (`3.12`) and free-threaded (`3.13t`)."""
    plain: set[tuple[int, int]] = set()
    free: set[tuple[int, int]] = set()
    for tag in on_linux(tags):
        match = _CPYTHON.fullmatch(tag["python"])
        if match and re.fullmatch(r"cp\d{2,3}t?(?:mu?)?", tag["abi"]):
            (free if tag["abi"].endswith("t") else plain).add((int(match[1]), int(match[2])))
    return tuple(f"{a}.{b}" for a, b in sorted(plain)), tuple(f"{a}.{b}t" for a, b in sorted(free))


def admits(requires_python: str, python: str) -> bool | None:
    """Whether Requires-Python lets in a Python such as `3.12` or `3.13t`; None where it cannot be read."""
    answers = [
        satisfies(Version.parse(f"{python.rstrip('t')}.{patch}"), requires_python.replace(" ", ""))
        for patch in _PATCHES
    ]
    return True if True in answers else None if None in answers else False


def serves(tags: Iterable[str], requires_python: str, python: str) -> bool:
    """Whether a wheel among these tags installs under this Python."""
    if admits(requires_python, python) is False:
        return False
    wanted = tuple(int(part) for part in python.rstrip("t").split("."))
    return any(_fits(tag["python"], tag["abi"], wanted, python.endswith("t")) for tag in on_linux(tags))


def _fits(tag: str, abi: str, wanted: tuple[int, ...], is_free: bool) -> bool:
    return any(_fits_one(part, abi, wanted, is_free) for part in tag.split("."))


def _fits_one(tag: str, abi: str, wanted: tuple[int, ...], is_free: bool) -> bool:
    built, pure = _CPYTHON.fullmatch(tag), _ANY_PYTHON.fullmatch(tag)
    if built is None:
        return pure is not None and int(pure[1]) == wanted[0] and int(pure[2] or 0) <= wanted[1]
    version = (int(built[1]), int(built[2]))
    if abi == "abi3":  # the stable ABI of one Python serves the later ones, but no free-threaded one
        return version <= wanted and not is_free
    return version == wanted and abi.endswith("t") == is_free


def platforms_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The platforms that the Linux x86-64 wheels name; one wheel may name several."""
    return tuple(sorted({part for tag in on_linux(tags) for part in tag["platform"].split(".")}))


def glibc_of(tags: Iterable[str]) -> str:
    """The glibc that the Linux x86-64 wheels name; empty for tags older than that way of naming, which tell less."""
    found = {f"{match[1]}.{match[2]}" for tag in tags if (match := _GLIBC.search(tag))}
    found |= {glibc for tag in tags for name, glibc in _LEGACY.items() if tag.endswith(name)}
    return found.pop() if len(found) == 1 else ", ".join(sorted(found))
