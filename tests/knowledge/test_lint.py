"""Linting a folder: alone, beside the built-in rules, and as their own source."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.knowledge.compile import pack, read_tree
from gpudoctor.knowledge.lint import lint
from gpudoctor.knowledge.source import PackedTree, RulesSource, TomlTree
from gpudoctor.model.errors import UsageError
from mini_rules import ROOT, SPECS, copy_to

BUILT_IN = RulesSource([TomlTree(ROOT, "rules", trusted=True)])
OWN_CHECK = """
id = "own-check"
cause = "gpu.hot"
severity = "note"
confidence = "low"
status = "experimental"
since = "0.1"
[fails]
fact = "gpu.count"
op = "eq"
value = 3
[finding]
message = "Three GPUs."
"""


def own_folder(folder: Path) -> Path:
    (folder / "own/checks/gpu").mkdir(parents=True)
    (folder / "own/checks/gpu/own-check.toml").write_text(OWN_CHECK, encoding="utf-8")
    return folder / "own"


def test_an_added_folder_may_point_to_built_in_causes(tmp_path: Path) -> None:
    own = own_folder(tmp_path)
    assert lint(own, SPECS, BUILT_IN) == []
    (line,) = lint(own, SPECS)
    assert line.startswith(str(own))
    assert "there is no cause 'gpu.hot'" in line


def test_an_added_folder_may_not_take_a_built_in_id(tmp_path: Path) -> None:
    own = own_folder(tmp_path)
    path = own / "checks/gpu/gpu-hot.toml"
    path.write_text(OWN_CHECK.replace("own-check", "gpu-hot"), encoding="utf-8")
    (line,) = lint(own, SPECS, BUILT_IN)
    assert "'gpu-hot' is already taken by rules/checks/gpu/gpu-hot.toml" in line


@pytest.mark.parametrize("built_in", [BUILT_IN, RulesSource([PackedTree(pack(read_tree(ROOT)), "rules")])])
def test_the_source_of_the_built_in_rules_is_linted_alone(tmp_path: Path, built_in: RulesSource) -> None:
    assert lint(copy_to(tmp_path), SPECS, built_in) == []


def test_facts_are_not_checked_without_declarations(tmp_path: Path) -> None:
    own = own_folder(tmp_path)
    path = own / "checks/gpu/own-check.toml"
    path.write_text(OWN_CHECK.replace("gpu.count", "gpu.cuont"), encoding="utf-8")
    assert lint(own, None, BUILT_IN) == []
    assert any("there is no fact 'gpu.cuont'; did you mean gpu.count" in line for line in lint(own, SPECS, BUILT_IN))
    assert lint(own, lambda: SPECS, BUILT_IN) == lint(own, SPECS, BUILT_IN)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        lint(tmp_path / "nowhere", SPECS)
