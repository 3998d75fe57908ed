"""Evidence: the verbatim piece of the world that a judgement rests on, and where it stands."""

from __future__ import annotations

from gpudoctor.model.record import record


@record
class Evidence:
    """A quotation. `source` is a fact key, a file name or a child's stream.

    `line` counts from 1 and is 0 where there are no lines.
    """

    source: str
    text: str
    line: int = 0

    def __init__(self, source: str, text: str, line: int = 0) -> None:
        held = self.__dict__
        held["source"] = source
        held["text"] = text
        held["line"] = line
