"""How one piece of an examination ended: a collector, a child process or a step of a probe."""

from __future__ import annotations

from gpudoctor.model.record import record


@record
class Run:
    """How one collector, child process or probe step ended.

    `outcome` is `completed`, `failed`, `crashed`, `timed_out`, `skipped`; `detail` holds the verbatim text.
    `seconds` is wall time and the only figure of a report that differs between two runs on one machine.
    """

    name: str
    outcome: str
    seconds: float = 0.0
    detail: str = ""
    stderr_tail: str = ""
    signal: str = ""
    exit_code: int | None = None
