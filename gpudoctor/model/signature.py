"""Signatures: patterns in logs, and conditions over crash facts; the second kind of evidence for a cause."""

from __future__ import annotations

import enum

from gpudoctor.model.record import record
from gpudoctor.model.rule import Condition


class Role(str, enum.Enum):
    """What a match means.

    ROOT names a cause. SYMPTOM is what a cause brings about elsewhere. NOISE is harmless: its lines speak for
    nothing. STATUS states an exit inside a log, captured as `code` or `signal` (`exitcode : -9`) or,
    where the text says it in words (`Segmentation fault`), given in `exits`. AGAINST speaks against its cause and
    rules it out, with `summary` as the reason. SUCCESS is what a job says at its good end: what failed before was
    got over.
    """

    ROOT = "root"
    SYMPTOM = "symptom"
    NOISE = "noise"
    STATUS = "status"
    AGAINST = "against"
    SUCCESS = "success"


@record
class Pattern:
    """One regular expression, searched in one line.

    `anchors` are literal pieces of which one must stand in the line before the expression is tried, so that a
    gigabyte of log costs little.
    """

    regex: str
    anchors: tuple[str, ...]
    ignore_case: bool = False


@record
class Signature:
    """Any of `patterns` speaks for `cause`; with no patterns, `where` alone does.

    `direct` marks a text with one meaning only, which confirms its cause. A line that matches `without` is not
    counted, nor is any where one of `unless` stands somewhere in the evidence; where both name the same thing (a
    process by its `pid`), only if it is the same one. One of `also` must stand within `within_lines` of the match (0:
    anywhere in the document). `exits` are exit statuses that it fits, as a person would type them (empty: any).
    `documents` limits it to kinds of documents. `where` is a condition over facts that must hold besides.
    """

    id: str
    cause: str
    role: Role
    weight: float
    patterns: tuple[Pattern, ...] = ()
    direct: bool = False
    without: tuple[Pattern, ...] = ()
    also: tuple[Pattern, ...] = ()
    unless: tuple[Pattern, ...] = ()
    within_lines: int = 0
    exits: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    where: Condition | None = None
    summary: str = ""
    source: str = ""
    checked: str = ""
