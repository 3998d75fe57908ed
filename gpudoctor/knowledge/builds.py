"""Official PyTorch builds: which exist, what the installed one is, and what its table row says.

A build is a release and a CUDA variant (`2.9.1`, `cu128`). Whether a pair exists is answered `official`, `impossible`
or `unknown`; rows of less than high confidence never make a pair impossible, and neither does a custom build.
"""

from __future__ import annotations

import re

from gpudoctor.knowledge import rows
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from gpudoctor.knowledge.tables import Row, Tables

OFFICIAL = "official"
IMPOSSIBLE = "impossible"
UNKNOWN = "unknown"
_CUDA_LABEL = r"cu\d{2,3}"
_PLAIN_LABELS = {"", "cpu"}
# PyTorch's own builds for AMD and Intel; AMD's and everybody else's have more in their labels.
_OTHER_VENDOR = r"rocm\d{1,2}\.\d{1,2}(?:\.\d{1,2})?|xpu"


def variant_name(cuda: Version) -> str:
    """The index name of a CUDA version: `cu128` for 12.8."""
    return f"cu{cuda.major}{cuda.minor}"


def is_plain(torch: Version) -> bool:
    """Whether the version looks like a release that PyTorch publishes: no pre-release, no label of somebody's own."""
    return not torch.is_prerelease and (torch.local in _PLAIN_LABELS or bool(re.fullmatch(_CUDA_LABEL, torch.local)))


def has_own_label(torch: Version) -> bool:
    """Whether it is a nightly, a vendor's or an own build; PyTorch's builds for AMD and Intel GPUs are none."""
    return not is_plain(torch) and (torch.is_prerelease or not re.fullmatch(_OTHER_VENDOR, torch.local))


def variant_of(torch: Version, cuda: Version | None) -> str:
    """The variant of an installed torch: its label, else its CUDA version; empty where neither tells."""
    if torch.local == "cpu" or re.fullmatch(_CUDA_LABEL, torch.local):
        return torch.local
    return "" if torch.local or cuda is None else variant_name(cuda)


def release_row(torch: Version, tables: Tables) -> Row | None:
    """The row of the release that an installed torch belongs to."""
    if torch.is_prerelease:
        return None
    return tables.once(releases).get(torch)


def releases(tables: Tables) -> dict[Version, Row]:
    """The rows of all releases, each under its number."""
    found: dict[Version, Row] = {}
    for row in tables["torch_releases"].rows:
        torch = rows.version(row, "torch")
        if torch is not None:
            found.setdefault(torch, row)
    return found


def variants(tables: Tables) -> dict[Version, list[Row]]:
    """The rows of all builds with CUDA, by the release that they are of."""
    found: dict[Version, list[Row]] = {}
    for row in tables["torch_variants"].rows:
        torch = rows.version(row, "torch")
        if torch is not None:
            found.setdefault(torch, []).append(row)
    return found


def variant_row(torch: Version, variant: str, tables: Tables) -> Row | None:
    """The row of one build."""
    if torch.is_prerelease:
        return None
    return next((row for row in tables.once(variants).get(torch, ()) if rows.text(row, "variant") == variant), None)


def exists(row: Row) -> bool:
    """Whether a build surely exists: its row is certain, or the default index serves it."""
    return row.confidence == "high" or rows.flag(row, "is_default") is True


def official(torch: Version, variant: str, tables: Tables) -> str:
    """`official`, `impossible` or `unknown` for a release and a variant such as `cu121` or `cpu`."""
    release = release_row(torch, tables)
    if release is None or not variant:
        return UNKNOWN
    if variant == "cpu":
        return OFFICIAL
    row = variant_row(torch, variant, tables)
    if row is not None:
        return OFFICIAL if exists(row) else UNKNOWN
    return IMPOSSIBLE if rows.flag(release, "variants_complete") else UNKNOWN


def newest_release(tables: Tables) -> Version | None:
    """The newest release that the tables know."""
    return max(tables.once(releases), default=None)
