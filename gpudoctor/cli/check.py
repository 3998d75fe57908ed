"""`gpudoctor check`: options to settings, one diagnosis, one report, one exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.options import (
    DEFAULT_SECONDS,
    color_option,
    json_option,
    output_option,
    python_option,
    redact_option,
    rules_option,
    timeout_option,
)
from gpudoctor.cli.output import colour_wanted, columns, for_readers, output_stream
from gpudoctor.cli.progress import progress_line
from gpudoctor.declared import known_specs
from gpudoctor.diagnose import CheckSettings, diagnose
from gpudoctor.judging import Result
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.errors import ExaminationError, UsageError
from gpudoctor.model.finding import Kind
from gpudoctor.model.record import record
from gpudoctor.model.rule import Severity

MAXIMUM_REPORT_BYTES = 64 << 20


@record
class CheckOptions:
    """The command line of `check`, field by field."""

    as_json: bool
    as_markdown: bool
    output: str | None
    source: str | None
    python: str
    probes: str
    expect_gpus: str
    timeout: float | None
    fail_on: str
    rules: tuple[str, ...]
    verbose: bool
    no_color: bool
    redact: bool | None


@click.command("check", short_help="Examine this environment.")
@json_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, ready to be pasted into an issue.")
@output_option
@click.option(
    "--from",
    "source",
    metavar="PATH",
    help="Judge a pasted dump, a JSON report or a recorded machine instead; - for standard input.",
)
@python_option
@click.option(
    "--probes",
    type=click.Choice(["none", "quick", "full"]),
    default="quick",
    show_default=True,
    help="How much to prove by doing: nothing, what takes a second or so, or what takes a minute.",
)
@click.option("--no-probes", is_flag=True, help="The same as --probes none.")
@click.option(
    "--expect-gpus", metavar="N|none|any", default="any", show_default=True, help="How many GPUs should be here."
)
@timeout_option
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "note", "never"]),
    default="error",
    show_default=True,
    help="The mildest severity of a finding that makes the exit code 1.",
)
@rules_option
@click.option("--verbose", "-v", is_flag=True, help="Show passed checks, all facts and how each step ended.")
@color_option
@redact_option
def command(**given: Any) -> int:
    """Examine this environment: can it train, and if not, what is wrong, how we know, and what mends it.

    Exit code 0: judged, nothing at or above --fail-on. 1: something is. 4: it could not be examined.
    """
    # Two options for one value behave differently from one Click to the next, so the flag is put in here.
    if given.pop("no_probes"):
        given["probes"] = "none"
    return run(CheckOptions(**given))


def run(options: CheckOptions) -> int:
    """Diagnose and print."""
    settings = CheckSettings(
        python=options.python,
        probes=options.probes,
        expect_gpus=expected_gpus(options.expect_gpus),
        timeout=options.timeout or DEFAULT_SECONDS[options.probes],
        rules=tuple(Path(folder) for folder in options.rules),
        source=options.source or "",
    )
    with progress_line(quiet=options.as_json) as progress:
        of_file = settings.source == "-" or (settings.source and not Path(settings.source).is_dir())
        result = of_document(settings, progress) if of_file else diagnose(settings, progress)
    code = exit_code(result.diagnosis, options.fail_on)
    with output_stream(options.output) as out:
        write_report(result, options, code, out)
    return int(code)


def of_document(settings: CheckSettings, progress: Callable[[str], None] = lambda _step: None) -> Result:
    """Judge a document: a JSON report of ours again, any other text by what it says."""
    from gpudoctor.report.read import looks_like_report

    data = read_source(settings.source)
    text = data.decode("utf-8", "replace")
    if looks_like_report(text):
        return of_report(text, settings)
    from gpudoctor.documents import judge_text

    return judge_text(settings.source, data, settings, progress)


def read_source(source: str) -> bytes:
    """The content of a file or of standard input; ExaminationError where it cannot be read or is no document."""
    try:
        with contextlib.ExitStack() as stack:
            file = sys.stdin.buffer if source == "-" else stack.enter_context(open(source, "rb"))
            data = file.read(MAXIMUM_REPORT_BYTES + 1)
    except OSError as error:
        raise ExaminationError(f"{source} cannot be read: {error.strerror or error}") from error
    if len(data) > MAXIMUM_REPORT_BYTES:
        raise ExaminationError(f"{source} is larger than {MAXIMUM_REPORT_BYTES >> 20} MiB: explain-log reads logs.")
    return data


def of_report(text: str, settings: CheckSettings) -> Result:
    """Judge a JSON report again; ExaminationError where the text is none."""
    from gpudoctor.documents import judge_report
    from gpudoctor.report.read import read_report

    report = read_report(text, known_specs())
    return judge_report(report.facts, report.runs, report.target, report.findings, settings)


def expected_gpus(text: str) -> str:
    """The value of --expect-gpus, checked; 0 is the same as none."""
    if text == "any" or (text.isdigit() and 0 < int(text) <= 1024):
        return text
    if text in ("none", "0"):
        return "none"
    raise UsageError(f"--expect-gpus takes a number, `none` or `any`, not {text!r}.")


def exit_code(diagnosis: Diagnosis, fail_on: str) -> Exit:
    """FINDINGS when a failed check is at least as severe as `fail_on`."""
    if fail_on == "never":
        return Exit.JUDGED
    limit = Severity(fail_on).rank
    found = any(item.kind is Kind.FAIL and item.severity.rank <= limit for item in diagnosis.findings)
    return Exit.FINDINGS if found else Exit.JUDGED


def write_report(result: Result, options: CheckOptions, code: Exit, out: TextIO) -> None:
    """Print in the format that was asked for; shareable formats are redacted unless told otherwise."""
    shared = options.as_json or options.as_markdown
    diagnosis = for_readers(result.diagnosis, result.specs, options.redact, shared)
    if options.as_json:
        from gpudoctor.report.json_v1 import diagnosis_text

        out.write(diagnosis_text(diagnosis, int(code)))
    elif options.as_markdown:
        from gpudoctor.report.markdown import render as render_markdown

        out.write(render_markdown(diagnosis, result.specs))
    else:
        from gpudoctor.report.terminal import render

        to_terminal = sys.stdout if options.output in (None, "-") else None
        render(
            diagnosis,
            result.specs,
            out,
            width=min(columns(to_terminal), 120),
            color=colour_wanted(to_terminal, options.no_color),
            verbose=options.verbose,
            encoding=getattr(to_terminal, "encoding", None) or "utf-8",
        )
