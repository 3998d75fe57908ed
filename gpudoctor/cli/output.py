"""Where output goes: a file, or a standard output that may be closed or not UTF-8.

Errors stay JSON under `--json`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from gpudoctor._version import VERSION
from gpudoctor.cli.exit_codes import Exit
from gpudoctor.model.errors import UsageError

if TYPE_CHECKING:
    from gpudoctor.model.diagnosis import Diagnosis
    from gpudoctor.model.fact import FactSpec

ERROR_KINDS = {
    Exit.USAGE: "usage",
    Exit.INTERNAL: "internal",
    Exit.NOT_EXAMINED: "not_examined",
    Exit.INTERRUPTED: "interrupted",
}


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON; `--` ends the options."""
    options = list(arguments)
    if "--" in options:
        options = options[: options.index("--")]
    return "--json" in options


def report_failure(arguments: Sequence[str], code: Exit, message: str, hint: str = "") -> int:
    """Tell why there is no answer: a sentence on stderr, and with `--json` an error document on stdout."""
    if wants_json(arguments):
        document = {
            "schema_version": "1.0",
            "tool": {"name": "gpudoctor", "version": VERSION},
            "error": {"kind": ERROR_KINDS[code], "message": message, "exit_code": int(code)},
        }
        write_out(json.dumps(document, indent=2, ensure_ascii=True) + "\n")
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(_encodable(f"gpudoctor: {message}\n{hint}".rstrip() + "\n", sys.stderr))
            sys.stderr.flush()
    return int(code)


def write_out(text: str) -> None:
    """Write to standard output; a reader that has gone away ends the output, not the verdict."""
    try:
        if sys.stdout is not None:
            sys.stdout.write(_encodable(text, sys.stdout))
            sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        silence_stdout()
    except OSError as error:
        silence_stdout()
        raise UsageError(f"standard output cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def output_stream(path: str | None) -> Iterator[TextIO]:
    """A text stream that ends up in a file (whole or not at all) or on standard output.

    The file is written beside its final name and renamed, so that a full disk leaves no half report.
    """
    buffer = io.StringIO()
    yield buffer
    if path is None or path == "-":
        write_out(buffer.getvalue())
        return
    write_file(path, buffer.getvalue())


def for_readers(diagnosis: Diagnosis, specs: Mapping[str, FactSpec], redact: bool | None, shared: bool) -> Diagnosis:
    """The diagnosis without names, addresses and secrets, where that was asked for or the format is to be shared."""
    if not (redact if redact is not None else shared):
        return diagnosis
    from gpudoctor.report.redact import redact_diagnosis

    return redact_diagnosis(diagnosis, specs)


def write_file(path: str, text: str) -> None:
    """Write a whole file or nothing; UsageError says why it cannot be."""
    from pathlib import Path  # costly to load, and most answers go to standard output

    partial = Path(f"{path}.part-{os.getpid()}")
    try:
        with partial.open("x", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not complain about a closed pipe."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def colour_wanted(stream: TextIO | None, no_color: bool) -> bool:
    """Colour only on a terminal that can show it, and never where NO_COLOR or --no-color says otherwise."""
    if no_color or stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", None):
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False


def columns(stream: TextIO | None) -> int:
    """The width to write for: the terminal's, or 100 where there is none."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and 20 <= int(given) <= 1000:
        return int(given)
    try:
        return max(20, os.get_terminal_size(stream.fileno()).columns) if stream is not None else 100
    except (OSError, ValueError):
        return 100


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding, "replace")
