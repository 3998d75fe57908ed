"""Compatibility tables: typed rows with their source and date, found by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gpudoctor.model.fact import FactType, Reason, Unknown, Value
from gpudoctor.model.record import record
from gpudoctor.model.rule import Confidence
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Made = TypeVar("Made")

NO_CELL = Unknown(Reason.NO_DATA, "the table does not say")


@record
class Column:
    """The declaration of one column."""

    name: str
    type: FactType
    meaning: str
    unit: str = ""


class Row(Mapping[str, "Value | Unknown"]):
    """One row: column to value. A cell that was left out reads as Unknown(no_data)."""

    __slots__ = ("_cells", "_places", "checked", "confidence", "note", "source")

    def __init__(
        self,
        cells: tuple[Value | None, ...],
        places: Mapping[str, int],
        source: str = "",
        checked: str = "",
        confidence: Confidence = Confidence.HIGH,
        note: str = "",
    ) -> None:
        """`cells` holds a value or None for each column, `places` which is whose: the same mapping for all rows."""
        self._cells = cells
        self._places = places
        self.source = source
        self.checked = checked
        self.confidence = confidence
        self.note = note

    def __getitem__(self, column: str) -> Value | Unknown:
        try:
            value = self._cells[self._places[column]]
        except KeyError:
            raise KeyError(f"no column {column!r}; there are {', '.join(self._places)}") from None
        return NO_CELL if value is None else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def packed(self) -> tuple[object, ...]:
        """The row as plain values, without what all rows of a table share."""
        return (self._cells, self.source, self.checked, self.confidence, self.note)

    def known(self, column: str) -> Value | None:
        """The value, or None where the table does not say."""
        value = self[column]
        return None if isinstance(value, Unknown) else value

    def __repr__(self) -> str:
        return f"Row({dict(zip(self._places, self._cells))!r})"


def places_of(columns: Iterable[str]) -> dict[str, int]:
    """Where each column's value stands in the rows of a table."""
    return {name: place for place, name in enumerate(columns)}


class Table:
    """One table. `keys` are the columns that name a row; `unique` tells whether they name only one."""

    def __init__(
        self,
        table_id: str,
        title: str,
        keys: tuple[str, ...],
        columns: Mapping[str, Column],
        rows: tuple[Row, ...],
        source: str = "",
        checked: str = "",
        unique: bool = True,
    ) -> None:
        self.id = table_id
        self.title = title
        self.keys = keys
        self.columns = columns
        self.source = source
        self.checked = checked
        self.unique = unique
        self._index: dict[tuple[object, ...], Row] = {}
        self._rows = rows
        self._packed: tuple[tuple[Any, ...], ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, in file order."""
        if self._packed:
            places = places_of(self.columns)
            self._rows = tuple(Row(cells, places, *about) for cells, *about in self._packed)
            self._packed = ()
        return self._rows

    def __getstate__(self) -> dict[str, object]:
        # Hundreds of rows are read three times as fast as plain tuples.
        return {**vars(self), "_rows": (), "_index": {}, "_packed": tuple(row.packed() for row in self.rows)}

    def find(self, **wanted: Value) -> Row | None:
        """The first row whose cells equal all that is wanted, or None. Text will do for a version column; a text
        that is no version is in no row."""
        try:
            typed = {name: self._typed(name, value) for name, value in wanted.items()}
        except ValueError:
            return None
        if tuple(sorted(typed)) == tuple(sorted(self.keys)):
            return self._by_keys().get(tuple(typed[key] for key in self.keys))
        return next((row for row in self.rows if all(row[name] == value for name, value in typed.items())), None)

    def all(self, **wanted: Value) -> tuple[Row, ...]:
        """Every row whose cells equal all that is wanted, in file order."""
        try:
            typed = {name: self._typed(name, value) for name, value in wanted.items()}
        except ValueError:
            return ()
        return tuple(row for row in self.rows if all(row[name] == value for name, value in typed.items()))

    def _by_keys(self) -> dict[tuple[object, ...], Row]:
        if not self._index:
            for row in self.rows:
                self._index.setdefault(tuple(row[key] for key in self.keys), row)
        return self._index

    def _typed(self, name: str, value: Value) -> Value:
        if name not in self.columns:
            raise KeyError(f"table {self.id} has no column {name!r}; there are {', '.join(self.columns)}")
        if self.columns[name].type is FactType.VERSION and isinstance(value, str):
            return Version.parse(value)
        return value


class Tables(Mapping[str, Table]):
    """The tables by name, each read when it is first asked for."""

    def __init__(self, names: frozenset[str], read: Callable[[str], Table]) -> None:
        self._names = tuple(sorted(names))
        self._reader = read
        self._read: dict[str, Table] = {}
        self._made: dict[Callable[[Tables], object], object] = {}

    @classmethod
    def of(cls, *tables: Table) -> Tables:
        """Tables that are already there."""
        by_name = {table.id: table for table in tables}
        return cls(frozenset(by_name), by_name.__getitem__)

    def __getitem__(self, name: str) -> Table:
        if name not in self._names:
            raise KeyError(f"no table {name!r}; there are {', '.join(self._names)}")
        if name not in self._read:
            self._read[name] = self._reader(name)
        return self._read[name]

    def once(self, make: Callable[[Tables], Made]) -> Made:
        """What a function makes of the tables, made when it is first asked for: rows sorted or found in other ways."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]  # type: ignore[return-value]  # each function is held with what it made itself

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
