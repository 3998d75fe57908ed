"""Causes: the things that can be wrong, each written once; every check, signature and exit points at them."""

from __future__ import annotations

import enum

from gpudoctor.model.record import record


class Actor(str, enum.Enum):
    """Who can carry out a remedy."""

    COMMAND_LINE = "command_line"
    IMAGE = "image"
    HOST = "host"
    CLUSTER = "cluster"


@record
class Remedy:
    """One thing to do. `text` and `command` may hold `{fact.key}`; `verify` is a command that shows that it worked.

    A `fallback` is general advice for the day when the facts are unknown: it is left out where a remedy of the same
    cause was filled from the facts of this machine, because general advice can be wrong for it.
    """

    who: Actor
    text: str
    command: str = ""
    verify: str = ""
    fallback: bool = False


@record
class Reference:
    """Where a claim can be read up; `accessed` is an ISO date."""

    url: str
    accessed: str
    title: str = ""


@record
class CauseHead:
    """What is needed of a cause that is not at hand: its name for people, and the ids that it can bring about."""

    title: str
    explains: tuple[str, ...] = ()


@record
class Cause:
    """A cause of the catalogue. `shows` tells how it looks from inside; `explains` are ids that it can bring about."""

    id: str
    title: str
    meaning: str
    remedies: tuple[Remedy, ...]
    shows: str = ""
    references: tuple[Reference, ...] = ()
    explains: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The part of the id before the first dot."""
        return self.id.split(".", 1)[0]
