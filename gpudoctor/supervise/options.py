"""The command line of `run`, read without Click, because the command is started before anything else is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

INTERVAL_SECONDS = 2.0
SHORTEST_INTERVAL = 0.1
FLAGS = {
    "--no-report": ("report", False),
    "--nccl-log": ("nccl_log", True),
    "--summary": ("summary", True),
    "--verbose": ("verbose", True),
    "-v": ("verbose", True),
}
VALUES = {
    "--report-dir": "report_dir",
    "--interval": "interval",
    "--on-failure": "on_failure",
    "--termination-log": "termination_log",
}


class RunSettings(NamedTuple):
    """What was asked. `interval` in seconds; `termination_log` is empty for the place that Kubernetes has by default,
    which is written only where it exists already."""

    command: tuple[str, ...]
    interval: float = INTERVAL_SECONDS
    report: bool = True
    report_dir: str = "."
    nccl_log: bool = False
    summary: bool = False
    verbose: bool = False
    on_failure: str = ""
    termination_log: str = ""


def read_quickly(arguments: Sequence[str]) -> RunSettings | None:
    """The settings of a plain command line; None where Click has to help, or has to say what is wrong."""
    found: dict[str, object] = {}
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        word, equals, value = arguments[place].partition("=")
        place += 1
        if word == "--" and not equals:
            break
        if word in FLAGS and not equals:
            name, flag = FLAGS[word]
            found[name] = flag
        elif word in VALUES and (equals or place < len(arguments)):
            if not equals:
                value, place = arguments[place], place + 1
            if not value:
                return None
            found[VALUES[word]] = value
        else:
            return None
    interval = interval_of(str(found.pop("interval", INTERVAL_SECONDS)))
    if interval is None or place >= len(arguments):
        return None
    return RunSettings(tuple(arguments[place:]), interval, **found)  # type: ignore[arg-type]


def interval_of(text: str) -> float | None:
    """Seconds between two looks; None for what is no such number."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if SHORTEST_INTERVAL <= seconds <= 3600 else None
