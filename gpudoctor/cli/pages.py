"""The pages of single things that gpudoctor knows, found by name. Click is not needed for them, and not loaded."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpudoctor.cli.output import colour_wanted, columns
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.cause import Cause
from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.fact import Unknown
from gpudoctor.report.explain_text import cause_page, check_page, exit_page, table_page

if TYPE_CHECKING:
    from pathlib import Path

WIDEST = 100


class NumberedTable(NamedTuple):
    """A table whose rows people ask for by number: `xid-79`, `cuda-804`, `nvml-18`."""

    table: str
    key: str
    title: str
    name_columns: tuple[str, ...]


NUMBERED = {
    "xid": NumberedTable("xid", "xid", "Xid", ("mnemonic",)),
    "cuda": NumberedTable("cuda_errors", "code", "CUDA error", ("runtime_name", "driver_name")),
    "nvml": NumberedTable("nvml_errors", "code", "NVML error", ("name",)),
}
SKIPPED_COLUMNS = {"cause", "cause_class"}


def style(no_color: bool) -> dict[str, Any]:
    """Width, colour and encoding for standard output as it is."""
    return {
        "width": min(columns(sys.stdout), WIDEST),
        "color": colour_wanted(sys.stdout, no_color),
        "encoding": getattr(sys.stdout, "encoding", None) or "utf-8",
    }


def look_up(name: str, no_color: bool, rules: Sequence[str] = ()) -> str:
    """The page for one name, as standard output can show it."""
    return page(Catalogue(find_rules(_folders(rules))), name.strip(), style(no_color))


def _folders(rules: Sequence[str]) -> tuple[Path, ...]:
    if not rules:
        return ()  # the usual case, which need not load pathlib
    import pathlib

    return tuple(pathlib.Path(folder) for folder in rules)


def page(catalogue: Catalogue, name: str, how: dict[str, Any]) -> str:
    """The text for one name; UsageError, with the nearest names, when nothing is called so."""
    numbered = re.fullmatch(r"(xid|cuda|nvml)[-_ :]?(\d{1,5})", name, re.IGNORECASE)
    if numbered:
        return _numbered_page(catalogue, NUMBERED[numbered[1].lower()], int(numbered[2]), how)
    if catalogue.has_cause(name):
        return cause_page(catalogue.cause(name), **how)
    if name in catalogue.source.ids("checks"):
        rule = catalogue.rule(name)
        return check_page(rule, _cause(catalogue, rule.cause), **how)
    try:
        status = ExitStatus.parse(name)
    except UsageError:
        raise UsageError(_not_known(catalogue, name)) from None
    meaning = catalogue.exit_for(status)
    if meaning is None:
        raise UsageError(f"nothing is known about the exit {name!r}")
    causes = {item.cause: catalogue.cause(item.cause) for item in meaning.candidates if catalogue.has_cause(item.cause)}
    return exit_page(meaning, causes, **how)


def _numbered_page(catalogue: Catalogue, kind: NumberedTable, number: int, how: dict[str, Any]) -> str:
    table = catalogue.tables[kind.table]
    row = table.find(**{kind.key: number})
    if row is None:
        known = sorted(int(str(entry[kind.key])) for entry in table.rows)
        raise UsageError(f"There is no {kind.title} {number} in the table; it goes from {known[0]} to {known[-1]}.")
    names = [str(row[column]) for column in kind.name_columns if not isinstance(row[column], Unknown)]
    title = f"{kind.title} {number}" + (f": {' / '.join(dict.fromkeys(names))}" if names else "")
    fields = []
    for name, column in table.columns.items():
        value = row[name]
        if name in (kind.key, *kind.name_columns) or name in SKIPPED_COLUMNS or isinstance(value, Unknown):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        fields.append((column.meaning or name, shown))
    if row.note:
        fields.append(("note", row.note))
    pointed = row["cause"] if "cause" in table.columns else ""
    cause = _cause(catalogue, "" if isinstance(pointed, Unknown) else str(pointed))
    return table_page(title, fields, cause, row.source, row.checked, **how)


def _cause(catalogue: Catalogue, cause_id: str) -> Cause | None:
    return catalogue.cause(cause_id) if cause_id and catalogue.has_cause(cause_id) else None


def _not_known(catalogue: Catalogue, name: str) -> str:
    import difflib

    names = sorted({*catalogue.source.ids("causes"), *catalogue.source.ids("checks")})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [n for n in names if name and name in n][:3]
    hint = f" Did you mean {', '.join(near)}?" if near else " `gpudoctor rules list` shows all names."
    return f"Nothing is called {name[:60]!r}.{hint}"
