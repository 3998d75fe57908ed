"""Reads `rules/tables/<name>.toml`."""

from __future__ import annotations

import re

from gpudoctor.knowledge.fields import Fields, Plain, suggestion
from gpudoctor.knowledge.known import NAME_ID, Known, read_id
from gpudoctor.knowledge.read_condition import typed
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.knowledge.tables import Column, Row, Table, places_of
from gpudoctor.model.fact import FactType, Value
from gpudoctor.model.rule import Confidence

_ABOUT_ROW = ("source", "checked", "confidence", "note")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")
_TYPES = tuple(item.value for item in FactType)
_CONFIDENCES = tuple(item.value for item in Confidence)


def read_table(file: RuleFile, known: Known, problems: list[str]) -> Table:
    """One table; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    table_id = read_id(fields, file.id, NAME_ID, known)
    title = fields.text("title")
    keys = fields.texts("keys", needed=True)
    source, checked = fields.text("source"), fields.date("checked")
    unique = fields.flag("unique", default=True)
    fields.text("note", needed=False)
    columns = _columns(fields, keys)
    for key in keys:
        fields.known("keys", key, columns, "column")
    rows = tuple(_row(entry, columns, source, checked) for entry in fields.tables("row"))
    _check_keys(fields, keys, rows, unique)
    fields.finish()
    return Table(table_id, title, keys, columns, rows, source, checked, unique)


def _columns(fields: Fields, keys: tuple[str, ...]) -> dict[str, Column]:
    block = fields.table("columns")
    columns: dict[str, Column] = {}
    if block is None:
        return columns
    first = [key for key in keys if key in block.data]
    for name in (*first, *sorted(set(block.data) - set(first))):  # the same order in the packed form
        entry = block.table(name)
        if entry is None:
            continue
        if _COLUMN.fullmatch(name) is None or name in _ABOUT_ROW:
            reserved = "is a word that every row has" if name in _ABOUT_ROW else "is not written like a column name"
            block.complain(name, f"{name!r} {reserved}; choose another name of small letters")
        columns[name] = Column(
            name, FactType(entry.choice("type", _TYPES)), entry.text("meaning"), entry.text("unit", needed=False)
        )
        entry.finish()
    return columns


def _row(entry: Fields, columns: dict[str, Column], source: str, checked: str) -> Row:
    cells: dict[str, Value] = {}
    for name, raw in entry.data.items():
        if name in _ABOUT_ROW:
            continue
        if name not in columns:
            entry.complain(name, f"there is no column of this name{suggestion(name, (*columns, *_ABOUT_ROW))}")
            continue
        cell = _cell(entry, name, raw, columns[name].type)
        if cell is not None:
            cells[name] = cell
    return Row(
        tuple(map(cells.get, columns)),
        places_of(columns),
        source=entry.text("source", needed=False) or source,
        checked=entry.date("checked", needed=False) or checked,
        confidence=Confidence(entry.choice("confidence", _CONFIDENCES, default="high")),
        note=entry.text("note", needed=False),
    )


def _cell(entry: Fields, name: str, raw: Plain, column_type: FactType) -> Value | None:
    try:
        if not column_type.is_list:
            return typed(raw, column_type)
        if not isinstance(raw, list):
            raise ValueError(f"a list is needed, as the column is of type {column_type.value}")
        return tuple(typed(item, column_type.element) for item in raw)
    except ValueError as error:
        entry.complain(name, str(error))
        return None


def _check_keys(fields: Fields, keys: tuple[str, ...], rows: tuple[Row, ...], unique: bool) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows, start=1):
        if any(key not in row or row.known(key) is None for key in keys):
            fields.complain(f"row[{number}]", f"a row needs all of its keys: {', '.join(keys)}")
            continue
        place = seen.setdefault(tuple(row[key] for key in keys), number)
        if unique and place != number:
            shown = ", ".join(f"{key} = {row[key]}" for key in keys)
            fields.complain(f"row[{number}]", f"{shown} stands already in row {place}; keys must be unique")
