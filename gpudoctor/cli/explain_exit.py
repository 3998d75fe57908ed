"""`gpudoctor explain-exit CODE`: what an exit status means and what most likely caused it.

rich and the collectors stay unloaded on this path: it must answer as fast as a man page.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import color_option, json_option, output_option, rules_option
from gpudoctor.cli.output import colour_wanted, columns, output_stream
from gpudoctor.explain import ExplainSettings, explain_exit
from gpudoctor.model.explanation import Verdict


@click.command("explain-exit", short_help="Explain how a job ended.", context_settings={"ignore_unknown_options": True})
@click.argument("code")
@json_option
@output_option
@click.option("--no-local", is_flag=True, help="Do not look at this machine for traces of the crash.")
@rules_option
@color_option
def command(**given: Any) -> int:
    """Explain how a job ended.

    CODE is what was printed: 139, -11, SIGSEGV, Slurm's 0:9, Windows' 0xC0000005, Kubernetes' OOMKilled.
    Run it inside the container where it happened, and it also looks for what the crash left there.
    """
    explained = explain_exit(
        ExplainSettings(
            status=given["code"],
            local=not given["no_local"],
            rules=tuple(Path(folder) for folder in given["rules"]),
        )
    )
    with output_stream(given["output"]) as out:
        if given["as_json"]:
            from gpudoctor.report.json_v1 import explained_text

            out.write(explained_text(explained))
        else:
            from gpudoctor.report.explain_text import render

            to_terminal = sys.stdout if given["output"] in (None, "-") else None
            width = min(columns(to_terminal), 100)
            out.write(render(explained, width=width, color=colour_wanted(to_terminal, given["no_color"])))
    return int(Exit.FINDINGS if explained.verdict is Verdict.UNEXPLAINED else Exit.JUDGED)
