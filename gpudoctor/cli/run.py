"""`gpudoctor run -- COMMAND`: what its options mean. The command itself is started by the console script's door, before
Click is loaded; this module answers `--help` and says what is wrong with a command line."""

from __future__ import annotations

from typing import Any

import click

from gpudoctor.model.errors import UsageError
from gpudoctor.supervise.options import INTERVAL_SECONDS, RunSettings, interval_of


@click.command(
    "run",
    short_help="Run a command and explain its end.",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--report-dir", metavar="DIR", default=".", help="Where the crash report goes. [default: here]")
@click.option("--no-report", is_flag=True, help="Write no crash report.")
@click.option(
    "--interval", metavar="SECONDS", default=f"{INTERVAL_SECONDS:g}", show_default=True, help="How often to look."
)
@click.option("--nccl-log", is_flag=True, help="Let NCCL write its log to a file, and read that after a failure.")
@click.option("--on-failure", metavar="COMMAND", default="", help="Run this with the report's path after a failure.")
@click.option("--termination-log", metavar="PATH", default="", help="Leave a summary of at most 4 KiB there.")
@click.option("--summary", is_flag=True, help="Print what the command used, in the manner of GNU time.")
@click.option("--verbose", "-v", is_flag=True, help="Say something also when the command ended well.")
def run_command(**given: Any) -> int:
    """Run COMMAND unchanged, and when it fails, say why: `gpudoctor run -- torchrun train.py`.

    Streams, signals and the exit status are the command's own. While it runs, memory, GPUs and the kernel are watched;
    when it fails, the likeliest cause of this run is told on stderr, and a report is written that `explain-log`,
    `check --from` and `diff` read.
    """
    from gpudoctor.cli.aftermath import tell
    from gpudoctor.supervise.begin import supervise

    interval = interval_of(given["interval"])
    if interval is None:
        raise UsageError(f"--interval takes seconds from 0.1 to 3600, not {given['interval']!r}.")
    supervise(
        RunSettings(
            command=given["command"],
            interval=interval,
            report=not given["no_report"],
            report_dir=given["report_dir"],
            nccl_log=given["nccl_log"],
            summary=given["summary"],
            verbose=given["verbose"],
            on_failure=given["on_failure"],
            termination_log=given["termination_log"],
        ),
        tell,
    )


command = run_command
