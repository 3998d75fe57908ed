"""Reads `rules/checks/<area>/<id>.toml`."""

from __future__ import annotations

import re

from gpudoctor.knowledge.fields import Fields
from gpudoctor.knowledge.known import KEBAB_ID, Known, read_id
from gpudoctor.knowledge.read_cause import read_references
from gpudoctor.knowledge.read_condition import ConditionReader
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.model.rule import ALWAYS, DEVICE_INDEX, Confidence, Rule, Severity, questions_of

STATUSES = ("stable", "experimental", "deprecated")
_SEVERITIES = tuple(item.value for item in Severity)
_CONFIDENCES = tuple(item.value for item in Confidence)
_SINCE = re.compile(r"\d+\.\d+(\.\d+)?")


def read_check(file: RuleFile, known: Known, problems: list[str]) -> Rule:
    """One check; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    for_each = "gpu" if fields.take("for_each") is not None and fields.choice("for_each", ("gpu",)) else ""
    conditions = ConditionReader(fields, known.facts, bool(for_each))
    rule = Rule(
        id=read_id(fields, file.id, KEBAB_ID, known),
        cause=fields.text("cause", example='"family.name"'),
        severity=Severity(fields.choice("severity", _SEVERITIES)),
        confidence=Confidence(fields.choice("confidence", _CONFIDENCES)),
        status=fields.choice("status", STATUSES),
        since=fields.text("since", example='"0.1"'),
        applies=conditions.read("applies", needed=False) or ALWAYS,
        fails=conditions.read("fails") or ALWAYS,
        message=_message(fields, known, for_each),
        for_each=for_each,
        area=file.path.split("/")[1],
        references=read_references(fields),
    )
    fields.known("cause", rule.cause, known.causes, "cause")
    if rule.since and _SINCE.fullmatch(rule.since) is None:
        fields.complain("since", f'{rule.since!r} is not a version of gpudoctor; write since = "0.1"')
    if for_each and known.facts is not None and not _asks_about_devices(rule, known):
        fields.complain("for_each", "no condition asks about a per-GPU fact, so every GPU would get the same answer")
    fields.finish()
    return rule


def _message(fields: Fields, known: Known, for_each: str) -> str:
    finding = fields.table("finding")
    if finding is None:
        return ""
    message = finding.text("message")
    allowed = None if known.facts is None else {*known.facts, *([DEVICE_INDEX] if for_each else [])}
    finding.placeholders("message", message, allowed)
    finding.finish()
    return message


def _asks_about_devices(rule: Rule, known: Known) -> bool:
    facts = known.facts or {}
    questions = [*questions_of(rule.applies), *questions_of(rule.fails)]
    keys = {key for question in questions for key in (question.fact, question.value_of)}
    return any(key in facts and facts[key].per_device for key in keys)
