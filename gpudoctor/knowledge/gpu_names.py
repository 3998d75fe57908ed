"""From the name that a driver prints to the row of the GPU table.

Names come in many spellings: with and without the vendor, with `Laptop GPU` or `with Max-Q Design`, cut short with
three dots by the tables of old nvidia-smi versions, with a MIG profile behind. The model part is what counts.
"""

from __future__ import annotations

import re

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.rows import Cells
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.version import Version

_NOISE = (  # compiled when a name is first looked up
    r"\((?:TM|R)\)|\b(?:NVIDIA|Tesla|GeForce)\b|\bLaptop GPU\b|\bwith Max-[QP] Design\b|\bMobile\b|MIG .*"
)
_GLUED = r"(?<=\d)(Ti|SUPER)\b"
_CUT = "..."
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -"
_OPTIONAL = ("?", "*", "{")
_SHORTEST_PREFIX = 4
_MOST_REMEMBERED = 256


def model_of(name: str) -> str:
    """The model part of a GPU's name: `NVIDIA GeForce RTX 3080 Laptop GPU` gives `RTX 3080`."""
    bare = re.sub(_NOISE, " ", name.removesuffix(_CUT))
    return " ".join(re.sub(_GLUED, r" \1", bare).split())


def rows_for(name: str, tables: Tables) -> tuple[Cells, ...]:
    """The rows that the name fits; several where it was cut short. Rows of low confidence are left out."""
    known = tables.once(_looked_up)
    if name not in known:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[name] = _look_up(name, tables)
    return known[name]


def _looked_up(_tables: Tables) -> dict[str, tuple[Cells, ...]]:
    """The names that were looked up before."""
    return {}


def _look_up(name: str, tables: Tables) -> tuple[Cells, ...]:
    model = model_of(name)
    if not model:
        return ()
    usable = [row for row in tables["gpus"].rows if row.confidence != "low" and rows.text(row, "pattern")]
    exact = tuple(row for row in usable if _fits(rows.text(row, "pattern"), model))
    if exact or not name.endswith(_CUT) or len(model) < _SHORTEST_PREFIX:
        return exact
    return tuple(row for row in usable if model_of(rows.text(row, "name")).startswith(model))


def _fits(pattern: str, model: str) -> bool:
    """Whether a model begins as a pattern says. Compiling hundreds of patterns to find one costs more than the rest of
    a judgement, so those that begin with other letters are passed over first: by one letter where that will do."""
    first = pattern[0]
    if first != model[0] and first in _PLAIN and pattern[1:2] not in _OPTIONAL and "|" not in pattern:
        return False
    return model.startswith(leads_of(pattern)) and re.match(pattern, model) is not None


def leads_of(pattern: str) -> tuple[str, ...]:
    """For each alternative of a pattern the plain letters, digits, spaces and hyphens that whatever fits it begins
    with; fewer where in doubt."""
    return ("",) if "(?" in pattern else tuple(map(_lead, _alternatives(pattern)))


def _lead(pattern: str) -> str:
    at_start = pattern.removeprefix(r"\b")  # before the first letter of a text is a boundary
    rest = at_start.lstrip(_PLAIN)
    end = len(at_start) - len(rest)
    return at_start[: end - 1] if end and rest[:1] in _OPTIONAL else at_start[:end]


def _alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between bars that stand in no group, class or escape."""
    parts, depth, begin, place = [], 0, 0, 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "|" and not depth:
            parts.append(pattern[begin:place])
            begin = place + 1
        place += 1
    return [*parts, pattern[begin:]]


def capability_of(name: str, tables: Tables) -> Version | None:
    """The compute capability, where all rows that fit agree on it."""
    found = {rows.version(row, "capability") for row in rows_for(name, tables)}
    return found.pop() if len(found) == 1 else None


def kind_of(name: str, tables: Tables) -> str:
    """`datacenter`, `workstation`, `geforce`, `titan`, `jetson` or `desktop-soc`; empty where unknown or unclear."""
    found = {rows.text(row, "kind") for row in rows_for(name, tables)}
    return found.pop() if len(found) == 1 else ""
