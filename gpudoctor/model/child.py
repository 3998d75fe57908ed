"""How a child process ended, and what it said before that."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from gpudoctor.model.record import field, record

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any


class End(str, enum.Enum):
    """The kinds of end. NOT_STARTED: the interpreter or command could not be started at all."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed_out"
    NOT_STARTED = "not_started"


@record
class ChildEnd:
    """One child. `lines` are its complete result lines (JSON objects) in order; a torn last line is dropped and
    noted in `torn`. `stdout` and `stderr` are evidence, bounded head and tail, decoded with replacement.
    `status` is the exit code, `signal` a name like `SIGSEGV`, `errno` and `error` tell why it did not start.
    """

    end: End
    status: int = 0
    signal: str = ""
    lines: tuple[Mapping[str, Any], ...] = ()
    torn: bool = False
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    errno: str = ""
    error: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it ran to its end and said that all is well."""
        return self.end is End.EXITED and self.status == 0
