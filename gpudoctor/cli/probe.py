"""`gpudoctor probe`: prove by doing, and nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import (
    DEFAULT_SECONDS,
    json_option,
    output_option,
    python_option,
    redact_option,
    rules_option,
    timeout_option,
)
from gpudoctor.cli.output import columns, for_readers, output_stream
from gpudoctor.cli.progress import progress_line
from gpudoctor.diagnose import CheckSettings, prove
from gpudoctor.judging import Result
from gpudoctor.model.errors import UsageError
from gpudoctor.model.fact import Unknown
from gpudoctor.model.finding import Kind
from gpudoctor.model.record import replace
from gpudoctor.model.rule import Severity
from gpudoctor.probe.spec import ProbeSpec, all_probes, chosen

DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?")
FACTS = "probe."
WIDEST = 120


@click.command("probe", short_help="Prove by doing.")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--probes", type=click.Choice(["quick", "full"]), default="quick", help="Which ones where none is named.")
@click.option("--device", default="", metavar="cuda:N|cpu", help="Where to run them (default: the first GPU, or CPU).")
@click.option("--list", "listed", is_flag=True, help="Say which probes there are, and run none.")
@json_option
@output_option
@python_option
@timeout_option
@rules_option
@redact_option
def command(**given: Any) -> int:
    """Run probes, each in a child that may crash or hang without harm: all quick ones, or those that are named.

    Exit code 0: none failed. 1: one did. 4: none could be run.
    """
    with output_stream(given["output"]) as out:
        if given["listed"]:
            for one in all_probes():
                out.write(f"{one.name:16} {one.level:6} {one.title}\n")
            return int(Exit.JUDGED)
        if given["device"] and not DEVICE.fullmatch(given["device"]):
            raise UsageError(f"--device takes cpu, cuda or cuda:N, not {given['device']!r}.")
        probes = chosen(given["probes"], given["names"])
        level = "full" if any(one.level == "full" for one in probes) else "quick"
        settings = CheckSettings(
            python=given["python"],
            probes=given["probes"],
            timeout=given["timeout"] or DEFAULT_SECONDS[level],
            rules=tuple(Path(folder) for folder in given["rules"]),
        )
        with progress_line(quiet=given["as_json"]):
            result = only_probes(prove(settings, given["names"], given["device"]))
        code = exit_code(result, probes)
        write(result, probes, code, given, out)
    return int(code)


def only_probes(result: Result) -> Result:
    """The result with the findings on probes alone: of the rest too little was examined to be judged."""
    findings = tuple(
        one for one in result.diagnosis.findings if any(item.source.startswith(FACTS) for item in one.evidence)
    )
    diagnosis = replace(result.diagnosis, findings=findings, chains=(), primary="")
    return replace(result, diagnosis=diagnosis)


def exit_code(result: Result, probes: Sequence[ProbeSpec]) -> Exit:
    """NOT_EXAMINED when no probe came to an end; FINDINGS when one failed or a check on them says error."""
    facts = result.diagnosis.facts
    outcomes = [facts[f"probe.{one.name}.outcome"] for one in probes]
    if all(isinstance(one, Unknown) for one in outcomes):
        return Exit.NOT_EXAMINED
    failed = any(one in ("wrong_result", "failed", "crashed", "timed_out") for one in outcomes)
    judged = any(one.kind is Kind.FAIL and one.severity is Severity.ERROR for one in result.diagnosis.findings)
    return Exit.FINDINGS if failed or judged else Exit.JUDGED


def write(result: Result, probes: Sequence[ProbeSpec], code: Exit, given: dict[str, Any], out: TextIO) -> None:
    """The JSON report, or a few lines for each probe and each finding."""
    diagnosis = for_readers(result.diagnosis, result.specs, given["redact"], shared=given["as_json"])
    if given["as_json"]:
        from gpudoctor.report.json_v1 import diagnosis_text

        out.write(diagnosis_text(diagnosis, int(code)))
        return
    from gpudoctor.report.probes import finding_lines, lines_of

    to_terminal = sys.stdout if given["output"] in (None, "-") else None
    width = min(columns(to_terminal), WIDEST)
    for one in probes:
        for line in lines_of(one.name, one.title, diagnosis.facts, result.specs):
            out.write(line + "\n")
    for finding in diagnosis.findings:
        if finding.kind is Kind.FAIL:
            out.write("\n" + "\n".join(finding_lines(finding, width)) + "\n")
