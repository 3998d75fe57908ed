"""Kleene's three-valued logic: a question over facts that are not all known may have no answer yet."""

from __future__ import annotations

import enum
from collections.abc import Sequence


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


# The members by names of this module: through their class each look-up is a call.
_TRUE, _FALSE, _UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


def all_of(values: Sequence[Truth]) -> Truth:
    """And: one FALSE decides, whatever is unknown beside it. An empty conjunction is TRUE."""
    return _FALSE if _FALSE in values else _UNKNOWN if _UNKNOWN in values else _TRUE


def any_of(values: Sequence[Truth]) -> Truth:
    """Or: one TRUE decides, whatever is unknown beside it. An empty disjunction is FALSE."""
    return _TRUE if _TRUE in values else _UNKNOWN if _UNKNOWN in values else _FALSE
