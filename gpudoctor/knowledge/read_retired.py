"""Reads `rules/retired.toml`: ids that were once published and must never name anything else."""

from __future__ import annotations

from collections.abc import Iterator

from gpudoctor.knowledge.fields import Fields
from gpudoctor.knowledge.source import RuleFile


def read_retired(file: RuleFile, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Each retired id with the reason; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems)
    for entry in fields.tables("retired"):
        rule_id, reason = entry.text("id"), entry.text("reason")
        since = entry.text("since", needed=False)
        entry.finish()
        yield rule_id, f"{reason}, since {since}" if since else reason
    fields.finish()
