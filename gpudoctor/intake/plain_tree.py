"""Walks values as JSON and YAML give them, whatever their shape, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Plain = Any
MOST_NODES = 100_000
LONGEST_TEXT = 20_000


def objects(value: Plain) -> Iterator[dict[str, Plain]]:
    """Every object in a value, the outer ones first."""
    waiting: list[Plain] = [value]
    for _ in range(MOST_NODES):
        if not waiting:
            return
        current = waiting.pop(0) if len(waiting) < 64 else waiting.pop()
        if isinstance(current, dict):
            yield current
            waiting += [item for item in current.values() if isinstance(item, (dict, list))]
        elif isinstance(current, list):
            waiting += [item for item in current if isinstance(item, (dict, list))]


def texts_under(value: Plain, keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(key, text) of every text whose key, compared in lower case, is one of these."""
    for entry in objects(value):
        for key, text in entry.items():
            if isinstance(text, str) and text.strip() and str(key).lower() in keys:
                yield str(key), text[:LONGEST_TEXT]


def member(value: Plain, *path: str) -> Plain:
    """What lies at a path of keys, compared in any case; None where there is nothing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = next((item for key, item in value.items() if str(key).lower() == name.lower()), None)
    return value


def integer(value: Plain) -> int | None:
    """The whole number that a value is, or that its text shows."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 62 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1 << 62 else None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) < 19:
        return int(value.strip())
    return None


def flag(value: Plain) -> bool | None:
    """The truth that a value is, or that its text shows."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return None


def text(value: Plain) -> str:
    """A text as it is, bounded; empty for anything else."""
    return value.strip()[:LONGEST_TEXT] if isinstance(value, str) else ""
