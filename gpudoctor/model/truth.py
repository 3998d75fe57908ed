"""Kleene's three-valued logic: a question over facts that are not all known may have no answer yet."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Truth(enum.Enum):
    """The value of a condition."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, value: bool) -> Truth:
        """Turn a decided question into a truth value."""
        return cls.TRUE if value else cls.FALSE

    def negated(self) -> Truth:
        """Not: an unknown stays unknown."""
        if self is Truth.UNKNOWN:
            return self
        return Truth.FALSE if self is Truth.TRUE else Truth.TRUE


def all_of(values: Iterable[Truth]) -> Truth:
    """And: one FALSE decides, whatever is unknown beside it. An empty conjunction is TRUE."""
    answer = Truth.TRUE
    for value in values:
        if value is Truth.FALSE:
            return value
        if value is Truth.UNKNOWN:
            answer = value
    return answer


def any_of(values: Iterable[Truth]) -> Truth:
    """Or: one TRUE decides, whatever is unknown beside it. An empty disjunction is FALSE."""
    answer = Truth.FALSE
    for value in values:
        if value is Truth.TRUE:
            return value
        if value is Truth.UNKNOWN:
            answer = value
    return answer
