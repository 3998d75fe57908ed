"""Typed access to the cells of table rows: one cell, one type, and None where the table does not know.

Derivations and the choice of wheels handle "unknown" at every step, so a plain None is the handier form here.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpudoctor.model.fact import Unknown, Value
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing_extensions import TypeAlias


Cells: TypeAlias = "Mapping[str, Value | Unknown]"


def version(row: Cells, column: str) -> Version | None:
    """The cell as a version."""
    value = row.get(column)
    return value if isinstance(value, Version) else None


def text(row: Cells, column: str) -> str:
    """The cell as text; empty where unknown."""
    value = row.get(column)
    return value if isinstance(value, str) else ""


def flag(row: Cells, column: str) -> bool | None:
    """The cell as yes or no."""
    value = row.get(column)
    return value if isinstance(value, bool) else None


def integer(row: Cells, column: str) -> int | None:
    """The cell as a whole number."""
    value = row.get(column)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def versions(row: Cells, column: str) -> tuple[Version, ...] | None:
    """The cell as a list of versions."""
    value = row.get(column)
    if not isinstance(value, tuple):
        return None
    return tuple(element for element in value if isinstance(element, Version))
