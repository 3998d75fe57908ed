"""Reads `rules/chains/<id>.toml`."""

from __future__ import annotations

from gpudoctor.knowledge.fields import Fields
from gpudoctor.knowledge.known import NAME_ID, Known, read_id
from gpudoctor.knowledge.read_condition import ConditionReader
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.model.rule import ALWAYS, Chain


def read_chain(file: RuleFile, known: Known, problems: list[str]) -> Chain:
    """One chain; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    chain = Chain(
        id=read_id(fields, file.id, NAME_ID, known),
        question=fields.text("question"),
        applies=ConditionReader(fields, known.facts, False).read("applies", needed=False) or ALWAYS,
        links=fields.texts("links", needed=True),
    )
    for link in chain.links:
        fields.known("links", link, known.checks, "check")
    fields.finish()
    return chain
