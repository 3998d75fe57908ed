"""Judges one check: over the machine, or over each of its GPUs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from gpudoctor.knowledge.conditions import View, weigh
from gpudoctor.knowledge.expand import fill, keys_in, text_of, usable_remedies
from gpudoctor.model.cause import Cause
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Facts, Reason, Unknown, Value
from gpudoctor.model.finding import MACHINE, Finding, Kind
from gpudoctor.model.rule import DEVICE_INDEX, Operator, Question, Rule, questions_of
from gpudoctor.model.truth import Truth

GPU_COUNT = "gpu.count"
_MOST_KEPT = 64
_PLAIN = frozenset((str, bool, Unknown))  # equal values of these classes are the same in every way
_MOST_GPUS = 1024  # more than any machine has; a garbled document must not make us count to a billion
_ABOUT_NOT_KNOWING = (Operator.KNOWN, Operator.UNKNOWN_BECAUSE)


class DeviceFacts(dict[str, "Value | Unknown"]):
    """The facts as one GPU sees them: per-device lists give that GPU's element. What was read once is kept."""

    def __init__(self, machine: View, per_device: Container[str], index: int) -> None:
        self._facts = machine
        self._per_device = per_device
        self.index = index
        self[DEVICE_INDEX] = index

    def is_own(self, key: str) -> bool:
        """Whether a fact is about this GPU alone."""
        return key in self._per_device

    def __missing__(self, key: str) -> Value | Unknown:
        value = self[key] = self._element(key)
        return value

    def _element(self, key: str) -> Value | Unknown:
        value = self._facts[key]
        if not self.is_own(key) or isinstance(value, Unknown):
            return value
        if isinstance(value, tuple) and self.index < len(value):
            return value[self.index]
        return Unknown(Reason.NO_DATA, f"{key} says nothing about GPU {self.index}")


class Views:
    """The facts as the machine and each of its GPUs see them. `per_device` are the keys of the facts that hold one
    element for each GPU."""

    def __init__(self, facts: Facts, per_device: Container[str]) -> None:
        self.machine = facts.lookup
        self.per_device = per_device
        self._devices: dict[int, DeviceFacts] = {}

    def of_device(self, index: int) -> DeviceFacts:
        """As the GPU of this index sees them."""
        if index not in self._devices:
            self._devices[index] = DeviceFacts(self.machine, self.per_device, index)
        return self._devices[index]


def judge_rule(rule: Rule, cause: Cause, views: Views) -> list[Finding]:
    """The findings of one check: one for the machine, or one for each GPU."""
    return Check(rule, cause.title, lambda _: cause).findings(views)


class Check:
    """A check with its cause's title, and with what gives the cause where it fails, ready to be judged over many
    machines. A finding that is no failure follows from the facts that are asked for and from nothing else; the last
    ones are kept, since most machines answer most checks alike."""

    def __init__(self, rule: Rule, title: str, cause_of: Callable[[str], Cause]) -> None:
        self.rule = rule
        self._title = title
        self._cause_of = cause_of
        self._questions = (*questions_of(rule.applies), *questions_of(rule.fails))
        self._asked = tuple(_keys_of(self._questions))
        self._kept: dict[tuple[object, ...], Finding] = {}

    def findings(self, views: Views) -> list[Finding]:
        """One finding for the machine, or one for each GPU."""
        if not self.rule.for_each:
            return [self._judge(views.machine, MACHINE)]
        count = self._gpu_count(views)
        if count is None:
            return [self._without_count(views)]
        if count == 0:
            return [self._finding(Kind.NOT_APPLICABLE, MACHINE)]
        return [self._judge(views.of_device(index), f"gpu:{index}") for index in range(count)]

    def _gpu_count(self, views: Views) -> int | None:
        """How many GPUs there are to look at: as many as the machine has or as its facts tell of; None if unknown."""
        counts = []
        count = views.machine[GPU_COUNT]
        if isinstance(count, int) and 0 <= count <= _MOST_GPUS:
            counts.append(count)
        for key in self._asked:
            value = views.machine[key]
            if isinstance(value, tuple) and key in views.per_device:
                counts.append(min(len(value), _MOST_GPUS))
        return max(counts, default=None)

    def _without_count(self, views: Views) -> Finding:
        """Nobody knows how many GPUs there are: only what holds for any GPU can still rule the check out."""
        view = views.of_device(0)
        applies = weigh(self.rule.applies, view)
        if applies.truth is Truth.FALSE:
            return self._finding(Kind.NOT_APPLICABLE, MACHINE, _quoted(applies.decided_by, view))
        fails = weigh(self.rule.fails, view)
        blocked = tuple(dict.fromkeys((GPU_COUNT, *applies.blocked_by, *fails.blocked_by)))
        return self._finding(Kind.UNKNOWN, MACHINE, (), _undecided(blocked, view), blocked)

    def _judge(self, view: View, subject: str) -> Finding:
        values = map(view.__getitem__, self._asked)
        answers = (subject, *[value if value.__class__ in _PLAIN else _exact(value) for value in values])
        kept = self._kept.get(answers)
        if kept is not None:
            return kept
        finding = self._judge_anew(view, subject)
        if finding.kind is not Kind.FAIL:  # what a failure says can name more facts
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[answers] = finding
        return finding

    def _judge_anew(self, view: View, subject: str) -> Finding:
        applies = weigh(self.rule.applies, view)
        if applies.truth is Truth.FALSE:
            return self._finding(Kind.NOT_APPLICABLE, subject, _quoted(applies.decided_by, view))
        fails = weigh(self.rule.fails, view)
        deciding = (*fails.decided_by, *applies.decided_by)
        # What certainly does not fail has passed, even where it stays open whether the check was due at all.
        if fails.truth is Truth.FALSE:
            return self._finding(Kind.PASS, subject, _quoted(deciding, view))
        if applies.truth is Truth.TRUE and fails.truth is Truth.TRUE:
            return self._failing(view, subject, deciding)
        blocked = tuple(dict.fromkeys((*applies.blocked_by, *fails.blocked_by)))
        return self._finding(Kind.UNKNOWN, subject, _quoted(self._questions, view), _undecided(blocked, view), blocked)

    def _failing(self, view: View, subject: str, deciding: tuple[Question, ...]) -> Finding:
        rule, cause = self.rule, self._cause_of(self.rule.cause)
        return Finding(
            check=rule.id,
            cause=rule.cause,
            kind=Kind.FAIL,
            severity=rule.severity,
            confidence=rule.confidence,
            title=cause.title,
            subject=subject,
            message=fill(rule.message, view),
            evidence=_quoted(deciding, view, keys_in(rule.message)),
            remedies=usable_remedies(cause.remedies, view),
            references=(*cause.references, *(entry for entry in rule.references if entry not in cause.references)),
        )

    def _finding(
        self,
        kind: Kind,
        subject: str,
        evidence: tuple[Evidence, ...] = (),
        message: str = "",
        blocked_by: tuple[str, ...] = (),
    ) -> Finding:
        return Finding(
            check=self.rule.id,
            cause=self.rule.cause,
            kind=kind,
            severity=self.rule.severity,
            confidence=self.rule.confidence,
            title=self._title,
            subject=subject,
            message=message,
            evidence=evidence,
            blocked_by=blocked_by,
        )


def _exact(value: Value | Unknown) -> object:
    """A value so that what differs in any way differs: 1 is not 1.0, and 12.4 is not 12.4.0, though they are equal."""
    if isinstance(value, tuple):
        return tuple([item if item.__class__ in _PLAIN else _exact(item) for item in value])
    return (value.__class__, str(value))


def _quoted(questions: tuple[Question, ...], view: View, named: Iterable[str] = ()) -> tuple[Evidence, ...]:
    """The known facts that were asked about, verbatim, and those whose being unknown was the answer."""
    found = []
    keys = _keys_of(questions)
    keys.update(dict.fromkeys(named))
    for key in keys:
        value = view[key]
        if isinstance(value, Unknown):
            if any(question.fact == key and question.op in _ABOUT_NOT_KNOWING for question in questions):
                found.append(Evidence(_source(key, view), _why(value)))
        elif key != DEVICE_INDEX:
            found.append(Evidence(_source(key, view), text_of(value)))
    return tuple(found)


def _source(key: str, view: View) -> str:
    return f"{key}[{view.index}]" if isinstance(view, DeviceFacts) and view.is_own(key) else key


def _keys_of(questions: Iterable[Question]) -> dict[str, None]:
    """The facts that questions name, each once, in order."""
    return {key: None for question in questions for key in (question.fact, question.value_of) if key}


def _why(value: Unknown) -> str:
    return f"unknown ({value.reason.value}{': ' if value.detail else ''}{value.detail})"


def _undecided(blocked: Iterable[str], view: View) -> str:
    """The sentence of a finding that could not be decided."""
    parts = []
    for key in blocked:
        value = view[key]
        parts.append(f"{key} is {_why(value) if isinstance(value, Unknown) else 'known only in part'}")
    return f"Not decided: {'; '.join(parts)}."
