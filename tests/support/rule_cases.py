"""Case files of checks: facts as plain TOML values turned into typed ones, and what a check should say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpudoctor.knowledge.compile import read_rule
from gpudoctor.knowledge.read_condition import typed
from gpudoctor.model.fact import Fact, Facts, FactSpec, Reason, Unknown

CASE_KEYS = {"name", "facts", "kind", "message_contains", "subject"}
KINDS = {"fail", "pass", "unknown", "not_applicable"}


@dataclass(frozen=True)
class Case:
    """One case of one check."""

    check: str
    area: str
    name: str
    facts: Mapping[str, Any]
    kind: str
    message_contains: tuple[str, ...] = ()
    subject: str = ""


def read_cases(folder: Path) -> Iterator[Case]:
    """All cases below a folder `<area>/<check>.toml`."""
    for path in sorted(folder.glob("*/*.toml")):
        data = read_rule(path)
        if set(data) != {"case"}:
            raise ValueError(f"{path}: only [[case]] blocks belong here")
        for number, entry in enumerate(data["case"], start=1):
            place = f"{path}: case[{number}]"
            if set(entry) - CASE_KEYS or not {"name", "facts", "kind"} <= set(entry) or entry["kind"] not in KINDS:
                raise ValueError(f"{place}: needs name, facts and kind ({', '.join(sorted(KINDS))}); has {set(entry)}")
            wanted = entry.get("message_contains", [])
            yield Case(
                check=path.stem,
                area=path.parent.name,
                name=entry["name"],
                facts=entry["facts"],
                kind=entry["kind"],
                message_contains=(wanted,) if isinstance(wanted, str) else tuple(wanted),
                subject=entry.get("subject", ""),
            )


def facts_of(plain: Mapping[str, Any], specs: Mapping[str, FactSpec]) -> Facts:
    """Plain values as facts of their declared types; ValueError names the key that does not fit."""
    facts = []
    for key, value in plain.items():
        if key not in specs:
            raise ValueError(f"{key}: no such fact")
        try:
            facts.append(Fact(key, _value(value, specs[key])))
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return Facts(facts)


def _value(value: Any, spec: FactSpec) -> Any:
    if isinstance(value, dict):
        return Unknown(Reason(value["unknown"]), value.get("detail", ""))
    if not spec.type.is_list:
        return typed(value, spec.type)
    if not isinstance(value, list):
        raise ValueError("a list is needed")
    return tuple(
        Unknown(Reason(item["unknown"]), item.get("detail", ""))
        if isinstance(item, dict)
        else typed(item, spec.type.element)
        for item in value
    )
