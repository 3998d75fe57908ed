"""Reads `rules/exits/<id>.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gpudoctor.knowledge.fields import Fields, suggestion
from gpudoctor.knowledge.known import NAME_ID, Known, read_id
from gpudoctor.knowledge.source import RuleFile
from gpudoctor.model.exit_status import SIGNALS, Candidate, ExitMeaning, Never, signal_number
from gpudoctor.model.record import record

CONTEXTS = ("shell", "python", "slurm", "windows", "kubernetes", "docker", "torchrun", "mpi", "ray")
_LARGEST = 2**32 - 1
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@record
class ExitKeys:
    """What an exit entry is found by, as the file gives it, and the file."""

    id: str
    codes: Sequence[int]
    signals: Sequence[str]
    reasons: Sequence[str]
    contexts: Sequence[str]
    file: RuleFile


def keys_of(file: RuleFile) -> ExitKeys:
    """The keys of one file; what has the wrong shape is no key, and a full reading complains about it."""
    lists = [file.data.get(name) for name in ("codes", "signals", "reasons", "contexts")]
    codes, signals, reasons, contexts = (value if isinstance(value, list) else [] for value in lists)
    return ExitKeys(file.id, codes, signals, [r for r in reasons if isinstance(r, str)], contexts, file)


def read_exit(file: RuleFile, known: Known, problems: list[str]) -> ExitMeaning:
    """One exit; what is wrong goes to `problems`."""
    fields = Fields(file.data, file.shown, problems, trusted=file.trusted)
    meaning = ExitMeaning(
        id=read_id(fields, file.id, NAME_ID, known),
        title=fields.text("title"),
        meaning=fields.text("meaning"),
        codes=fields.integers("codes", 0, _LARGEST),
        signals=fields.texts("signals"),
        reasons=fields.texts("reasons"),
        contexts=fields.texts("contexts"),
        candidates=_candidates(fields, known),
        never=_never(fields, known),
        note=fields.text("note", needed=False),
        source=fields.text("source"),
        checked=fields.date("checked"),
    )
    _check(meaning, fields)
    fields.finish()
    return meaning


def _candidates(fields: Fields, known: Known) -> tuple[Candidate, ...]:
    found: list[Candidate] = []
    for entry in fields.tables("candidate"):
        candidate = Candidate(
            cause=entry.text("cause", example='"family.name"'),
            looks_like=entry.text("looks_like"),
            decide=entry.text("decide", needed=False),
            command=entry.text("command", needed=False),
        )
        entry.known("cause", candidate.cause, known.causes, "cause")
        if any(candidate.cause == other.cause for other in found):
            entry.complain("cause", f"{candidate.cause!r} is already a candidate of this exit")
        entry.finish()
        found.append(candidate)
    return tuple(found)


def _never(fields: Fields, known: Known) -> tuple[Never, ...]:
    found: list[Never] = []
    for entry in fields.tables("never"):
        never = Never(cause=entry.text("cause", example='"family.name"'), reason=entry.text("reason"))
        entry.known("cause", never.cause, known.causes, "cause")
        entry.finish()
        found.append(never)
    return tuple(found)


def _check(meaning: ExitMeaning, fields: Fields) -> None:
    if meaning.never and not meaning.candidates:
        fields.complain("never", "means nothing without a candidate, which is what came instead")
    if not (meaning.codes or meaning.signals or meaning.reasons):
        fields.complain("codes", "an exit needs codes, signals or reasons, such as codes = [139]")
    for signal in meaning.signals:
        if not signal_number(signal) or not signal.startswith("SIG"):
            fields.complain("signals", f"{signal!r} is no signal{suggestion(signal, SIGNALS.values())}")
    for reason in meaning.reasons:
        if _REASON.fullmatch(reason) is None:
            fields.complain("reasons", f"{reason!r} is no scheduler's word, such as OOMKilled")
    for context in meaning.contexts:
        if context not in CONTEXTS:
            fields.complain("contexts", f"{context!r} is not allowed here{suggestion(context, CONTEXTS)}")


def clash_problems(exits: Iterable[ExitMeaning]) -> list[str]:
    """A complaint for each code, signal or reason that two exits claim in the same context."""
    owners: dict[tuple[str, str], str] = {}
    problems = []
    for meaning in exits:
        marks = [*(str(code) for code in meaning.codes), *meaning.signals, *meaning.reasons]
        for mark in marks:
            for context in meaning.contexts or ("",):
                other = owners.setdefault((mark, context), meaning.id)
                if other != meaning.id:
                    where = f" for {context}" if context else ""
                    problems.append(f"exits: {other} and {meaning.id} both claim {mark}{where}; leave one out")
    return problems
