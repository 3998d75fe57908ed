"""Which drivers run which CUDA: NVIDIA's floors, exact and by minor-version compatibility.

From CUDA 11 on, a driver of the same CUDA major runs applications built with a later minor (without features that need
the newer driver). The number printed by nvidia-smi is therefore no ceiling within a major.
"""

from __future__ import annotations

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.tables import Row, Tables
from gpudoctor.model.record import record
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version

FIRST_COMPATIBLE_MAJOR = 11


@record
class Floor:
    """The oldest driver that runs a CUDA version at all, and the one that NVIDIA names for exactly that version."""

    oldest: Version
    exact: Version | None


def floor_of(cuda: Version, tables: Tables, windows: bool = False) -> Floor | None:
    """The floors for a CUDA version (major and minor count); None where the table cannot tell."""
    floors = tables.once(_on_windows if windows else _on_linux)
    exact = floors.exact.get((cuda.major, cuda.minor))
    compatible = floors.compatible.get(cuda.major)
    if exact is None or compatible is None:
        oldest = exact or compatible
        return Floor(oldest, exact) if oldest is not None else None
    return Floor(min(exact, compatible), exact)


@record
class _Floors:
    """Drivers by the CUDA major and minor that they are named for, and by the CUDA major that they serve whole."""

    exact: dict[tuple[int, int], Version]
    compatible: dict[int, Version]


def _on_linux(tables: Tables) -> _Floors:
    return _floors(tables, "linux")


def _on_windows(tables: Tables) -> _Floors:
    return _floors(tables, "windows")


def _floors(tables: Tables, side: str) -> _Floors:
    exact: dict[tuple[int, int], Version] = {}
    compatible: dict[int, Version | None] = {}
    for row in tables["cuda_driver"].rows:
        cuda = rows.version(row, "cuda")
        if cuda is None:
            continue
        minor, driver = (cuda.major, cuda.minor), rows.version(row, f"min_driver_{side}")
        if driver is not None:
            exact[minor] = min(driver, exact.get(minor, driver))
        if cuda.major >= FIRST_COMPATIBLE_MAJOR and rows.flag(row, "minor_version_compat"):
            compatible.setdefault(cuda.major, _compatible(row, side))
    return _Floors(exact, {major: driver for major, driver in compatible.items() if driver is not None})


def _compatible(row: Row, side: str) -> Version | None:
    found, linux = rows.version(row, f"compat_{side}"), rows.version(row, "compat_linux")
    if found is None and linux is not None:
        # NVIDIA names no Windows driver from CUDA 13 on; its compatibility guide gives the branch for both.
        return Version.parse(str(linux.major))
    return found


def serves(driver: Version, cuda: Version, tables: Tables, windows: bool = False) -> Truth:
    """Whether a driver version runs applications of a CUDA version."""
    floor = floor_of(cuda, tables, windows)
    return Truth.UNKNOWN if floor is None else Truth.of(driver >= floor.oldest)


def serves_by_cuda(driver_cuda: Version, cuda: Version) -> Truth:
    """The same, judged by the CUDA version that the driver itself reports."""
    if (driver_cuda.major, driver_cuda.minor) >= (cuda.major, cuda.minor):
        return Truth.TRUE
    return Truth.of(driver_cuda.major == cuda.major and cuda.major >= FIRST_COMPATIBLE_MAJOR)
