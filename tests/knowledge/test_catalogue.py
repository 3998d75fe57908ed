"""The catalogue reads what is asked for, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import RulesSource, TomlTree
from gpudoctor.model.errors import RulesError, UsageError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.rule import Operator, Question
from gpudoctor.model.version import Version
from mini_rules import ROOT, SPECS, bend, catalogue, copy_to


class Watched(TomlTree):
    def __init__(self) -> None:
        super().__init__(ROOT, "rules")
        self.seen: list[str] = []

    def read(self, path: str):
        self.seen.append(path)
        return super().read(path)


def test_one_cause_costs_one_file() -> None:
    tree = Watched()
    assert Catalogue(RulesSource([tree])).cause("driver.too_old.by_far").family == "driver"
    assert set(tree.seen) == {"causes/driver/too_old.by_far.toml", "retired.toml"}


def test_an_exit_costs_no_table_and_no_facts() -> None:
    tree = Watched()

    def specs():
        raise AssertionError("the declarations of facts are not needed for an exit")

    meaning = Catalogue(RulesSource([tree]), specs).exit_for(ExitStatus.parse("137"))
    assert meaning is not None
    assert {path.split("/")[0] for path in tree.seen} == {"exits", "retired.toml"}


def test_one_folder_of_signatures_costs_only_that() -> None:
    tree = Watched()
    found = Catalogue(RulesSource([tree])).signatures_of("driver")
    assert [signature.id for signature in found] == ["nvml-mismatch"]
    assert Catalogue(RulesSource([tree])).signatures_of("nccl") == ()


def test_entries_are_read_into_their_types() -> None:
    rules = catalogue()
    rule = rules.rules["driver-too-old"]
    assert rule.fails == Question("driver.version", Operator.LT, None, "cuda.min_driver")
    assert rule.area == "driver"
    assert rule.references[0].accessed == "2026-11-19"
    assert rules.causes["driver.too_old"].explains == ("torch.no_cuda",)
    signature = rules.signatures["nvml-mismatch"]
    assert signature.where == Question("driver.version", Operator.LT, Version.parse("535"))
    assert signature.also[0].ignore_case
    assert signature.within_lines == 5
    assert rules.exits["killed"].candidates[0].command == "nvidia-smi"
    assert rules.chains["cuda"].links == ("gpu-hot", "driver-too-old", "cuda-not-available")


def test_sections_are_sorted_by_id() -> None:
    rules = catalogue()
    for section in (rules.causes, rules.rules, rules.exits):
        assert list(section) == sorted(section)


def test_info_tells_count_and_newest_date() -> None:
    info = catalogue().info()
    assert info.newest_source == "2026-11-21"
    assert info.count == 16
    assert len(info.digest) == 64


def test_an_unknown_cause_suggests_a_known_one() -> None:
    with pytest.raises(UsageError, match=r"no cause 'driver\.to_old'; did you mean driver\.too_old"):
        catalogue().cause("driver.to_old")
    assert catalogue().has_cause("driver.too_old")
    assert not catalogue().has_cause("driver.to_old")


def test_all_complaints_of_a_section_come_together(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "checks/gpu/gpu-hot.toml", 'severity = "warning"', 'severity = "bad"')
    bend(root, "checks/gpu/gpu-idle.toml", 'severity = "note"', 'severity = "bad"')
    with pytest.raises(RulesError) as caught:
        _ = catalogue(root).rules
    assert len(caught.value.problems) == 2


def test_a_broken_table_is_complained_about_when_it_is_used(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "tables/toolkits.toml", "size = 3", 'size = "3"')
    tables = catalogue(root).tables
    assert list(tables) == ["toolkits"]
    with pytest.raises(RulesError, match=r"row\[1\]\.size"):
        _ = tables["toolkits"]


def test_two_folders_are_one_catalogue(tmp_path: Path) -> None:
    (tmp_path / "causes/own").mkdir(parents=True)
    (tmp_path / "causes/own/thing.toml").write_text(
        'id = "own.thing"\ntitle = "T"\nmeaning = "M"\nexplains = ["torch.no_cuda"]\n'
        '[[remedy]]\nwho = "host"\ntext = "Do."\n',
        encoding="utf-8",
    )
    both = Catalogue(RulesSource([TomlTree(ROOT, "rules"), TomlTree(tmp_path, "own")]), SPECS)
    assert "own.thing" in both.causes
    assert "gpu.hot" in both.causes
    assert both.info().digest != catalogue().info().digest


def test_importing_the_catalogue_stays_light() -> None:
    code = (
        "import sys; import gpudoctor.knowledge.catalogue; "
        "heavy = {'tomllib', 'difflib', 'hashlib', 'packaging', 'gpudoctor.model.rule', 'gpudoctor.model.diagnosis', "
        "'gpudoctor.knowledge.read_check', 'gpudoctor.knowledge.evaluate'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
