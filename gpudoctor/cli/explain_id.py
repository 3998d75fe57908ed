"""`gpudoctor explain ID`: the page of one thing that gpudoctor knows, looked up by name."""

from __future__ import annotations

from typing import Any

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import color_option, rules_option
from gpudoctor.cli.output import write_out
from gpudoctor.cli.pages import look_up


@click.command(
    "explain",
    short_help="Look up a cause, a check, an exit code, an Xid or a CUDA error.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("name", metavar="ID")
@rules_option
@color_option
def command(**given: Any) -> int:
    """Print the page of one thing by its name.

    ID is a cause (memory.shm_too_small), a check (cpu-only-build), an exit code or signal (139, SIGBUS),
    or a numbered error (xid-79, cuda-804, nvml-18).
    """
    write_out(look_up(given["name"], given["no_color"], given["rules"]))
    return int(Exit.JUDGED)
