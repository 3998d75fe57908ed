"""`gpudoctor rules`: look at the rules that judge, and check rules of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, rules_option
from gpudoctor.cli.output import write_out
from gpudoctor.cli.rules_verify import command as verify_rules
from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules

SECTIONS = ("causes", "checks", "signatures", "exits", "chains", "tables")


@click.group("rules", short_help="List, show, lint and verify the rules.")
def command() -> None:
    """Look at the rules that judge, and check rules of your own."""


@command.command("list")
@click.argument("section", type=click.Choice(SECTIONS), required=False)
@json_option
@rules_option
def list_rules(**given: Any) -> int:
    """List all rules, or those of one SECTION, and for each table its newest source date."""
    catalogue = Catalogue(find_rules(tuple(Path(folder) for folder in given["rules"])), known_specs)
    wanted = [given["section"]] if given["section"] else list(SECTIONS)
    listed = {section: _entries(catalogue, section) for section in wanted}
    if given["as_json"]:
        write_out(json.dumps({"schema_version": "1.0", "rules": listed}, indent=2) + "\n")
        return int(Exit.JUDGED)
    for section, entries in listed.items():
        write_out(f"{section} ({len(entries)})\n")
        width = max((len(entry["id"]) for entry in entries), default=0)
        write_out("".join(f"  {entry['id']:{width}}  {entry['title']}\n" for entry in entries))
    return int(Exit.JUDGED)


@command.command("show")
@click.argument("name", metavar="ID")
@rules_option
def show_rule(**given: Any) -> int:
    """Print the page of one rule; the same as `gpudoctor explain ID`."""
    from gpudoctor.cli.pages import look_up

    write_out(look_up(given["name"], no_color=False, rules=given["rules"]))
    return int(Exit.JUDGED)


@command.command("lint")
@click.argument("folder", metavar="DIR", required=False, type=click.Path(exists=True, file_okay=False))
def lint_rules(**given: Any) -> int:
    """Check the rules in DIR (default: the built-in ones): each problem names the file, the key and what is allowed."""
    from gpudoctor.knowledge.lint import lint

    if given["folder"]:
        problems = lint(Path(given["folder"]), known_specs, find_rules())
    else:
        problems = lint(_built_in_folder(), known_specs)
    for problem in problems:
        write_out(problem + "\n")
    if not problems:
        write_out("No problems found.\n")
    return int(Exit.FINDINGS if problems else Exit.JUDGED)


command.add_command(verify_rules)


def _built_in_folder() -> Path:
    """The folder of the rules that come with gpudoctor."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_rules"
    return inside if inside.is_dir() else package.parent / "rules"


def _entries(catalogue: Catalogue, section: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = []
    if section == "causes":
        entries = [{"id": cause.id, "title": cause.title} for cause in catalogue.causes.values()]
    elif section == "checks":
        entries = [
            {"id": rule.id, "title": f"{rule.severity.value}: {rule.cause}", "status": rule.status}
            for rule in catalogue.rules.values()
        ]
    elif section == "signatures":
        entries = [
            {"id": entry.id, "title": entry.cause or entry.role.value} for entry in catalogue.signatures.values()
        ]
    elif section == "exits":
        entries = [{"id": entry.id, "title": entry.title} for entry in catalogue.exits.values()]
    elif section == "chains":
        entries = [{"id": entry.id, "title": entry.question} for entry in catalogue.chains.values()]
    else:
        for table in catalogue.tables.values():
            newest = max([table.checked, *(row.checked for row in table.rows)])
            title = f"{table.title} ({len(table.rows)} rows, newest source {newest})"
            entries.append({"id": table.id, "title": title, "rows": str(len(table.rows)), "newest_source": newest})
    return entries
