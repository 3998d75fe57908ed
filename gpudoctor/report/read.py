"""Reading a JSON report back: redacted or not, of this or of an older or newer minor schema, to be judged again.

Unknown keys are ignored, as schema 1 asks of every reader. A fact that is known to this version gets its declared
type; one that is not keeps the type of its shape. What cannot be read becomes an unknown, never a guess.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from gpudoctor.model.cause import Actor, Reference, Remedy
from gpudoctor.model.diagnosis import RulesInfo, Target
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Element, Fact, Facts, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.finding import MACHINE, ChainAnswer, Finding, Kind
from gpudoctor.model.garbage import NoCollection
from gpudoctor.model.record import record
from gpudoctor.model.rule import Confidence, Severity
from gpudoctor.model.run import Run
from gpudoctor.model.version import Version
from gpudoctor.report.plain import one_line, shortened
from gpudoctor.report.wire import SCHEMA_MAJOR

E = TypeVar("E", bound=Enum)
_SNIFFED = 4096
_TEXT, _BOOLEAN, _VERSION, _INTEGER = FactType.TEXT, FactType.BOOLEAN, FactType.VERSION, FactType.INTEGER
_ELEMENTS = {kind: kind.element for kind in FactType if kind.is_list}


@record
class ReadReport:
    """What a report says. `findings` and `chains` are those of the rules that judged then, named in `rules`."""

    schema_version: str
    tool_version: str
    rules: RulesInfo
    target: Target
    verdict: str
    primary: str
    facts: Facts
    findings: tuple[Finding, ...]
    chains: tuple[ChainAnswer, ...]
    runs: tuple[Run, ...]


def looks_like_report(text: str) -> bool:
    """Whether a text is meant to be one of our JSON documents; cheap, and no promise that it can be read."""
    head = text[:_SNIFFED].lstrip("\ufeff \t\r\n")
    return head.startswith("{") and '"schema_version"' in head and '"tool"' in head


def read_report(text: str, specs: Mapping[str, FactSpec]) -> ReadReport:
    """Read a report; ExaminationError says in one sentence why a text is none."""
    with NoCollection():
        return _read(text, specs)


def _read(text: str, specs: Mapping[str, FactSpec]) -> ReadReport:
    document = _document(text)
    tool = _mapping(document.get("tool"))
    summary = _mapping(document.get("summary"))
    return ReadReport(
        schema_version=_text(document["schema_version"]),
        tool_version=_text(tool.get("version")),
        rules=_rules(_mapping(tool.get("rules"))),
        target=_target(_mapping(document.get("target"))),
        verdict=_text(summary.get("verdict")),
        primary=_text(summary.get("primary")),
        facts=read_facts(document["facts"], specs),
        findings=tuple(_finding(item) for item in _mappings(document.get("findings"))),
        chains=tuple(_chain(item) for item in _mappings(document.get("chains"))),
        runs=tuple(_run(item) for item in _mappings(document.get("runs"))),
    )


def read_facts(wire: Mapping[str, Any], specs: Mapping[str, FactSpec]) -> Facts:
    """The facts of a report, each with the type that `specs` declares, or with that of its shape."""
    return Facts(Fact(key, _fact(value, specs.get(key))) for key, value in wire.items())


def _document(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        raise ExaminationError(
            f"This is no complete JSON report: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except (RecursionError, ValueError) as error:
        raise ExaminationError(f"This is no JSON report: {shortened(one_line(str(error)), 200)}.") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema_version"), str):
        raise ExaminationError("This is JSON, but no report of gpudoctor: it has no schema_version.")
    version = document["schema_version"]
    major = version.split(".", 1)[0]
    if major != str(SCHEMA_MAJOR):
        raise ExaminationError(
            f"This report has schema {shortened(one_line(version), 40)}; this gpudoctor reads schema {SCHEMA_MAJOR}. "
            "Read it with the version that wrote it."
        )
    if isinstance(document.get("error"), dict):
        message = shortened(one_line(_text(document["error"].get("message"))), 300)
        raise ExaminationError(f"This document holds no report; it tells that none could be made: {message}")
    if "exit" in document and "facts" not in document:
        raise ExaminationError("This is an answer of explain-exit, not a report of check: it holds no facts.")
    if not isinstance(document.get("facts"), dict):
        raise ExaminationError("This report holds no facts, so there is nothing to judge.")
    return document


def _fact(wire: object, spec: FactSpec | None) -> Value | Unknown:
    if not isinstance(wire, dict):
        return Unknown(Reason.UNPARSEABLE, "the report holds neither a value nor a reason")
    if "unknown" in wire:
        return _unknown(wire)
    if "value" not in wire:
        return Unknown(Reason.UNPARSEABLE, "the report holds neither a value nor a reason")
    value = wire["value"]
    kind = spec.type if spec is not None else None
    element_kind = _ELEMENTS.get(kind) if kind is not None else None
    if isinstance(value, list):
        if kind is not None and element_kind is None:
            return Unknown(Reason.UNPARSEABLE, f"the report holds a list where {kind.value} is due")
        return tuple([_element(item, element_kind) for item in value])
    if element_kind is not None and kind is not None:
        return Unknown(Reason.UNPARSEABLE, f"the report holds no list where {kind.value} is due")
    return _element(value, kind)


def _element(value: object, kind: FactType | None) -> Element:
    if isinstance(value, dict):
        return _unknown(value)
    if not isinstance(value, (str, int, float)):
        return Unknown(Reason.UNPARSEABLE, f"the report holds {shortened(json.dumps(value), 80)}")
    if isinstance(value, float) and not math.isfinite(value):
        return Unknown(Reason.UNPARSEABLE, f"the report holds {value}")
    return value if kind is None else _typed(value, kind)


def _typed(value: str | float | bool, kind: FactType) -> Element:
    if kind is _TEXT:
        return value if isinstance(value, str) else _wrong(value, kind)
    if kind is _BOOLEAN:
        return value if isinstance(value, bool) else _wrong(value, kind)
    if kind is _VERSION:
        try:
            return Version.parse(value) if isinstance(value, str) else _wrong(value, kind)
        except ValueError:
            return _wrong(value, kind)
    if isinstance(value, (bool, str)) or (kind is _INTEGER and int(value) != value):
        return _wrong(value, kind)
    return int(value) if kind is _INTEGER else value


def _wrong(value: str | float | bool, kind: FactType) -> Unknown:
    return Unknown(Reason.UNPARSEABLE, f"the report holds {shortened(one_line(str(value)), 80)}, not {kind.value}")


def _unknown(wire: Mapping[str, Any]) -> Unknown:
    reason, detail = _text(wire.get("unknown")), _text(wire.get("detail"))
    known = _members(Reason).get(reason)
    if known is not None:
        return Unknown(known, detail)
    # A newer minor schema may know more reasons than we do.
    return Unknown(Reason.NO_DATA, f"{reason}: {detail}" if detail else reason)


def _finding(wire: Mapping[str, Any]) -> Finding:
    return Finding(
        check=_text(wire.get("check")),
        cause=_text(wire.get("cause")),
        kind=_member(Kind, wire.get("kind"), Kind.UNKNOWN),
        severity=_member(Severity, wire.get("severity"), Severity.NOTE),
        confidence=_member(Confidence, wire.get("confidence"), Confidence.LOW),
        title=_text(wire.get("title")),
        subject=_text(wire.get("subject")) or MACHINE,
        message=_text(wire.get("message")),
        evidence=tuple(
            Evidence(_text(item.get("source")), _text(item.get("text")), _count(item.get("line")))
            for item in _mappings(wire.get("evidence"))
        ),
        blocked_by=_texts(wire.get("blocked_by")),
        explained_by=_text(wire.get("explained_by")),
        remedies=tuple(
            Remedy(
                _member(Actor, item.get("who"), Actor.COMMAND_LINE),
                _text(item.get("text")),
                _text(item.get("command")),
                _text(item.get("verify")),
            )
            for item in _mappings(wire.get("remedies"))
        ),
        references=tuple(
            Reference(_text(item.get("url")), _text(item.get("accessed")), _text(item.get("title")))
            for item in _mappings(wire.get("references"))
        ),
    )


def _chain(wire: Mapping[str, Any]) -> ChainAnswer:
    links = tuple(
        (_text(link.get("check")), _member(Kind, link.get("kind"), Kind.UNKNOWN))
        for link in _mappings(wire.get("links"))
    )
    return ChainAnswer(_text(wire.get("id")), _text(wire.get("question")), _text(wire.get("broken_at")), links)


def _run(wire: Mapping[str, Any]) -> Run:
    seconds = wire.get("seconds")
    timed = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds)
    code = wire.get("exit_code")
    return Run(
        name=_text(wire.get("name")),
        outcome=_text(wire.get("outcome")),
        seconds=float(seconds) if timed and isinstance(seconds, (int, float)) else 0.0,
        detail=_text(wire.get("detail")),
        stderr_tail=_text(wire.get("stderr_tail")),
        signal=_text(wire.get("signal")),
        exit_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
    )


def _rules(wire: Mapping[str, Any]) -> RulesInfo:
    return RulesInfo(_text(wire.get("digest")), _count(wire.get("count")), _text(wire.get("newest_source")))


def _target(wire: Mapping[str, Any]) -> Target:
    return Target(_text(wire.get("kind")) or "document", _text(wire.get("interpreter")), _text(wire.get("reason")))


def _member(kind: type[E], value: object, otherwise: E) -> E:
    return _members(kind).get(value, otherwise) if isinstance(value, str) else otherwise


@lru_cache(maxsize=8)
def _members(kind: type[E]) -> dict[object, E]:
    """The members of an enumeration by their values: asking the class itself takes five times as long."""
    return {member.value: member for member in kind}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
