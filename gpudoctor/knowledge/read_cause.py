"""Reads `rules/causes/<family>/<name>.toml`."""

from __future__ import annotations

from collections.abc import Mapping

from gpudoctor.knowledge.expand import keys_in
from gpudoctor.knowledge.fields import Fields
from gpudoctor.knowledge.known import CAUSE_ID, Known, read_id
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.model.cause import Actor, Cause, Reference, Remedy

_ACTORS = tuple(actor.value for actor in Actor)


def read_cause(file: RuleFile, known: Known, problems: list[str]) -> Cause:
    """One cause; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    cause = Cause(
        id=read_id(fields, file.id, CAUSE_ID, known),
        title=fields.text("title"),
        meaning=fields.text("meaning"),
        shows=fields.text("shows", needed=False),
        explains=fields.texts("explains"),
        remedies=_remedies(fields, known),
        references=read_references(fields),
    )
    for other in cause.explains:
        fields.known("explains", other, known.causes, "cause")
        if other == cause.id:
            fields.complain("explains", f"{other!r} cannot explain itself")
    for key in ("title", "meaning", "shows"):
        if keys_in(getattr(cause, key)):
            fields.complain(
                key, "is told without a machine at hand; only messages and remedies can name facts in braces"
            )
    fields.finish()
    return cause


def _remedies(fields: Fields, known: Known) -> tuple[Remedy, ...]:
    remedies = []
    for entry in fields.tables("remedy"):
        remedy = Remedy(
            who=Actor(entry.choice("who", _ACTORS)),
            text=entry.text("text"),
            command=entry.text("command", needed=False),
            verify=entry.text("verify", needed=False),
            fallback=entry.flag("fallback"),
        )
        entry.placeholders("text", remedy.text, known.facts)
        entry.placeholders("command", remedy.command, known.facts, command=True)
        entry.placeholders("verify", remedy.verify, known.facts, command=True)
        entry.finish()
        remedies.append(remedy)
    if not any(not keys_in(remedy.text + remedy.command + remedy.verify) for remedy in remedies):
        fields.complain(
            "remedy", "at least one [[remedy]] without {placeholders} is needed, for the day when the facts are unknown"
        )
    return tuple(remedies)


def read_references(fields: Fields) -> tuple[Reference, ...]:
    """The `[[reference]]` blocks of a cause or a check."""
    references = []
    for entry in fields.tables("reference"):
        reference = Reference(entry.text("url"), entry.date("accessed"), entry.text("title", needed=False))
        if reference.url and not reference.url.startswith(("https://", "http://")):
            entry.complain("url", f"{reference.url!r} is not a web address; it starts with https://")
        entry.finish()
        references.append(reference)
    return tuple(references)


def circle_problems(causes: Mapping[str, Cause]) -> list[str]:
    """A complaint for a circle in `explains`: causes that explain each other explain nothing."""
    left = {cause.id: [other for other in cause.explains if other in causes] for cause in causes.values()}
    while True:
        ends = [cause for cause, others in left.items() if not any(other in left for other in others)]
        if not ends:
            break
        for cause in ends:
            del left[cause]
    if not left:
        return []
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(min(other for other in left[path[-1]] if other in left))
    circle = path[path.index(path[-1]) :]
    return [f"causes: explains: these go in a circle: {' -> '.join(circle)}; leave one out"]
