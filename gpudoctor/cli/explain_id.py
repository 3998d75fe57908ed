"""`gpudoctor explain ID`: the page of one thing that gpudoctor knows, looked up by name."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import color_option, rules_option
from gpudoctor.cli.output import colour_wanted, columns, write_out
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.cause import Cause
from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.fact import Unknown
from gpudoctor.report.explain_text import cause_page, check_page, exit_page, table_page


@dataclass(frozen=True)
class NumberedTable:
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


@click.command("explain", short_help="Look up a cause, a check, an exit code, an Xid or a CUDA error.")
@click.argument("name", metavar="ID")
@rules_option
@color_option
def command(**given: Any) -> int:
    """Print the page of one thing by its name.

    ID is a cause (memory.shm_too_small), a check (cpu-only-build), an exit code or signal (139, SIGBUS),
    or a numbered error (xid-79, cuda-804, nvml-18).
    """
    catalogue = Catalogue(find_rules(tuple(Path(folder) for folder in given["rules"])))
    style = {
        "width": min(columns(sys.stdout), 100),
        "color": colour_wanted(sys.stdout, given["no_color"]),
        "encoding": getattr(sys.stdout, "encoding", None) or "utf-8",
    }
    write_out(page(catalogue, given["name"].strip(), style))
    return int(Exit.JUDGED)


def page(catalogue: Catalogue, name: str, style: dict[str, Any]) -> str:
    """The text for one name; UsageError, with the nearest names, when nothing is called so."""
    numbered = re.fullmatch(r"(xid|cuda|nvml)[-_ :]?(\d{1,5})", name, re.IGNORECASE)
    if numbered:
        return _numbered_page(catalogue, NUMBERED[numbered[1].lower()], int(numbered[2]), style)
    if catalogue.has_cause(name):
        return cause_page(catalogue.cause(name), **style)
    if name in catalogue.source.ids("checks"):
        rule = catalogue.rules[name]
        return check_page(rule, _cause(catalogue, rule.cause), **style)
    try:
        status = ExitStatus.parse(name)
    except UsageError:
        raise UsageError(_not_known(catalogue, name)) from None
    meaning = catalogue.exit_for(status)
    if meaning is None:
        raise UsageError(f"nothing is known about the exit {name!r}")
    causes = {item.cause: catalogue.cause(item.cause) for item in meaning.candidates if catalogue.has_cause(item.cause)}
    return exit_page(meaning, causes, **style)


def _numbered_page(catalogue: Catalogue, kind: NumberedTable, number: int, style: dict[str, Any]) -> str:
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
    return table_page(title, fields, cause, row.source, row.checked, **style)


def _cause(catalogue: Catalogue, cause_id: str) -> Cause | None:
    return catalogue.cause(cause_id) if cause_id and catalogue.has_cause(cause_id) else None


def _not_known(catalogue: Catalogue, name: str) -> str:
    import difflib

    names = sorted({*catalogue.source.ids("causes"), *catalogue.source.ids("checks")})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [n for n in names if name and name in n][:3]
    hint = f" Did you mean {', '.join(near)}?" if near else " `gpudoctor rules list` shows all names."
    return f"Nothing is called {name[:60]!r}.{hint}"
