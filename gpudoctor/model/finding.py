"""Findings: what one check says about one subject."""

from __future__ import annotations

import enum

from gpudoctor.model.cause import Reference, Remedy
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.record import record
from gpudoctor.model.rule import Confidence, Severity

MACHINE = "machine"


class Kind(str, enum.Enum):
    """The outcome of a check. UNKNOWN is neither health nor illness."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


@record
class Finding:
    """One outcome. `subject` is `machine` or `gpu:N`; `blocked_by` names the facts that were missing.

    `explained_by` is the id of the check or cause that explains this finding away, empty for a root.
    """

    check: str
    cause: str
    kind: Kind
    severity: Severity
    confidence: Confidence
    title: str = ""
    subject: str = MACHINE
    message: str = ""
    evidence: tuple[Evidence, ...] = ()
    blocked_by: tuple[str, ...] = ()
    explained_by: str = ""
    remedies: tuple[Remedy, ...] = ()
    references: tuple[Reference, ...] = ()

    def __init__(
        self,
        check: str,
        cause: str,
        kind: Kind,
        severity: Severity,
        confidence: Confidence,
        title: str = "",
        subject: str = MACHINE,
        message: str = "",
        evidence: tuple[Evidence, ...] = (),
        blocked_by: tuple[str, ...] = (),
        explained_by: str = "",
        remedies: tuple[Remedy, ...] = (),
        references: tuple[Reference, ...] = (),
    ) -> None:
        held = self.__dict__
        held["check"] = check
        held["cause"] = cause
        held["kind"] = kind
        held["severity"] = severity
        held["confidence"] = confidence
        held["title"] = title
        held["subject"] = subject
        held["message"] = message
        held["evidence"] = evidence
        held["blocked_by"] = blocked_by
        held["explained_by"] = explained_by
        held["remedies"] = remedies
        held["references"] = references


@record
class ChainAnswer:
    """How far a chain held: `links` are (check id, kind) in order, `broken_at` the first that failed or empty."""

    id: str
    question: str
    broken_at: str
    links: tuple[tuple[str, Kind], ...]
