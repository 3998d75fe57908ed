"""Judges one check: over the machine, or over each of its GPUs."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from gpudoctor.knowledge.conditions import Outcome, View, weigh
from gpudoctor.knowledge.expand import fill, keys_in, text_of, usable_remedies
from gpudoctor.model.cause import Cause
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Facts, Reason, Unknown, Value
from gpudoctor.model.finding import MACHINE, Finding, Kind
from gpudoctor.model.rule import DEVICE_INDEX, Operator, Question, Rule, questions_of
from gpudoctor.model.truth import Truth

GPU_COUNT = "gpu.count"
_MOST_GPUS = 1024  # more than any machine has; a garbled document must not make us count to a billion
_ABOUT_NOT_KNOWING = (Operator.KNOWN, Operator.UNKNOWN_BECAUSE)


class DeviceFacts:
    """The facts as one GPU sees them: per-device lists give that GPU's element."""

    def __init__(self, facts: Facts, per_device: Container[str], index: int) -> None:
        self._facts = facts
        self._per_device = per_device
        self.index = index

    def is_own(self, key: str) -> bool:
        """Whether a fact is about this GPU alone."""
        return key in self._per_device

    def __getitem__(self, key: str) -> Value | Unknown:
        if key == DEVICE_INDEX:
            return self.index
        value = self._facts[key]
        if not self.is_own(key) or isinstance(value, Unknown):
            return value
        if isinstance(value, tuple) and self.index < len(value):
            return value[self.index]
        return Unknown(Reason.NO_DATA, f"{key} says nothing about GPU {self.index}")


def judge_rule(rule: Rule, cause: Cause, facts: Facts, per_device: Container[str]) -> Iterator[Finding]:
    """The findings of one check: one for the machine, or one for each GPU.

    `per_device` are the keys of the facts that hold one element for each GPU.
    """
    if not rule.for_each:
        yield _judge(rule, cause, facts, MACHINE)
        return
    count = gpu_count(rule, facts, per_device)
    for index in range(count or 0):
        yield _judge(rule, cause, DeviceFacts(facts, per_device, index), f"gpu:{index}")
    if count == 0:
        yield _finding(rule, cause, Kind.NOT_APPLICABLE, MACHINE)
    elif count is None:
        yield _without_count(rule, cause, facts, per_device)


def gpu_count(rule: Rule, facts: Facts, per_device: Container[str]) -> int | None:
    """How many GPUs a check has to look at: as many as the machine has or as its facts tell of; None if unknown."""
    counts = []
    count = facts.known(GPU_COUNT)
    if isinstance(count, int) and 0 <= count <= _MOST_GPUS:
        counts.append(count)
    for key in _keys_of((*questions_of(rule.applies), *questions_of(rule.fails))):
        value = facts.known(key)
        if key in per_device and isinstance(value, tuple):
            counts.append(min(len(value), _MOST_GPUS))
    return max(counts, default=None)


def _without_count(rule: Rule, cause: Cause, facts: Facts, per_device: Container[str]) -> Finding:
    """Nobody knows how many GPUs there are: only what holds for any GPU can still rule the check out."""
    view = DeviceFacts(facts, per_device, 0)
    applies = weigh(rule.applies, view)
    if applies.truth is Truth.FALSE:
        return _finding(rule, cause, Kind.NOT_APPLICABLE, MACHINE, _evidence(applies.decided_by, view))
    blocked = tuple(dict.fromkeys((GPU_COUNT, *applies.blocked_by, *weigh(rule.fails, view).blocked_by)))
    return _finding(rule, cause, Kind.UNKNOWN, MACHINE, (), _undecided(blocked, view), blocked)


def _judge(rule: Rule, cause: Cause, view: Facts | DeviceFacts, subject: str) -> Finding:
    applies = weigh(rule.applies, view)
    if applies.truth is Truth.FALSE:
        return _finding(rule, cause, Kind.NOT_APPLICABLE, subject, _evidence(applies.decided_by, view))
    fails = weigh(rule.fails, view)
    # What certainly does not fail has passed, even where it stays open whether the check was due at all.
    if fails.truth is Truth.FALSE or (applies.truth is Truth.TRUE and fails.truth is Truth.TRUE):
        return _decided(rule, cause, view, subject, applies, fails)
    open_questions = [outcome for outcome in (applies, fails) if outcome.truth is Truth.UNKNOWN]
    blocked = tuple(dict.fromkeys(key for outcome in open_questions for key in outcome.blocked_by))
    used = _evidence((*questions_of(rule.applies), *questions_of(rule.fails)), view)
    return _finding(rule, cause, Kind.UNKNOWN, subject, used, _undecided(blocked, view), blocked)


def _decided(
    rule: Rule, cause: Cause, view: Facts | DeviceFacts, subject: str, applies: Outcome, fails: Outcome
) -> Finding:
    deciding = (*fails.decided_by, *applies.decided_by)
    if fails.truth is Truth.FALSE:
        return _finding(rule, cause, Kind.PASS, subject, _evidence(deciding, view))
    evidence = _evidence(deciding, view, keys_in(rule.message))
    return Finding(
        check=rule.id,
        cause=rule.cause,
        kind=Kind.FAIL,
        severity=rule.severity,
        confidence=rule.confidence,
        title=cause.title,
        subject=subject,
        message=fill(rule.message, view),
        evidence=evidence,
        remedies=usable_remedies(cause.remedies, view),
        references=(*cause.references, *(entry for entry in rule.references if entry not in cause.references)),
    )


def _finding(
    rule: Rule,
    cause: Cause,
    kind: Kind,
    subject: str,
    evidence: tuple[Evidence, ...] = (),
    message: str = "",
    blocked_by: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        check=rule.id,
        cause=rule.cause,
        kind=kind,
        severity=rule.severity,
        confidence=rule.confidence,
        title=cause.title,
        subject=subject,
        message=message,
        evidence=evidence,
        blocked_by=blocked_by,
    )


def _evidence(questions: Iterable[Question], view: View, named: Iterable[str] = ()) -> tuple[Evidence, ...]:
    """The known facts that were asked about, verbatim, and those whose being unknown was the answer."""
    questions = tuple(questions)
    found = []
    for key in dict.fromkeys((*_keys_of(questions), *named)):
        value = view[key]
        if isinstance(value, Unknown):
            if any(question.fact == key and question.op in _ABOUT_NOT_KNOWING for question in questions):
                found.append(Evidence(_source(key, view), _why(value)))
        elif key != DEVICE_INDEX:
            found.append(Evidence(_source(key, view), text_of(value)))
    return tuple(found)


def _source(key: str, view: View) -> str:
    return f"{key}[{view.index}]" if isinstance(view, DeviceFacts) and view.is_own(key) else key


def _keys_of(questions: Iterable[Question]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for question in questions for key in (question.fact, question.value_of) if key))


def _why(value: Unknown) -> str:
    return f"unknown ({value.reason.value}{': ' if value.detail else ''}{value.detail})"


def _undecided(blocked: Iterable[str], view: View) -> str:
    """The sentence of a finding that could not be decided."""
    parts = []
    for key in blocked:
        value = view[key]
        parts.append(f"{key} is {_why(value) if isinstance(value, Unknown) else 'known only in part'}")
    return f"Not decided: {'; '.join(parts)}."
