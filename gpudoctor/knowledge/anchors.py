"""Proves that an anchor stands in every line that a pattern matches; a wrong anchor would silence a signature."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import TypeAlias


_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
Node: TypeAlias = "Any"  # a piece of a parsed pattern; the standard library gives it no type
_GAP = "\0"  # anything could stand here
_MOST_READINGS = 512


def anchor_is_certain(pattern: str, anchors: Iterable[str], ignore_case: bool) -> bool:
    """Whether each way to read the pattern contains one of the anchors letter by letter."""
    flags = re.IGNORECASE if ignore_case else 0
    parsed = _parser.parse(pattern, flags)
    folded = ignore_case and bool(parsed.state.flags & re.IGNORECASE)
    readings = _readings(parsed)
    if readings is None:
        return False
    if folded:
        return all(any(anchor.lower() in reading.lower() for anchor in anchors) for reading in readings)
    if parsed.state.flags & re.IGNORECASE:  # (?i) inside the pattern: the anchors are still compared as written
        return False
    return all(any(anchor in reading for anchor in anchors) for reading in readings)


def _readings(items: Iterable[tuple[Any, Any]]) -> set[str] | None:
    """The literal skeletons of a pattern with gaps between; None when there are too many to tell."""
    readings = {""}
    for op, argument in items:
        parts = _one(str(op), argument)
        if parts is None:
            return None
        readings = {before + part for before in readings for part in parts}
        if len(readings) > _MOST_READINGS:
            return None
    return readings


def _one(name: str, argument: Node) -> set[str] | None:
    if name == "LITERAL":
        return {chr(argument)}
    if name == "IN" and len(argument) <= 4 and all(str(kind) == "LITERAL" for kind, _ in argument):
        return {chr(value) for _, value in argument}
    if name == "SUBPATTERN":
        return _readings(argument[3])
    if name == "BRANCH":
        found: set[str] = set()
        for branch in argument[1]:
            readings = _readings(branch)
            if readings is None:
                return None
            found |= readings
        return found
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        return _repeated(int(argument[0]), int(argument[1]), argument[2])
    return {""} if name == "AT" else {_GAP}


def _repeated(low: int, high: int, body: Node) -> set[str] | None:
    readings = _readings(body)
    if readings is None:
        return None
    if low == high == 1:
        return readings
    if low == 0:
        return {"", *readings} if high == 1 else {_GAP}
    return {f"{reading}{_GAP}{reading}" if high > 1 else reading for reading in readings}
