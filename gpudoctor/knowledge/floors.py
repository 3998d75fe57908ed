"""Which drivers run which CUDA: NVIDIA's floors, exact and by minor-version compatibility.

From CUDA 11 on, a driver of the same CUDA major runs applications built with a later minor (without features that need
the newer driver). The number printed by nvidia-smi is therefore no ceiling within a major.
"""

from __future__ import annotations

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.tables import Tables
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
    side = "windows" if windows else "linux"
    same = [row for row in tables["cuda_driver"].rows if _same_minor(rows.version(row, "cuda"), cuda)]
    exact = min((found for row in same if (found := rows.version(row, f"min_driver_{side}"))), default=None)
    compatible = _compatible(cuda.major, tables, side)
    candidates = [found for found in (exact, compatible) if found is not None]
    return Floor(min(candidates), exact) if candidates else None


def _compatible(major: int, tables: Tables, side: str) -> Version | None:
    if major < FIRST_COMPATIBLE_MAJOR:
        return None
    for row in tables["cuda_driver"].rows:
        cuda = rows.version(row, "cuda")
        if cuda is not None and cuda.major == major and rows.flag(row, "minor_version_compat"):
            found = rows.version(row, f"compat_{side}")
            linux = rows.version(row, "compat_linux")
            if found is None and linux is not None:
                # NVIDIA names no Windows driver from CUDA 13 on; its compatibility guide gives the branch for both.
                return Version.parse(str(linux.major))
            return found
    return None


def serves(driver: Version, cuda: Version, tables: Tables, windows: bool = False) -> Truth:
    """Whether a driver version runs applications of a CUDA version."""
    floor = floor_of(cuda, tables, windows)
    return Truth.UNKNOWN if floor is None else Truth.of(driver >= floor.oldest)


def serves_by_cuda(driver_cuda: Version, cuda: Version) -> Truth:
    """The same, judged by the CUDA version that the driver itself reports."""
    if (driver_cuda.major, driver_cuda.minor) >= (cuda.major, cuda.minor):
        return Truth.TRUE
    return Truth.of(driver_cuda.major == cuda.major and cuda.major >= FIRST_COMPATIBLE_MAJOR)


def _same_minor(one: Version | None, other: Version) -> bool:
    return one is not None and (one.major, one.minor) == (other.major, other.minor)
