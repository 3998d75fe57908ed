"""Brings together what several documents state, so that the order in which they were given decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gpudoctor.intake.pod import TELLING
from gpudoctor.intake.slurm import STATES
from gpudoctor.model.document import Document
from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.fact import Element, Fact, Facts, Unknown, Value
from gpudoctor.model.record import replace

# Who is believed first where documents differ: what a machine wrote about this crash before what a person noted.
TRUST = ("container_inspect", "pod", "slurm", "events", "cgroup", "kernel_log", "elastic_error", "nvidia_smi")
# Lists to which every document adds; elsewhere the most trusted document's list stands.
JOINED = {"crash.context", "crash.event_reasons", "crash.kernel_oom_tasks", "crash.segfault_objects", "crash.xids"}
LARGEST = {"crash.restart_count", "crash.oom_kill_count", "cgroup.oom_kill_count", "crash.memory_peak_bytes"}
# Reasons that say more than the code beside them.
_SPEAKING = set(TELLING) - {"Error", "Completed", "ContainerStatusUnknown", "CrashLoopBackOff"}
_SLURM_REASONS = ("OUT_OF_MEMORY", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "CANCELLED", "BOOT_FAIL", "DEADLINE")
_ENGINES = {"container_inspect": "docker", "pod": "kubernetes", "events": "kubernetes", "slurm": "slurm"}


def facts_of(documents: Iterable[Document]) -> Facts:
    """What the documents state together. A truth that one of them states outweighs the others' denial."""
    stated: dict[str, list[tuple[int, Fact]]] = {}
    for document in documents:
        trust = TRUST.index(document.kind) if document.kind in TRUST else len(TRUST)
        for fact in document.facts:
            if not isinstance(fact.value, Unknown):
                stated.setdefault(fact.key, []).append((trust, fact))
    return Facts(Fact(key, _agreed(key, known)) for key, known in sorted(stated.items()))


def _agreed(key: str, known: list[tuple[int, Fact]]) -> Value:
    values = [fact.value for _, fact in sorted(known, key=lambda entry: (entry[0], str(entry[1].value)))]
    first = values[0]
    assert not isinstance(first, Unknown)
    if isinstance(first, bool):
        return any(value is True for value in values)
    if key in LARGEST:
        return max(value for value in values if isinstance(value, int))
    if key in JOINED:
        parts: dict[Element, None] = {}
        for value in values:
            parts.update(dict.fromkeys(value if isinstance(value, tuple) else ()))
        return tuple(parts)
    if key == "crash.exit_code":
        return next((value for value in values if value not in (0, None) and not isinstance(value, Unknown)), first)
    if key in _MORE_TELLING:
        return min((value for value in values if not isinstance(value, Unknown)), key=_MORE_TELLING[key])
    return first


def _silence_of_exit(pair: object) -> tuple[bool, bool, bool]:
    """Slurm's mark for memory first, then a signal, then a code: the controller shows 0:0 where a step crashed."""
    text = str(pair)
    return not text.endswith(":125"), text.endswith(":0"), text == "0:0"


def _silence_of_state(state: object) -> int:
    return STATES.index(str(state)) if state in STATES else len(STATES)


# Of what sacct and scontrol say differently, what tells more.
_MORE_TELLING: dict[str, Callable[[object], Any]] = {
    "crash.slurm_exit": _silence_of_exit,
    "crash.slurm_state": _silence_of_state,
}


def stated_exit(facts: Facts) -> ExitStatus | None:
    """The exit that the documents state; None where they state none."""
    state, reason = facts.text("crash.slurm_state") or "", facts.text("crash.reason") or ""
    spellings = [facts.text("crash.slurm_exit"), facts.text("crash.signal"), facts.text("crash.exit_code")]
    status = next(filter(None, map(_parsed, spellings)), None)
    word = state if state in _SLURM_REASONS else reason if reason in _SPEAKING else ""
    named = _parsed(word) if word else None
    if status is None or (named is not None and status.is_success):
        return named or _parsed(reason)
    return status if named is None else replace(status, reason=named.reason, context=named.context)


def placed(status: ExitStatus | None, documents: Sequence[Document]) -> ExitStatus | None:
    """The status with the place that it comes from, where only one kind of place is spoken of."""
    if status is None or status.context != "any":
        return status
    places = {_ENGINES[document.kind] for document in documents if document.kind in _ENGINES}
    return replace(status, context=places.pop()) if len(places) == 1 else status


def _parsed(text: str | None) -> ExitStatus | None:
    try:
        return ExitStatus.parse(text) if text else None
    except UsageError:
        return None
