"""Fills `{fact.key}` placeholders by look-up. Nothing is evaluated: a rule of a stranger can show facts, no more."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge.conditions import View
from gpudoctor.model.cause import Actor, Remedy
from gpudoctor.model.fact import Unknown, Value
from gpudoctor.model.record import replace

UNKNOWN = "unknown"
# `{{.State}}` of docker's templates, `${HOME}` of shells and the braces of a line of Python are no placeholders.
_PLACEHOLDER = r"(?<![{$])\{([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)\}(?!\})"


def text_of(value: Value | Unknown) -> str:
    """A value as it is quoted: versions as they were written, lists joined, gaps named."""
    if isinstance(value, str):
        return value
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, tuple):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def keys_in(text: str) -> tuple[str, ...]:
    """The facts that a text names, each once, in order."""
    return tuple(dict.fromkeys(re.findall(_PLACEHOLDER, text))) if "{" in text else ()


def fill(text: str, view: View) -> str:
    """A message; what is unknown is called so."""
    return re.sub(_PLACEHOLDER, lambda match: text_of(view[match[1]]), text) if "{" in text else text


def fill_all(text: str, view: View) -> str | None:
    """An instruction; None when one fact is unknown, since half an instruction misleads."""
    values = [view[key] for key in keys_in(text)]
    if any(_has_gap(value) for value in values):
        return None
    return fill(text, view)


def usable_remedies(remedies: Iterable[Remedy], view: View) -> tuple[Remedy, ...]:
    """The remedies whose placeholders are all known, filled; fallbacks only where nothing could be filled."""
    found = []
    filled: set[Actor] = set()
    for remedy in remedies:
        text, command, verify = (fill_all(part, view) for part in (remedy.text, remedy.command, remedy.verify))
        if text is None or command is None or verify is None:
            continue
        if text != remedy.text or command != remedy.command:
            filled.add(remedy.who)
        found.append(replace(remedy, text=text, command=command, verify=verify))
    return tuple(remedy for remedy in found if not (remedy.fallback and remedy.who in filled))


def _has_gap(value: Value | Unknown) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(item, Unknown) for item in value)
    return isinstance(value, Unknown)
