"""Options that several commands share, so that one spelling means one thing everywhere."""

from __future__ import annotations

import click

rules_option = click.option(
    "--rules",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=str),
    help="A folder of further rules (repeatable).",
)
DEFAULT_SECONDS = {"none": 60.0, "quick": 60.0, "full": 300.0}  # of a whole run, by the level of its probes
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=1, max=86_400),
    metavar="SECONDS",
    help="Limit of the whole run (default 60; 300 with --probes full).",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; standard output holds nothing else, whatever happens."
)
output_option = click.option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
color_option = click.option("--no-color", is_flag=True, help="No colours, whatever the terminal can do.")
redact_option = click.option(
    "--redact/--no-redact",
    default=None,
    help="Hide names, addresses, ids and secrets (default: on in JSON and Markdown, off on the terminal).",
)
python_option = click.option(
    "--python", metavar="PATH", default="", help="The interpreter to examine (default: the active environment's)."
)
