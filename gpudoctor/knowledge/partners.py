"""Which torchvision and torchaudio go with a release of torch, and why one is left out of a command."""

from __future__ import annotations

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.specifier import satisfies

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from gpudoctor.knowledge.tables import Row, Tables
    from gpudoctor.model.version import Version


def partners_of(release: Row, python: Version | None, tables: Tables) -> tuple[str, str, str]:
    """torchvision, torchaudio (empty: none to install from the same index) and why a missing one is missing."""
    vision, audio = rows.version(release, "torchvision"), rows.version(release, "torchaudio")
    without = rows.versions(release, "python_without_partners") or ()
    if python is not None and (python.major, python.minor) in [(item.major, item.minor) for item in without]:
        return "", "", f"its torchvision and torchaudio have no wheel for Python {python.major}.{python.minor}"
    reasons = []
    if vision is None:
        reasons.append("no torchvision is known that was made for this release")
    if audio is None:
        reasons.append(_without_torchaudio(rows.version(release, "torch"), tables))
    return str(vision or ""), str(audio or ""), "; ".join(reasons)


def _without_torchaudio(torch: Version | None, tables: Tables) -> str:
    """A later torchaudio may serve several releases of torch; but not every index that has torch has it."""
    demands = tables.once(_torchaudios) if torch is not None else ()
    accepting = (pair for pair in demands if torch is not None and satisfies(torch, pair[1]) is True)
    version, demand = next(accepting, (None, ""))
    if version is None:
        return "no torchaudio is published for this release"
    return (
        f"no torchaudio was made for this release alone; torchaudio {version} accepts it (torch{demand}), but not "
        "every index has that one"
    )


def _torchaudios(tables: Tables) -> list[tuple[Version, str]]:
    """Every torchaudio with its demand on torch, newest first."""
    found = [
        (version, rows.text(row, "torch"))
        for row in tables["package_pins"].rows
        if rows.text(row, "package") == "torchaudio" and (version := rows.version(row, "version")) is not None
    ]
    return sorted(((version, demand) for version, demand in found if demand), key=lambda pair: pair[0], reverse=True)
