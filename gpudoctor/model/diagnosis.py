"""The diagnosis: the whole answer of `check`, ready to be printed in any format."""

from __future__ import annotations

import enum

from gpudoctor.model.fact import Facts
from gpudoctor.model.finding import ChainAnswer, Finding
from gpudoctor.model.record import record
from gpudoctor.model.run import Run

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from gpudoctor.model.explanation import Explained


class Health(str, enum.Enum):
    """The verdict in one word. UNDECIDED: what would decide it could not be seen."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    BROKEN = "broken"
    UNDECIDED = "undecided"


@record
class Target:
    """The interpreter that was examined and why it was chosen; `kind` is `live`, `recorded` or `document`."""

    kind: str
    interpreter: str = ""
    reason: str = ""


@record
class RulesInfo:
    """Which rules judged: `digest` over their content, how many files, the newest source date (ISO)."""

    digest: str
    count: int
    newest_source: str


@record
class Diagnosis:
    """Facts, findings, explanations and how the run went. `primary` is the id of the root cause, empty for none."""

    health: Health
    primary: str
    target: Target
    rules: RulesInfo
    facts: Facts
    findings: tuple[Finding, ...]
    chains: tuple[ChainAnswer, ...] = ()
    explanations: tuple[Explained, ...] = ()
    runs: tuple[Run, ...] = ()
