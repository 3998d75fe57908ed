"""What an intake reader offers. Modules of this folder are discovered by their `recognises` function.

A reader for one kind of document defines

    KIND: str                                        one of model.document.KINDS
    FACTS: tuple[FactSpec, ...]                      what it may state, declared once among all readers
    def recognises(text: str, name: str) -> float    0 (no) to 1 (certain), looking at the beginning only
    def read(text: str) -> Reading

Readers get cleaned text of at most 16 MiB. They never raise on any text: what they cannot read they say in `notes`.
"""

from __future__ import annotations

from gpudoctor.model.fact import Fact
from gpudoctor.model.record import record


@record
class Reading:
    """What a reader took from a document: facts, further lines of text in it that signatures should see (messages
    inside JSON), and what it did not understand. `replaces_lines` is for what is no text at all: none of it is then
    read as a log."""

    facts: tuple[Fact, ...] = ()
    messages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    replaces_lines: bool = False
