"""Every check against its case file, as the whole machinery would judge it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derivation
from gpudoctor.knowledge.judge_rule import Views, judge_rule
from gpudoctor.knowledge.lint import lint
from gpudoctor.knowledge.source import find_rules
from rule_cases import Case, facts_of, read_cases

CASES = tuple(read_cases(Path(__file__).parent / "checks"))
SPECS = known_specs()
CATALOGUE = Catalogue(find_rules(), SPECS)
CHECKS = sorted(CATALOGUE.source.ids("checks"))


def _id(case: Case) -> str:
    return f"{case.check}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_case(case: Case) -> None:
    rule = CATALOGUE.rule(case.check)  # alone, so that a wrong neighbour fails only its own cases
    derived = derivation(facts_of(case.facts, SPECS), CATALOGUE.tables)
    assert not derived.bugs
    findings = judge_rule(rule, CATALOGUE.cause(rule.cause), Views(derived.facts, CATALOGUE.per_device))
    if case.subject:
        findings = [finding for finding in findings if finding.subject == case.subject]
    said = "\n".join(f"{one.subject}: {one.kind.value} {one.message} {one.evidence}" for one in findings)
    kinds = [finding.kind.value for finding in findings]
    if case.kind == "fail" and not case.subject:
        assert "fail" in kinds, said
    else:
        assert set(kinds) == {case.kind}, said
    for words in case.message_contains:
        assert any(words in finding.message for finding in findings if finding.kind.value == case.kind), said


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_a_failing_a_passing_and_an_unknown_case(check: str) -> None:
    kinds = {case.kind for case in CASES if case.check == check}
    assert {"fail", "pass", "unknown"} <= kinds, f"{check} has only cases for: {', '.join(sorted(kinds)) or 'nothing'}"


def test_every_case_file_belongs_to_a_check_of_its_area() -> None:
    places = {(file.path.split("/")[1], file.id) for file in CATALOGUE.source.files("checks", [])}
    assert {(case.area, case.check) for case in CASES} <= places


def test_the_rules_are_right() -> None:
    assert lint(Path(__file__).parents[2] / "rules", SPECS) == []


def test_there_are_checks() -> None:
    assert CHECKS
