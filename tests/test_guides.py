"""The guides for people who write rules, followed word for word: what they show is right, and broken it is refused."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.compile import read_rule
from gpudoctor.knowledge.evaluate import judge
from gpudoctor.knowledge.lint import lint
from gpudoctor.knowledge.match import Matcher
from gpudoctor.knowledge.source import RulesSource, added_tree, find_rules
from gpudoctor.knowledge.tables import Table
from gpudoctor.model.document import Document, Line
from gpudoctor.model.errors import RulesError
from gpudoctor.probe.spec import all_probes
from rule_cases import facts_of

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation lies in the repository only")


def blocks(guide: str) -> list[str]:
    """The TOML that a guide shows, in order."""
    text = (DOCS / guide).read_text(encoding="utf-8")
    return re.findall(r"```toml\n(.*?)```", text, re.S)


def toml(text: str, folder: Path) -> dict[str, Any]:
    path = folder / "shown.toml"
    path.write_text(text, encoding="utf-8")
    return read_rule(path)


def put(folder: Path, place: str, text: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path) -> list[str]:
    return lint(folder, known_specs(), find_rules())


def test_the_guide_to_checks(tmp_path: Path) -> None:
    rule, cases = blocks("writing-a-check.md")
    rules = tmp_path / "rules"
    put(rules, "checks/memory/shm-below-one-mebibyte.toml", rule)
    assert complaints(rules) == []
    catalogue = Catalogue(find_rules((rules,)), known_specs())
    shown = toml(cases, tmp_path)["case"]
    assert {case["kind"] for case in shown} == {"fail", "pass", "unknown"}
    for case in shown:
        findings = judge(catalogue, facts_of(case["facts"], known_specs())).findings
        found = next(one for one in findings if one.check == "shm-below-one-mebibyte")
        assert found.kind.value == case["kind"], case["name"]


def test_the_guide_to_causes(tmp_path: Path) -> None:
    (cause,) = blocks("writing-a-cause.md")
    put(tmp_path, "causes/limits/example.toml", cause)
    (rule, _cases) = blocks("writing-a-check.md")
    put(tmp_path, "checks/limits/example-check.toml", re.sub("memory.shm_too_small", "limits.example", rule).replace(
        "shm-below-one-mebibyte", "example-check"
    ))  # fmt: skip
    assert complaints(tmp_path) == []
    assert Catalogue(find_rules((tmp_path,)), known_specs()).cause("limits.example").remedies


def test_the_guide_to_signatures(tmp_path: Path) -> None:
    signature, cases = blocks("writing-a-signature.md")
    folder = tmp_path / "rules"
    name = "shm-worker-bus-error"
    mine = f"{name}-of-mine"
    put(folder, f"signatures/memory/{mine}.toml", signature.replace(f'id = "{name}"', f'id = "{mine}"'))
    assert complaints(folder) == []
    entry = Catalogue(find_rules((folder,)), known_specs()).signatures[mine]
    for case in toml(cases, tmp_path)["case"]:
        lines = [Line(number, line) for number, line in enumerate(case["log"].split("\n"), start=1)]
        matches = Matcher([entry]).match([Document("train.log", "log", tuple(lines))])
        assert bool(matches) is case["matches"], case["name"]
        if matches:
            assert matches[0].captures == case["captures"]


def with_row(folder: Path, row: str) -> Path:
    """A copy of the rules whose table of driver branches has one more row."""
    rules = folder / "rules"
    shutil.copytree(ROOT / "rules", rules)
    table = rules / "tables" / "driver_branches.toml"
    table.write_text(table.read_text(encoding="utf-8") + "\n" + row, encoding="utf-8")
    return rules


def table_of(rules: Path) -> Table:
    return Catalogue(RulesSource([added_tree(rules)]), known_specs()).tables["driver_branches"]


def test_the_guide_to_table_rows(tmp_path: Path) -> None:
    (row,) = blocks("writing-a-table-row.md")
    rules = with_row(tmp_path, row)
    assert lint(rules, known_specs()) == []
    table = table_of(rules)
    added = table.rows[-1]
    assert (added["branch"], str(added["max_cuda"])) == (699, "14.9")
    assert str(added.checked) == str(date(2026, 11, 28))


@pytest.mark.parametrize(
    ("said", "wrong", "words"),
    [
        ("branch = 699 ", "branch = 580 ", "580"),
        ('max_cuda = "14.9"', "max_cuda = 14.9", "max_cuda"),
        ("ended = false", "endet = false", "endet"),
        ("checked = 2026-11-28", 'checked = "yesterday"', "checked"),
    ],
)
def test_a_row_that_is_off_is_named(tmp_path: Path, said: str, wrong: str, words: str) -> None:
    (row,) = blocks("writing-a-table-row.md")
    assert said in row
    with pytest.raises(RulesError) as refused:
        table_of(with_row(tmp_path, row.replace(said, wrong)))
    assert any("driver_branches" in problem and words in problem for problem in refused.value.problems)


@pytest.mark.parametrize("name", [one.name for one in all_probes()])
def test_every_probe_has_a_section_that_says_what_it_does_proves_and_costs(name: str) -> None:
    sections = re.split(r"^## ", (DOCS / "probes.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    level = next(one.level for one in all_probes() if one.name == name)
    (section,) = [one for one in sections if one.startswith(f"{name} (")]
    assert section.startswith(f"{name} ({level})")
    for word in ("Does", "Proves", "Costs"):
        assert f"**{word}.**" in section, word
