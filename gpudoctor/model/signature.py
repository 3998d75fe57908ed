"""Signatures: patterns in logs and kernel messages, the second kind of evidence for a cause."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from gpudoctor.model.rule import Condition


class Role(str, enum.Enum):
    """ROOT names a cause; SYMPTOM follows from one; NOISE is harmless and explains away what looks alarming."""

    ROOT = "root"
    SYMPTOM = "symptom"
    NOISE = "noise"


@dataclass(frozen=True)
class Pattern:
    """One regular expression over one line. `anchors` are literal words of which one must stand in the line:
    the line is searched for them first, so that a gigabyte of log costs little."""

    regex: str
    anchors: tuple[str, ...]
    ignore_case: bool = False


@dataclass(frozen=True)
class Signature:
    """Any of `patterns` speaks for `cause`; a line that matches `without` vetoes.

    `direct` marks a text with one meaning only, which confirms its cause. `also` are patterns of which one must
    stand within `within_lines` of the match. `exits` are codes that it fits (empty: any); `documents` limits it
    to kinds of evidence (`kernel_log`, `training_log`, ...); `where` is a condition over facts.
    """

    id: str
    cause: str
    role: Role
    weight: float
    patterns: tuple[Pattern, ...]
    direct: bool = False
    without: tuple[Pattern, ...] = ()
    also: tuple[Pattern, ...] = ()
    within_lines: int = 0
    exits: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    where: Condition | None = None
    summary: str = ""
    source: str = ""
    checked: str = ""
