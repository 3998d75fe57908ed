"""`gpudoctor explain-exit CODE [EVIDENCE...]`: what an exit status means and what most likely caused it.

rich and the collectors stay unloaded where they are not needed: it must answer as fast as a man page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.explain_output import write_explained
from gpudoctor.cli.options import color_option, json_option, output_option, redact_option, rules_option
from gpudoctor.cli.progress import progress_line
from gpudoctor.explain import ExplainSettings, explain_exit
from gpudoctor.model.exit_status import ExitStatus


@click.command("explain-exit", short_help="Explain how a job ended.", context_settings={"ignore_unknown_options": True})
@click.argument("code")
@click.argument("evidence", nargs=-1)
@json_option
@output_option
@redact_option
@click.option("--no-local", is_flag=True, help="Do not look at this machine for traces of the crash.")
@rules_option
@color_option
def command(**given: Any) -> int:
    """Explain how a job ended.

    CODE is what was printed: 139, -11, SIGSEGV, Slurm's 0:9, Windows' 0xC0000005, Kubernetes' OOMKilled.
    EVIDENCE is any mix of files, recognised by content (see explain-log); `-` is standard input.
    Without EVIDENCE, run it inside the container where it happened, and it looks for what the crash left there.
    """
    # An empty code (an unset variable of a script) would pass for "no status was given", which explain-log allows.
    settings = ExplainSettings(
        status=given["code"] if given["code"].strip() else ExitStatus.parse(given["code"]).given,
        evidence=given["evidence"],
        local=not given["no_local"],
        rules=tuple(Path(folder) for folder in given["rules"]),
    )
    with progress_line(quiet=not given["evidence"]) as progress:
        explained = explain_exit(settings, progress)
    return int(write_explained(explained, given))
