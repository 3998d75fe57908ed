"""`gpudoctor explain-log EVIDENCE...`: why a job failed, from what it and its surroundings left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.explain_output import write_explained
from gpudoctor.cli.options import color_option, json_option, output_option, redact_option, rules_option
from gpudoctor.cli.progress import progress_line
from gpudoctor.explain import ExplainSettings, explain_exit


@click.command("explain-log", short_help="Explain why a job failed, from its log and other evidence.")
@click.argument("evidence", nargs=-1, required=True)
@json_option
@output_option
@redact_option
@rules_option
@color_option
def command(**given: Any) -> int:
    """Explain why a job failed.

    EVIDENCE is any mix of files, recognised by content; `-` is standard input: logs, output of docker inspect,
    kubectl get pod, kubectl describe, kubectl get events, sacct, scontrol, dmesg, nvidia-smi and pip list, counters
    of control groups, error files of torchrun, our own reports, and notes of the form `key: value`.
    """
    with progress_line(quiet=False) as progress:
        explained = explain_exit(
            ExplainSettings(
                evidence=given["evidence"],
                rules=tuple(Path(folder) for folder in given["rules"]),
            ),
            progress,
        )
    return int(write_explained(explained, given))
