"""`gpudoctor rules verify`: hold the tables against what the packages say of themselves. For maintainers; it uses the
network, and only because it was asked to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, output_option, python_option
from gpudoctor.cli.output import output_stream, write_file
from gpudoctor.cli.progress import progress_line
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.upstream.compare import PACKAGES

if TYPE_CHECKING:
    from gpudoctor.upstream.verify import Verified

WAYS = ("auto", "index", "uv")
WHOLE_RUN_SECONDS = 3600.0


@click.command("verify")
@click.option("--index-url", metavar="URL", default="", help="The index to read (default: the package client's).")
@click.option("--via", "way", type=click.Choice(WAYS), default="auto", show_default=True, help="How to read it.")
@click.option("--package", "packages", multiple=True, type=click.Choice(PACKAGES), help="Only this one (repeatable).")
@click.option("--newest", metavar="N", type=click.IntRange(min=0), default=0, help="Only the newest N rows of each.")
@click.option("--from", "source", metavar="FILE", default="", help="Compare with metadata that was kept.")
@click.option("--known", metavar="FILE", default="", help="Kept metadata: read anew only what it lacks, and the lists.")
@click.option("--save", metavar="FILE", help="Keep the metadata that was read, condensed.")
@python_option
@json_option
@output_option
def command(**given: Any) -> int:
    """Compare the tables with the metadata of the packages, and with the installed torch's own tables.

    Only metadata is read, one look-up after the other; no wheel is downloaded. Exit code 1: something disagrees.
    """
    from gpudoctor.host.local import LocalHost
    from gpudoctor.upstream.verify import VerifySettings, verify

    names = ("index_url", "way", "packages", "newest", "source", "known", "python")
    settings = VerifySettings(**{name: given[name] for name in names})
    tables = Catalogue(find_rules()).tables
    with progress_line(quiet=given["as_json"]) as progress, LocalHost(WHOLE_RUN_SECONDS) as host:
        progress("reading metadata")
        found = verify(settings, host, tables)
    if given["save"]:
        write_file(given["save"], json.dumps(found.metadata.as_data(), indent=1) + "\n")
    with output_stream(given["output"]) as out:
        out.write(json.dumps(_document(found), indent=2) + "\n" if given["as_json"] else _text(found))
    return int(Exit.FINDINGS if found.comparison.disagreements else Exit.JUDGED)


def _document(found: Verified) -> dict[str, Any]:
    comparison = found.comparison
    return {
        "schema_version": "1.0",
        "compared": {"releases": comparison.releases, "values": comparison.compared},
        "lookups": found.metadata.lookups,
        "torch": found.torch_version or None,
        "disagreements": [
            {
                "package": item.package,
                "version": item.version,
                "what": item.what,
                "table": item.table,
                "upstream": item.upstream,
            }
            for item in comparison.disagreements
        ],
        "missing": [{"package": package, "version": version} for package, version in comparison.missing],
        "not_read": list(found.metadata.troubles),
    }


def _text(found: Verified) -> str:
    comparison = found.comparison
    lines = [str(item) for item in comparison.disagreements]
    missing: dict[str, list[str]] = {}
    for package, version in comparison.missing:
        missing.setdefault(package, []).append(version)
    lines += [f"{package}: the tables lack {', '.join(versions)}" for package, versions in missing.items()]
    lines += [f"not read: {trouble}" for trouble in found.metadata.troubles]
    own = f", and the tables of the installed torch {found.torch_version}" if found.torch_version else ""
    count = len(comparison.disagreements)
    lines.append(
        f"{comparison.compared} values of {comparison.releases} releases{own} compared in "
        f"{found.metadata.lookups} look-ups: {count or 'no'} disagreement{'s' if count != 1 else ''}."
    )
    return "\n".join(lines) + "\n"
