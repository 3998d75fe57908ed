"""`gpudoctor diff A B`: two machines side by side, the likeliest reason for different behaviour first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.check import of_document
from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, output_option, python_option, redact_option, rules_option, timeout_option
from gpudoctor.cli.output import for_readers, output_stream
from gpudoctor.cli.progress import progress_line
from gpudoctor.compare import LIKELY, POSSIBLE, compare
from gpudoctor.diagnose import CheckSettings, Progress, diagnose
from gpudoctor.judging import Result
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.errors import UsageError

HERE = "."
THIS_MACHINE = "this machine"


@click.command("diff", short_help="Compare two machines, reports or dumps.")
@click.argument("left", metavar="A")
@click.argument("right", metavar="[B]", default=HERE)
@json_option
@output_option
@python_option
@timeout_option
@rules_option
@click.option("--verbose", "-v", is_flag=True, help="Show every difference.")
@redact_option
def command(**given: Any) -> int:
    """Show what differs between A and B and can matter: the likeliest reason for different behaviour first.

    Each of them is a JSON report, a pasted dump, the folder of a recorded machine, - for standard input, or . for this
    machine, which is also meant where B is left out.

    Exit code 0: nothing differs that is likely to matter. 1: something does. 4: one of them could not be examined.
    """
    sides = (given["left"], given["right"])
    if sides[0] == sides[1]:
        raise UsageError(f"Both sides are {sides[0]!r}; give two different ones.")
    with progress_line(quiet=given["as_json"]) as progress:
        results = [_examined(side, given, progress) for side in sides]
    tables = Catalogue(find_rules(tuple(Path(folder) for folder in given["rules"]))).tables
    specs = {**results[0].specs, **results[1].specs}
    diagnoses = [for_readers(one.diagnosis, specs, given["redact"], shared=given["as_json"]) for one in results]
    names = [THIS_MACHINE if side == HERE else "standard input" if side == "-" else Path(side).name for side in sides]
    comparison = compare(names[0], diagnoses[0], names[1], diagnoses[1], tables)
    with output_stream(given["output"]) as out:
        if given["as_json"]:
            from gpudoctor.report.diff_json import comparison_text

            out.write(comparison_text(comparison))
        else:
            from gpudoctor.report.diff_text import render

            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            out.write(render(comparison, specs, LIKELY, POSSIBLE, given["verbose"], encoding))
    matters = comparison.telling(LIKELY) or comparison.only_left or comparison.only_right
    return int(Exit.FINDINGS if matters else Exit.JUDGED)


def _examined(side: str, given: dict[str, Any], progress: Progress) -> Result:
    settings = CheckSettings(
        python=given["python"] if side == HERE else "",
        timeout=given["timeout"] or 60.0,
        rules=tuple(Path(folder) for folder in given["rules"]),
        source="" if side == HERE else side,
    )
    if side == HERE or Path(side).is_dir():
        return diagnose(settings, progress)
    return of_document(settings, progress)
