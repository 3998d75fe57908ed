"""Tables are found by their keys, and know what they do not know."""

from __future__ import annotations

import pytest

from gpudoctor.knowledge.tables import NO_CELL, Column, Row, Table, Tables, places_of
from gpudoctor.model.fact import FactType
from gpudoctor.model.rule import Confidence
from mini_rules import catalogue, version

TOOLKITS = catalogue().tables["toolkits"]


@pytest.mark.parametrize("wanted", ["12.4", "12.4.0", version("12.4")])
def test_a_row_by_its_version_however_it_is_written(wanted) -> None:
    row = TOOLKITS.find(cuda=wanted)
    assert row is not None
    assert row["driver"] == version("550.54.14")
    assert row["archs"] == (version("5.0"), version("9.0"))


def test_ten_is_not_one() -> None:
    row = TOOLKITS.find(cuda="12.10")
    assert row is not None
    assert row.note == "not released"
    assert TOOLKITS.find(cuda="12.1") is None


def test_what_is_no_version_is_in_no_row() -> None:
    assert TOOLKITS.find(cuda="newest") is None
    assert TOOLKITS.all(cuda="newest") == ()


def test_a_missing_cell_is_unknown_and_a_missing_column_is_our_bug() -> None:
    row = TOOLKITS.find(cuda="12.10")
    assert row is not None
    assert row["driver"] is NO_CELL
    assert row.known("driver") is None
    assert row.get("driver") is NO_CELL
    with pytest.raises(KeyError, match="no column 'drivers'; there are cuda, archs, driver, size"):
        row["drivers"]
    with pytest.raises(KeyError, match="toolkits has no column 'cude'"):
        TOOLKITS.find(cude="12.4")


def test_a_row_has_its_own_source_or_that_of_the_table() -> None:
    first, second = TOOLKITS.rows
    assert (first.source, first.checked, first.confidence) == ("Release notes", "2026-11-20", Confidence.HIGH)
    assert (second.source, second.checked, second.confidence) == ("A guess", "2026-11-01", Confidence.LOW)


def test_rows_by_other_columns_than_the_keys() -> None:
    assert TOOLKITS.find(size=3) is TOOLKITS.rows[0]
    assert TOOLKITS.find(driver=NO_CELL) is None or TOOLKITS.find(size=4) is None
    assert TOOLKITS.all(size=3) == (TOOLKITS.rows[0],)


def test_several_rows_of_one_key() -> None:
    columns = {name: Column(name, FactType.TEXT, "") for name in ("a", "b")}
    rows = tuple(Row(("x", text), places_of(columns)) for text in "pq")
    table = Table("t", "T", ("a",), columns, rows, unique=False)
    assert table.find(a="x") is rows[0]
    assert table.all(a="x") == rows
    assert Tables.of(table)["t"] is table
    with pytest.raises(KeyError, match="no table 'u'; there are t"):
        Tables.of(table)["u"]
