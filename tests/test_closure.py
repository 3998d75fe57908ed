"""Nothing dangles: whatever one part of the project names is there, and whatever is there is named by another part."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gpudoctor.cli.main import COMMANDS
from gpudoctor.collect.registry import collect_specs
from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derive_modules, derived_specs
from gpudoctor.knowledge.expand import keys_in
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.fact import Unknown
from gpudoctor.model.rule import questions_of
from gpudoctor.probe.registry import fact_specs
from rule_cases import read_cases

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "rules"
CASES = ROOT / "tests" / "rules" / "checks"
SECTIONS = ("causes", "checks", "signatures", "exits", "chains", "tables")
BY_DEVICE = {"gpu.index"}
# Causes that only the explanation of an exit can name, without a candidate, a check or a signature of their own.
ANSWERS = {"benign.no_failure"}
# Known, explained and mendable by name, but told only by probes of the GPU or by a finer look than checks take so far.
NOT_YET_SEEN = {
    "cpu.oversubscribed",
    "wheel.no_kernel_image_for_arch.gpu_too_new",
    "wheel.no_kernel_image_for_arch.gpu_too_old",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(find_rules(), known_specs())


def named_in_tables(catalogue: Catalogue) -> set[str]:
    """The causes that rows of tables point at."""
    rows = [row for table in catalogue.tables.values() if "cause" in table.columns for row in table.rows]
    return {str(row["cause"]) for row in rows if not isinstance(row["cause"], Unknown) and row["cause"]}


def test_every_cause_is_pointed_at(catalogue: Catalogue) -> None:
    pointed = {rule.cause for rule in catalogue.rules.values()}
    pointed |= {signature.cause for signature in catalogue.signatures.values()}
    pointed |= {candidate.cause for meaning in catalogue.exits.values() for candidate in meaning.candidates}
    pointed |= named_in_tables(catalogue) | ANSWERS
    assert set(catalogue.causes) - pointed <= NOT_YET_SEEN


def test_every_cause_that_is_pointed_at_is_there(catalogue: Catalogue) -> None:
    pointed = {rule.cause for rule in catalogue.rules.values()} | named_in_tables(catalogue) | ANSWERS
    pointed |= {signature.cause for signature in catalogue.signatures.values() if signature.cause}
    pointed |= {candidate.cause for meaning in catalogue.exits.values() for candidate in meaning.candidates}
    pointed |= {cause for entry in catalogue.causes.values() for cause in entry.explains}
    assert sorted(pointed - set(catalogue.causes)) == []


def test_every_link_of_a_chain_is_a_check(catalogue: Catalogue) -> None:
    for chain in catalogue.chains.values():
        assert sorted(set(chain.links) - set(catalogue.rules)) == []
        assert len(set(chain.links)) == len(chain.links)


def test_explaining_has_no_circle(catalogue: Catalogue) -> None:
    def reach(cause: str, seen: tuple[str, ...]) -> None:
        assert cause not in seen, f"{' -> '.join(seen)} -> {cause}"
        for other in catalogue.causes[cause].explains:
            reach(other, (*seen, cause))

    for cause in catalogue.causes:
        reach(cause, ())


def test_every_check_has_its_cases(catalogue: Catalogue) -> None:
    kinds: dict[str, set[str]] = {check: set() for check in catalogue.rules}
    for case in read_cases(CASES):
        assert case.check in kinds, f"cases of a check that is not there: {case.check}"
        assert case.area == catalogue.rules[case.check].area
        kinds[case.check].add(case.kind)
    lacking = {check: {"fail", "pass", "unknown"} - found for check, found in kinds.items()}
    assert {check: missing for check, missing in lacking.items() if missing} == {}


def test_every_fact_that_a_rule_names_is_declared(catalogue: Catalogue) -> None:
    declared = set(known_specs()) | BY_DEVICE
    for rule in catalogue.rules.values():
        questions = (*questions_of(rule.applies), *questions_of(rule.fails))
        named = {key for one in questions for key in (one.fact, one.value_of) if key} | set(keys_in(rule.message))
        assert sorted(named - declared) == [], rule.id
    for cause in catalogue.causes.values():
        named = {key for one in cause.remedies for key in (*keys_in(one.text), *keys_in(one.command))}
        assert sorted(named - declared) == [], cause.id
    for signature in catalogue.signatures.values():
        named = {one.fact for one in questions_of(signature.where)} if signature.where is not None else set()
        assert sorted(named - declared) == [], signature.id


def test_every_fact_that_a_derivation_needs_is_declared() -> None:
    declared = set(known_specs())
    for module in derive_modules():
        assert sorted(set(module.INPUTS) - declared) == [], module.__name__


def test_no_fact_is_declared_by_two_rooms_that_observe_or_derive_it() -> None:
    keys = Counter([*collect_specs(), *fact_specs()])
    assert [key for key, count in keys.items() if count > 1] == []
    assert sorted(set(keys) & set(derived_specs()) - {"driver.version"}) == []


def test_every_declared_fact_says_what_it_means() -> None:
    for key, spec in known_specs().items():
        assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", key)
        assert len(spec.meaning) > 8, key


def test_ids_are_file_names_unique_and_never_retired(catalogue: Catalogue) -> None:
    retired = set(catalogue.retired)
    seen: set[str] = set()
    for section in SECTIONS:
        ids = set(getattr(catalogue, "rules" if section == "checks" else section))
        files = list((RULES / section).rglob("*.toml"))
        assert len(files) == len(ids), section
        for path in files:
            name = path.relative_to(RULES / section).with_suffix("")
            written = ".".join(name.parts) if section == "causes" else name.name
            assert written in ids, path
        assert not ids & retired
        if section in ("causes", "checks", "signatures"):  # reports name all three without saying which
            assert sorted(ids & seen) == [], section
            seen |= ids


def test_the_rules_have_no_problems() -> None:
    from gpudoctor.knowledge.lint import lint

    assert "\n".join(lint(RULES, known_specs)) == ""


def documentation() -> str:
    """README and all guides."""
    return "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])


def test_every_command_is_documented() -> None:
    text = documentation()
    assert [name for name in COMMANDS if f"gpudoctor {name}" not in text] == []


def test_every_documented_command_is_there() -> None:
    named = set(re.findall(r"^(?:\$ )?gpudoctor ([a-z][a-z-]+)", documentation(), re.MULTILINE))
    assert named - set(COMMANDS) == set()


def test_every_guide_is_reachable_and_every_link_leads_somewhere() -> None:
    linked = set()
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert path.exists(), f"{page.name} links to {target}, which is not there"
            linked.add(path)
    guides = {path.resolve() for path in ROOT.glob("docs/*.md")}
    assert sorted(path.name for path in guides - linked) == []
