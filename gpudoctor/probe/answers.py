"""Reading the lines of the target's child: what a step said, and, where it said nothing, why.

Every subject module turns lines into facts through these few functions, so that the same end of the child is
described with the same reason everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.exit_status import signal_name
from gpudoctor.model.fact import Element, Fact, Reason, Unknown, Value
from gpudoctor.model.version import Version

CHANNEL_LOST = 70  # the harness leaves with it when what it writes to was closed behind its back
NOT_INSTALLED = Unknown(Reason.NOT_INSTALLED, "torch is not installed in this environment")
NOT_IMPORTED = Unknown(Reason.NOT_REQUESTED, "torch was not imported")


def said(end: ChildEnd, step: str) -> dict[str, Any]:
    """Everything that the lines of one step said, later lines over earlier ones; empty when it said nothing."""
    found: dict[str, Any] = {}
    for line in end.lines:
        if line.get("step") == step:
            found.update(line)
    return found


def outcome_of(end: ChildEnd, step: str) -> str:
    """The last outcome of a step: `started`, `completed`, `failed`, `crashed`, ...; empty when unheard of."""
    outcome = said(end, step).get("outcome", "")
    return outcome if isinstance(outcome, str) else ""


def why_silent(end: ChildEnd) -> Unknown:
    """Why a line that should be there is not, judged by how the whole child ended."""
    interpreter = said(end, "interpreter")
    if interpreter.get("outcome") == "too_old":
        return Unknown(Reason.NOT_APPLICABLE, f"Python {interpreter.get('version', '')} is too old to be examined")
    if end.end is End.NOT_STARTED:
        reason = {"EACCES": Reason.PERMISSION_DENIED, "EPERM": Reason.PERMISSION_DENIED, "ENOENT": Reason.NOT_INSTALLED}
        return Unknown(reason.get(end.errno, Reason.NO_DATA), end.error or end.errno or "the interpreter did not start")
    if end.end is End.TIMED_OUT:
        return Unknown(
            Reason.TIMED_OUT, f"no answer within {end.seconds:.0f} s" if end.seconds else "no answer in time"
        )
    if end.end is End.SIGNALLED:
        return Unknown(Reason.CRASHED, f"the examining process was ended by {end.signal}")
    if end.status == CHANNEL_LOST:
        return Unknown(Reason.NO_DATA, "the file descriptor that the answers go to was closed by what was imported")
    if end.status:
        quoted = "" if end.lines else first_line(end.stderr)
        words = f"the examining process ended with status {end.status}"
        return Unknown(Reason.CRASHED, f"{words}: {quoted}" if quoted else words)
    return Unknown(Reason.NO_DATA, "the examining process said nothing about it")


def why_step_failed(end: ChildEnd, step: str) -> Unknown:
    """Why a step has no value to show."""
    line = said(end, step)
    outcome = line.get("outcome", "")
    if outcome == "timed_out":
        return Unknown(
            Reason.TIMED_OUT, line.get("error") or f"it did not come back within {line.get('seconds', 0):.0f} s"
        )
    if outcome == "crashed":
        return Unknown(Reason.CRASHED, f"it was ended by {signal_of(line) or 'an unknown signal'}")
    if outcome == "exited":
        return Unknown(Reason.CRASHED, f"it ended the process with status {line.get('status', 0)}")
    if outcome == "failed":
        return Unknown(Reason.CRASHED, text(line.get("error")))
    if outcome == "blocked" and isinstance(line.get("blocked_by"), str) and line["blocked_by"] != step:
        return why_step_failed(end, line["blocked_by"])
    if outcome == "completed":
        return Unknown(Reason.NO_DATA, "this torch does not tell")
    return why_silent(end)


def why_no_torch(end: ChildEnd, plan: Mapping[str, Any]) -> Unknown | None:
    """Why nothing can be known that needs an imported torch; None when it was imported."""
    line = said(end, "torch_import")
    outcome = line.get("outcome", "")
    if outcome == "imported":
        return None
    if outcome in ("import_error", "exited"):
        return Unknown(Reason.CRASHED, f"torch could not be imported: {first_line(text(line.get('error')))}")
    if outcome == "started":
        silent = why_silent(end)
        return Unknown(silent.reason, f"importing torch did not end: {silent.detail}")
    found = said(end, "torch_files")
    if found.get("outcome") != "completed":
        return why_silent(end)
    if not found.get("importable"):
        return NOT_INSTALLED
    return NOT_IMPORTED if not plan.get("import_torch", True) else why_silent(end)


def signal_of(line: Mapping[str, Any]) -> str:
    """The name of the signal that ended a step, or nothing."""
    number = line.get("signal")
    return signal_name(number) if isinstance(number, int) else ""


def text(value: object) -> str:
    """A value that should be text, as text; anything else is nothing."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """A value that should be a list of texts; other elements are left out."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, (list, tuple)) else ()


def first_line(value: str) -> str:
    """The first line that says something."""
    return next((line.strip() for line in value.splitlines() if line.strip()), "")[:500]


def version(value: object) -> Version | Unknown:
    """A version, or why the text is none."""
    try:
        return Version.parse(text(value))
    except ValueError as error:
        return Unknown(Reason.UNPARSEABLE, str(error)[:300])


def known_or(value: Value | None, otherwise: Unknown) -> Value | Unknown:
    """The value where there is one."""
    return otherwise if value is None or value == "" else value


def listed(values: tuple[Element, ...]) -> tuple[Element, ...]:
    """A list value; exists so that tuples of one type pass as lists of elements."""
    return values


def absent(keys: tuple[str, ...], why: Unknown) -> tuple[Fact, ...]:
    """The same reason for several facts."""
    return tuple(Fact(key, why) for key in keys)
