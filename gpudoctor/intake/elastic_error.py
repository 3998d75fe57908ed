"""The error file of torch elastic (TORCHELASTIC_ERROR_FILE, error.json): the first failing rank's own exception."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import typed
from gpudoctor.intake.partial_json import parse
from gpudoctor.intake.plain_tree import integer, member, objects, text
from gpudoctor.model.fact import Fact

KIND = "elastic_error"
FACTS = ()


def recognises(beginning: str, name: str) -> float:
    """The keys that the elastic error handler writes."""
    part = beginning[:65536]
    if "py_callstack" in part and part.lstrip()[:1] == "{":
        return 0.95
    is_file = re.search(r"(?:^|/)error\.json$", name) is not None
    return 0.7 if is_file and re.match(r'\s*\{\s*"message"\s*:', part) else 0.0


def read(document: str) -> Reading:
    """The message and the stack, for signatures to look at."""
    value, whole = parse(document)
    messages = list(_messages(value))
    facts = [Fact("crash.context", ("multi_rank",))]
    if messages:
        facts += typed("elastic.error_message", messages[0])
    if len(messages) > 1:
        facts += typed("elastic.error_callstack", messages[1])
    for entry in objects(value):
        code = integer(member(entry, "errorCode"))
        if code:
            facts.append(Fact("crash.exit_code", code))
            break
    notes = () if whole else ("it is not whole JSON; it was read as far as it goes",)
    return Reading(tuple(facts), tuple(messages), notes)


def _messages(value: object) -> Iterator[str]:
    for entry in objects(value):
        for key in ("message", "py_callstack"):
            told = text(member(entry, key))
            if told:
                yield told
