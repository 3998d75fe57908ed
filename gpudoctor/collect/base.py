"""What a collector module offers, and how its answers are made. Modules are discovered by their `collect` function.

A collector module defines

    FACTS: tuple[FactSpec, ...]        every fact that it may yield, declared once
    STAGE = "files"                    or "child" when it starts a child process that loads foreign code
    def collect(host: Host) -> Iterable[Fact]

All "files" collectors run before any child starts: as root, NVIDIA's libraries create device nodes when loaded.
Facts that a collector declares and does not yield become Unknown(no_data); one that raises makes them `crashed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gpudoctor.host.base import HostError
from gpudoctor.model.fact import Reason, Unknown

STAGE_FILES = "files"
STAGE_CHILD = "child"

T = TypeVar("T")


def attempt(read: Callable[[], T]) -> T | Unknown:
    """Ask the host; what it cannot answer becomes an Unknown with its reason. Junk that a parser refuses with
    ValueError becomes `unparseable`."""
    try:
        return read()
    except HostError as error:
        return error.unknown()
    except ValueError as error:
        return Unknown(Reason.UNPARSEABLE, str(error)[:300])
