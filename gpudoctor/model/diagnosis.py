"""The diagnosis: the whole answer of `check`, ready to be printed in any format."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gpudoctor.model.explanation import Explained
from gpudoctor.model.fact import Facts
from gpudoctor.model.finding import ChainAnswer, Finding


class Health(str, enum.Enum):
    """The verdict in one word. UNDECIDED: what would decide it could not be seen."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Target:
    """The interpreter that was examined and why it was chosen; `kind` is `live`, `recorded` or `document`."""

    kind: str
    interpreter: str = ""
    reason: str = ""


@dataclass(frozen=True)
class RulesInfo:
    """Which rules judged: `digest` over their content, how many files, the newest source date (ISO)."""

    digest: str
    count: int
    newest_source: str


@dataclass(frozen=True)
class Diagnosis:
    """Facts, findings, explanations and how the run went."""

    health: Health
    primary: str
    target: Target
    rules: RulesInfo
    facts: Facts
    findings: tuple[Finding, ...]
    chains: tuple[ChainAnswer, ...] = ()
    explanations: tuple[Explained, ...] = ()
    runs: tuple[Run, ...] = ()
