"""`gpudoctor facts`: every fact with its value or the reason why there is none; and the recorder."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, output_option, python_option, redact_option, timeout_option
from gpudoctor.cli.output import output_stream
from gpudoctor.cli.progress import progress_line
from gpudoctor.diagnose import CheckSettings, RedactorOf, record_machine, see
from gpudoctor.model.fact import Facts, FactSpec

if TYPE_CHECKING:
    from gpudoctor.report.redact import Redactor


@click.command("facts", short_help="Show every fact that was read.")
@click.argument("pattern", default="*")
@json_option
@output_option
@python_option
@timeout_option
@click.option("--from", "source", metavar="DIR", help="Show the facts of a recorded machine.")
@click.option(
    "--record", metavar="DIR", help="Record this machine into DIR, so that `check --from DIR` judges it elsewhere."
)
@redact_option
def command(**given: Any) -> int:
    """Show the facts whose key fits PATTERN (`gpu.*`); nothing is judged.

    With --record, what was read is kept in a folder instead, with names and secrets taken out.
    """
    settings = CheckSettings(
        python=given["python"],
        # A recording must answer what `check` asks of it elsewhere.
        probes="quick" if given["record"] else "none",
        timeout=given["timeout"] or 60.0,
        source=given["source"] or "",
    )
    with progress_line(quiet=given["as_json"]) as progress:
        if given["record"]:
            record_machine(settings, Path(given["record"]), _redactor(given["redact"] is not False), progress)
            folder = given["record"]
            sys.stderr.write(
                f"gpudoctor: this machine is recorded in {folder}; judge it with `check --from {folder}`.\n"
            )
            return int(Exit.JUDGED)
        facts, specs = see(settings, progress)
    chosen = Facts(fact for fact in facts.items_sorted() if fnmatch.fnmatchcase(fact.key, given["pattern"]))
    if given["redact"] if given["redact"] is not None else given["as_json"]:
        from gpudoctor.report.mapping import map_facts

        chosen = map_facts(chosen, redactor_of(facts, specs).redact)
    with output_stream(given["output"]) as out:
        if given["as_json"]:
            from gpudoctor.report.json_v1 import facts_v1

            out.write(json.dumps({"schema_version": "1.0", "facts": facts_v1(chosen)}, indent=2) + "\n")
        else:
            from gpudoctor.report.plain import visible
            from gpudoctor.report.summary import fact_text

            for fact in chosen.items_sorted():
                unit = specs[fact.key].unit if fact.key in specs else ""
                out.write(f"{fact.key} = {visible(fact_text(fact.value, unit))}\n")
    return int(Exit.JUDGED)


def redactor_of(facts: Facts, specs: Mapping[str, FactSpec]) -> Redactor:
    """A redactor that has learnt every name that the facts give away."""
    from gpudoctor.report.mapping import map_facts
    from gpudoctor.report.redact import Redactor

    redactor = Redactor(specs)

    def learn(text: str, key: str) -> str:
        redactor.learn(text, key)
        return text

    map_facts(facts, learn)
    return redactor


def _redactor(wanted: bool) -> RedactorOf:
    return (lambda facts, specs: redactor_of(facts, specs).redact) if wanted else (lambda _facts, _specs: str)
