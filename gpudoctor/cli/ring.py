"""`gpudoctor ring`: the ring of torch.distributed across machines, run under whatever launcher starts the job."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from gpudoctor.across import RingResult, RingSettings, run_ring
from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import json_option, output_option, python_option, redact_option, rules_option
from gpudoctor.cli.output import columns, for_readers, output_stream
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from gpudoctor.probe.launch import Given

# A launcher that sees one rank leave with an error ends all others at once; rank 0 needs this long to print.
LET_RANK_0_SPEAK_S = 2.0
WIDEST = 120


@click.command("ring", short_help="Run the ring of a job across machines.")
@click.option("--rank", type=click.IntRange(0), help="The rank of this process (default: the launcher's).")
@click.option("--world-size", type=click.IntRange(2), help="How many ranks there are (default: the launcher's).")
@click.option("--local-rank", type=click.IntRange(0), help="Which GPU of this node to use (default: the launcher's).")
@click.option("--master-addr", metavar="ADDRESS", default="", help="Where rank 0 is (default: MASTER_ADDR).")
@click.option("--master-port", type=click.IntRange(1, 65_535), help="Its port (default: MASTER_PORT, or 29500).")
@click.option(
    "--join-timeout",
    type=click.FloatRange(1, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the ranks wait for one another.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(5, 86_400),
    default=180.0,
    show_default=True,
    metavar="SECONDS",
    help="Limit of the whole run.",
)
@python_option
@json_option
@output_option
@rules_option
@click.option("--verbose", "-v", is_flag=True, help="Show who reaches whom also where all is well.")
@redact_option
def command(**given: Any) -> int:
    """Run one ring over all ranks of a job: torchrun, srun and mpirun start it, or you on every node.

    Before the ring, every host connects to every other one within seconds, because a dropped port would hang for
    minutes. Rank 0 prints the answer; another rank prints only what kept it from rank 0.

    Exit code 0: the ring passed. 1: it did not. 4: no ring could be run.
    """
    asked = Given(
        rank=-1 if given["rank"] is None else given["rank"],
        world_size=given["world_size"] or 0,
        local_rank=-1 if given["local_rank"] is None else given["local_rank"],
        address=given["master_addr"],
        port=given["master_port"] or 0,
    )
    settings = RingSettings(
        given=asked,
        python=given["python"],
        timeout=given["timeout"],
        join=given["join_timeout"],
        rules=tuple(Path(folder) for folder in given["rules"]),
    )
    result = run_ring(settings)
    code = exit_code(result)
    if result.place.rank == 0 or not result.met:
        with output_stream(given["output"]) as out:
            out.write(document(result, given, code))
    elif code is not Exit.JUDGED:
        time.sleep(LET_RANK_0_SPEAK_S)
    return int(code)


def exit_code(result: RingResult) -> Exit:
    """FINDINGS where an error was found, or where the ring did not pass although nothing explains it."""
    findings = result.diagnosis.findings
    failed = any(one.kind is Kind.FAIL and one.severity is Severity.ERROR for one in findings)
    passed = result.diagnosis.facts["probe.ring_across.outcome"] == "passed"
    return Exit.FINDINGS if failed or not passed else Exit.JUDGED


def document(result: RingResult, given: dict[str, Any], code: Exit) -> str:
    """The report in the format that was asked for; JSON is redacted unless told otherwise."""
    diagnosis = for_readers(result.diagnosis, result.specs, given["redact"], shared=given["as_json"])
    if given["as_json"]:
        from gpudoctor.report.json_v1 import diagnosis_text

        return diagnosis_text(diagnosis, int(code))
    from gpudoctor.report.ring_text import ring_text

    to_terminal = sys.stdout if given["output"] in (None, "-") else None
    return ring_text(diagnosis, width=min(columns(to_terminal), WIDEST), verbose=given["verbose"])
