"""Reads `rules/signatures/<family>/<id>.toml`."""

from __future__ import annotations

import re

from gpudoctor.knowledge.fields import Fields
from gpudoctor.knowledge.known import NAME_ID, Known, read_id
from gpudoctor.knowledge.read_condition import ConditionReader, pattern_problem
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.signature import Pattern, Role, Signature

_DOCUMENT = re.compile(r"[a-z][a-z0-9_]*")
_CAUSELESS = (Role.NOISE, Role.STATUS, Role.SUCCESS)
_SHORTEST_ANCHOR = 2
_WINDOW = 10_000


def read_signature(file: RuleFile, known: Known, problems: list[str]) -> Signature:
    """One signature; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    role = Role(fields.choice("role", tuple(item.value for item in Role)))
    patterns = _patterns(fields, "pattern")
    conditions = ConditionReader(fields, known.facts, False)
    signature = Signature(
        id=read_id(fields, file.id, NAME_ID, known),
        cause=fields.text("cause", needed=role not in _CAUSELESS, example='"family.name"'),
        role=role,
        weight=fields.number("weight", 0, 1, default=0 if role in _CAUSELESS else None),
        patterns=patterns,
        direct=fields.flag("direct"),
        without=_patterns(fields, "without"),
        also=_patterns(fields, "also"),
        unless=_patterns(fields, "unless"),
        within_lines=int(fields.number("within_lines", 0, _WINDOW, default=0)),
        exits=_exits(fields),
        documents=_documents(fields),
        where=conditions.read("where", needed=False),
        summary=fields.text("summary"),
        source=fields.text("source"),
        checked=fields.date("checked"),
    )
    if not fields.trusted:
        _check_whole(signature, fields, known)
    fields.finish()
    return signature


def _check_whole(signature: Signature, fields: Fields, known: Known) -> None:
    fields.known("cause", signature.cause, known.causes, "cause")
    if not signature.patterns and signature.where is None:
        fields.complain("pattern", "at least one [[pattern]] with regex and anchors is needed, or a [where] block")
    if signature.role is Role.STATUS and not {"code", "signal"} & _captures(signature) and len(signature.exits) != 1:
        fields.complain("pattern", "a status needs a named group, (?P<code>...) or (?P<signal>...), or one of `exits`")
    if signature.within_lines and not signature.also:
        fields.complain("within_lines", "means nothing without an [[also]] block")
    if known.facts is not None:
        fields.placeholders("summary", signature.summary, {*known.facts, *_captures(signature)})


def _captures(signature: Signature) -> set[str]:
    names: set[str] = set()
    for pattern in (*signature.patterns, *signature.also):
        try:
            names |= set(re.compile(pattern.regex).groupindex)
        except re.error:  # already reported
            continue
    return names


def _patterns(fields: Fields, key: str) -> tuple[Pattern, ...]:
    found = []
    for entry in fields.tables(key):
        pattern = Pattern(
            regex=entry.text("regex"),
            anchors=entry.texts("anchors", needed=key == "pattern"),
            ignore_case=entry.flag("ignore_case"),
        )
        if not fields.trusted:
            _check_pattern(entry, pattern)
        entry.finish()
        found.append(pattern)
    return tuple(found)


def _check_pattern(entry: Fields, pattern: Pattern) -> None:
    complaint = pattern_problem(pattern.regex, re.IGNORECASE if pattern.ignore_case else 0)
    if complaint:
        entry.complain("regex", complaint)
    elif pattern.anchors and pattern.regex:
        _check_anchors(entry, pattern)


def _check_anchors(entry: Fields, pattern: Pattern) -> None:
    from gpudoctor.knowledge.anchors import anchor_is_certain

    for anchor in pattern.anchors:
        if len(anchor) < _SHORTEST_ANCHOR:
            entry.complain("anchors", f"{anchor!r} is too short to sort lines out")
    if re.compile(pattern.regex).search("") is not None:
        entry.complain("regex", "it matches an empty line, so it says nothing")
    elif not anchor_is_certain(pattern.regex, pattern.anchors, pattern.ignore_case):
        entry.complain(
            "anchors",
            "a line could match the regex and hold none of the anchors, so it would be passed over; "
            "take words that stand letter by letter in every alternative of the regex",
        )


def _exits(fields: Fields) -> tuple[str, ...]:
    exits = fields.texts("exits")
    for given in exits:
        try:
            ExitStatus.parse(given)
        except UsageError:
            fields.complain("exits", f'{given!r} is no exit status; write "139", "-11", "SIGSEGV" or "OOMKilled"')
    return exits


def _documents(fields: Fields) -> tuple[str, ...]:
    documents = fields.texts("documents")
    for given in documents:
        if _DOCUMENT.fullmatch(given) is None:
            fields.complain("documents", f"{given!r} is not the name of a kind of document, such as kernel_log")
    return documents
