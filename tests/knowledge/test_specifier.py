"""Version demands, compared with what the packaging library answers."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from gpudoctor.knowledge.specifier import satisfies
from gpudoctor.model.version import Version

DEMANDS = ["==2.9.1", "==2.9.*", "!=2.9.*", ">=2.0,<3", "~=2.9.0", "~=2.9", "<=2.9.1", ">2.9", "!=3.14.1", ">=2.14.0"]
VERSIONS = ["1.13.1", "2.0", "2.8.0", "2.9.0", "2.9.1", "2.9.2", "2.10.0", "2.14.0", "3.0", "3.14.1"]


@pytest.mark.parametrize("demand", DEMANDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_agrees_with_packaging(version: str, demand: str) -> None:
    assert satisfies(Version.parse(version), demand) is SpecifierSet(demand).contains(version)


@pytest.mark.parametrize("demand", ["nonsense", "==", "==x.y", "2.9.1", "=>2"])
def test_a_demand_that_cannot_be_read_is_neither_met_nor_not(demand: str) -> None:
    assert satisfies(Version.parse("2.9.1"), demand) is None


def test_a_build_label_does_not_count() -> None:
    assert satisfies(Version.parse("2.9.1+cu128"), "==2.9.1") is True
