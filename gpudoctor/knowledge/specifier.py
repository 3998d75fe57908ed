"""Version demands as packages write them (`==2.9.1`, `>=2.0,<3`, `!=3.14.1`), answered with our own versions.

The packaging library would do the same; its import costs more than judging a whole machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne

from gpudoctor.model.version import Version

_COMPARED = {"==": eq, "===": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
_CLAUSE = r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;]+)\s*$"


def satisfies(found: Version, demand: str) -> bool | None:
    """Whether a version meets every clause of a demand; None where the demand cannot be read."""
    for clause in demand.split(","):
        if not clause.strip():
            continue
        match = re.match(_CLAUSE, clause)
        if match is None:
            return None
        met = _clause(found, match[1], match[2])
        if met is None or not met:
            return met
    return True


def _clause(found: Version, operator: str, wanted_text: str) -> bool | None:
    prefix = wanted_text.endswith(".*")
    try:
        wanted = Version.parse(wanted_text[:-2] if prefix else wanted_text)
    except ValueError:
        return None
    if prefix:
        same = _padded(found, len(wanted.numbers)) == wanted.numbers
        return {"==": same, "!=": not same}.get(operator)
    if operator == "~=":
        head = wanted.numbers[:-1]
        return found >= wanted and _padded(found, len(head)) == head
    compare: Callable[[Version, Version], bool] = _COMPARED[operator]
    return compare(found, wanted)


def _padded(found: Version, length: int) -> tuple[int, ...]:
    return (found.numbers + (0,) * length)[:length]
