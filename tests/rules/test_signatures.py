"""Every signature against its case file, and against lines that were made to be slow."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.explain import explain_documents, triggers_of
from gpudoctor.intake.scan import scan
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.clues import allowed_by_facts, clue_matches
from gpudoctor.knowledge.match import Match, Matcher
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.document import Document, Line
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.fact import Facts
from gpudoctor.model.signature import Pattern, Role
from rule_cases import facts_of
from signature_cases import SignatureCase, read_cases

CASES = tuple(read_cases(Path(__file__).parent / "signatures"))
SPECS = known_specs()
CATALOGUE = Catalogue(find_rules(), SPECS)
TRIGGERS = triggers_of(CATALOGUE)
SIGNATURES = sorted(CATALOGUE.source.ids("signatures"))
HOSTILE_BYTES = 64 << 10
CPU_SECONDS = 10.0


def _id(case: SignatureCase) -> str:
    return f"{case.signature}: {case.name}"


def _document(case: SignatureCase, facts: Facts) -> Document:
    scanned = scan([case.log.encode()], TRIGGERS)
    return Document(
        "case.log", case.kind, scanned.lines, tuple(facts.items_sorted()), scanned.line_count, len(case.log)
    )


def _matches(case: SignatureCase, facts: Facts) -> list[Match]:
    signature = CATALOGUE.signature(case.signature)  # alone, so that a wrong neighbour fails only its own cases
    if not signature.patterns:
        return clue_matches([signature], facts)
    if not allowed_by_facts(signature, facts):
        return []
    return Matcher([signature]).match([_document(case, facts)])


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_case(case: SignatureCase) -> None:
    facts = facts_of(case.facts, SPECS)
    matches = _matches(case, facts)
    assert bool(matches) is case.matches, [match.line.text for match in matches] or "nothing matched"
    if case.captures:
        assert {**matches[0].captures, **case.captures} == matches[0].captures


@pytest.mark.parametrize("case", [case for case in CASES if case.cause], ids=_id)
def test_case_leads_to_its_cause_first(case: SignatureCase) -> None:
    status = ExitStatus.parse(case.exit) if case.exit else None
    explained = explain_documents(CATALOGUE, status, [_document(case, facts_of(case.facts, SPECS))])
    order = [item.cause for item in explained.explanations] or [explained.verdict.value]
    assert order[0] == case.cause or order[0].startswith(case.cause + "."), order


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_signature_has_a_matching_and_a_near_case(signature: str) -> None:
    assert {case.matches for case in CASES if case.signature == signature} == {True, False}


def test_every_case_file_belongs_to_a_signature_of_its_family() -> None:
    places = {(file.path.split("/")[1], file.id) for file in CATALOGUE.source.files("signatures", [])}
    assert {(case.family, case.signature) for case in CASES} <= places


def _spellings(pattern: Pattern) -> Iterator[str]:
    for anchor in pattern.anchors:
        yield from (anchor.lower(), anchor.upper(), anchor.capitalize()) if pattern.ignore_case else (anchor,)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_anchor_holds_a_trigger(signature: str) -> None:
    entry = CATALOGUE.signature(signature)
    patterns = (*entry.patterns, *entry.also, *entry.unless)
    blind = [text for pattern in patterns for text in _spellings(pattern) if TRIGGERS.find(text.encode()) < 0]
    assert not blind, f"no word of rules/tables/log_triggers.toml stands in {blind}: such lines would never be read"


@pytest.mark.parametrize("signature", SIGNATURES)
def test_hostile_lines_are_answered(signature: str) -> None:
    entry = CATALOGUE.signature(signature)
    tried = (*entry.patterns, *entry.without, *entry.also, *entry.unless)
    seeds = [anchor for pattern in tried for anchor in pattern.anchors]
    seeds += [f"{anchor} {filler}" for anchor in seeds[:4] for filler in ("a", "0", " ", "(", "/x", "a: ", "\\", "'")]
    lines = [
        Line(number, (seed * (HOSTILE_BYTES // len(seed) + 1))[:HOSTILE_BYTES]) for number, seed in enumerate(seeds)
    ]
    lines += [
        Line(0, seed + filler * HOSTILE_BYTES) for seed in seeds[:4] for filler in ("a", " ", "9", ".", "/", "\t")
    ]
    matcher = Matcher([entry])

    def too_long(_signal: int, _frame: Any) -> None:
        raise TimeoutError(f"{signature} spends more than {CPU_SECONDS} s of processor time on {len(lines)} lines")

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        matcher.match([Document("hostile.log", kind, tuple(lines)) for kind in entry.documents or ("log",)])
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_roles_that_rule_out_say_why() -> None:
    silent = [
        entry for entry in map(CATALOGUE.signature, SIGNATURES) if entry.role is Role.AGAINST and not entry.summary
    ]
    assert not silent
