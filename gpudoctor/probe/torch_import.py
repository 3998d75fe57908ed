"""Facts about importing torch: whether it went well, and everything that was said on the way, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.probe.answers import CHANNEL_LOST, NOT_IMPORTED, NOT_INSTALLED, absent, known_or, said, text, why_silent

OUTPUT_LIMIT = 8_000
FACTS = (
    FactSpec(
        "torch.import_outcome",
        FactType.TEXT,
        "imported, import_error, crashed, exited, timed_out, not_installed or not_requested",
    ),
    FactSpec("torch.import_error", FactType.TEXT, "the exception that the import ended with, word for word"),
    FactSpec("torch.import_error_type", FactType.TEXT, "the type of that exception"),
    FactSpec("torch.import_missing_module", FactType.TEXT, "the module that the exception says could not be found"),
    FactSpec("torch.import_traceback", FactType.TEXT, "the tail of that exception's traceback", private=True),
    FactSpec("torch.import_signal", FactType.TEXT, "the signal that ended the process during the import"),
    FactSpec("torch.import_exit_code", FactType.INTEGER, "the status that the import ended the process with"),
    FactSpec("torch.import_stage", FactType.TEXT, "how far the examination came: the last step that was begun"),
    FactSpec("torch.import_warnings", FactType.TEXT_LIST, "Python warnings during the import, as Category: text"),
    FactSpec("torch.import_stdout", FactType.TEXT, "what was printed during the import", private=True),
    FactSpec("torch.import_stderr", FactType.TEXT, "what was printed to stderr during the import", private=True),
)
NO_ERROR = Unknown(Reason.NOT_APPLICABLE, "the import raised nothing")


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    steps = [text(line.get("step")) for line in end.lines]
    yield Fact("torch.import_stage", known_or(steps[-1] if steps else "", why_silent(end)))
    line = said(end, "torch_import")
    outcome = outcome_of(end, plan, line)
    yield Fact("torch.import_outcome", known_or(outcome, why_silent(end)))
    if not line:
        why = {"not_installed": NOT_INSTALLED, "not_requested": NOT_IMPORTED}.get(outcome) or why_silent(end)
        told = ("torch.import_stage", "torch.import_outcome")
        yield from absent(tuple(spec.key for spec in FACTS if spec.key not in told), why)
        return
    yield from error_facts(end, line, outcome)
    warnings = line.get("warnings", ())
    yield Fact("torch.import_warnings", tuple(f"{kept[0]}: {kept[1]}" for kept in warnings if len(kept) >= 2))
    silence = Unknown(Reason.NOT_APPLICABLE, "nothing was printed")
    yield Fact("torch.import_stdout", known_or(ends_of(end.stdout), silence))
    yield Fact("torch.import_stderr", known_or(ends_of(end.stderr), silence))


def outcome_of(end: ChildEnd, plan: Mapping[str, Any], line: Mapping[str, Any]) -> str:
    """The outcome in one word; empty when the child did not even come to look for torch."""
    outcome = text(line.get("outcome"))
    if outcome in ("imported", "import_error", "exited"):
        return outcome
    if outcome == "started":
        if end.end is End.EXITED and end.status == CHANNEL_LOST:
            return ""
        return {End.TIMED_OUT: "timed_out", End.SIGNALLED: "crashed"}.get(end.end, "exited")
    files = said(end, "torch_files")
    if files.get("outcome") != "completed":
        return ""
    if not files.get("importable"):
        return "not_installed"
    return "" if plan.get("import_torch", True) else "not_requested"


def error_facts(end: ChildEnd, line: Mapping[str, Any], outcome: str) -> Iterable[Fact]:
    """The exception, the signal or the status."""
    for key in ("error", "error_type", "traceback"):
        yield Fact(f"torch.import_{key}", known_or(text(line.get(key)), NO_ERROR))
    module = (
        text(line.get("missing_module")) if line.get("error_type") in ("ImportError", "ModuleNotFoundError") else ""
    )
    yield Fact("torch.import_missing_module", known_or(module, NO_ERROR))
    no_signal = Unknown(Reason.NOT_APPLICABLE, "no signal ended the import")
    yield Fact("torch.import_signal", known_or(end.signal if outcome == "crashed" else "", no_signal))
    status = line.get("status", end.status)
    no_exit = Unknown(Reason.NOT_APPLICABLE, "the import did not end the process")
    yield Fact("torch.import_exit_code", int(status) if outcome == "exited" else no_exit)


def ends_of(printed: str) -> str:
    """Head and tail of what was printed."""
    if len(printed) <= OUTPUT_LIMIT:
        return printed
    half = OUTPUT_LIMIT // 2
    return f"{printed[:half]}\n... {len(printed) - 2 * half} characters left out ...\n{printed[-half:]}"
