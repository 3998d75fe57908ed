"""Explanations: ranked causes of an exit, with the evidence for each and the reasons against the rest."""

from __future__ import annotations

import enum

from gpudoctor.model.cause import Reference, Remedy
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.exit_status import ExitMeaning, ExitStatus
from gpudoctor.model.record import record


class Likelihood(str, enum.Enum):
    """CONFIRMED needs direct evidence; base rates alone are never more than POSSIBLE."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """0 for the strongest."""
        return ("confirmed", "likely", "possible").index(self.value)


class Verdict(str, enum.Enum):
    """The outcome of an explanation."""

    EXPLAINED = "explained"
    CANDIDATES = "candidates"
    NO_FAILURE = "no_failure"
    UNEXPLAINED = "unexplained"


@record
class Explanation:
    """One cause. `looks_like` tells what it would leave behind; `decide` says what settles it.

    `command` is the one line to run for that, ready to be copied; empty where looking is enough.
    """

    cause: str
    title: str
    likelihood: Likelihood
    score: float = 0.0
    summary: str = ""
    looks_like: str = ""
    decide: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    references: tuple[Reference, ...] = ()
    command: str = ""


@record
class RuledOut:
    """A cause that was considered, and what speaks against it."""

    cause: str
    title: str
    reason: str
    evidence: tuple[Evidence, ...] = ()


@record
class Explained:
    """The whole answer to "why did it end like this?". `unused` tells what of the given evidence was not understood."""

    status: ExitStatus | None
    meaning: ExitMeaning | None
    verdict: Verdict
    explanations: tuple[Explanation, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    unused: tuple[str, ...] = ()
    looked_at: tuple[str, ...] = ()
    bring: tuple[str, ...] = ()
