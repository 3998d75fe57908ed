"""Judges one check: over the machine, or over each of its GPUs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from gpudoctor.knowledge.conditions import Outcome, View, Weigher, prepare
from gpudoctor.knowledge.expand import fill, keys_in, text_of, usable_remedies
from gpudoctor.model.cause import Cause
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Facts, Reason, Unknown, Value
from gpudoctor.model.finding import MACHINE, Finding, Kind
from gpudoctor.model.record import record
from gpudoctor.model.rule import DEVICE_INDEX, Operator, Question, Rule, questions_of
from gpudoctor.model.truth import Truth

GPU_COUNT = "gpu.count"
_MOST_KEPT = 64
# Equal values of these classes are quoted alike; 1 and 1.0, or 12.4 and 12.4.0, are not.
_SAID_AS_IT_IS = frozenset((str, bool, Unknown))
_MOST_GPUS = 1024  # more than any machine has; a garbled document must not make us count to a billion
_FALSE, _FAIL = Truth.FALSE, Kind.FAIL  # by names of this module, as in conditions
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


@record
class _Grounds:
    """What follows from how a check's two conditions came out: the kind of the finding, the facts to quote, those
    whose absence left it open, and those whose not being known was an answer by itself."""

    kind: Kind
    quoted: tuple[str, ...]
    blocked_by: tuple[str, ...]
    not_known: tuple[str, ...]

    def __init__(
        self, kind: Kind, quoted: tuple[str, ...], blocked_by: tuple[str, ...], not_known: tuple[str, ...]
    ) -> None:
        held = self.__dict__
        held["kind"] = kind
        held["quoted"] = quoted
        held["blocked_by"] = blocked_by
        held["not_known"] = not_known


class Check:
    """A check with its cause's title, and with what gives the cause where it fails, ready to be judged over many
    machines. What it said of the last ones is kept: most
    machines give most checks the same to quote, word for word, and then it is the same finding."""

    def __init__(self, rule: Rule, title: str, cause_of: Callable[[str], Cause]) -> None:
        self.rule = rule
        self._title = title
        self._cause_of = cause_of
        self._applies = prepare(rule.applies)
        self._prepared: Weigher | None = None
        self._asked: tuple[str, ...] = ()
        self._grounds: dict[tuple[int, int], _Grounds] = {}
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
        if not self._asked:
            self._asked = tuple(_keys_of(self._questions()))
        for key in self._asked:
            value = views.machine[key]
            if isinstance(value, tuple) and key in views.per_device:
                counts.append(min(len(value), _MOST_GPUS))
        return max(counts, default=None)

    def _fails(self, view: View) -> Outcome:
        if self._prepared is None:  # half of the checks are not due on a machine, and one machine is what most runs see
            self._prepared = prepare(self.rule.fails)
        return self._prepared(view)

    def _questions(self) -> tuple[Question, ...]:
        return (*questions_of(self.rule.applies), *questions_of(self.rule.fails))

    def _without_count(self, views: Views) -> Finding:
        """Nobody knows how many GPUs there are: only what holds for any GPU can still rule the check out."""
        view = views.of_device(0)
        applies = self._applies(view)
        if applies.truth is Truth.FALSE:
            quoted = _quoted(tuple(_keys_of(applies.decided_by)), _not_known(applies.decided_by), view)
            return self._finding(Kind.NOT_APPLICABLE, MACHINE, quoted)
        blocked = tuple(dict.fromkeys((GPU_COUNT, *applies.blocked_by, *self._fails(view).blocked_by)))
        return self._finding(Kind.UNKNOWN, MACHINE, (), _undecided(blocked, view), blocked)

    def _judge(self, view: View, subject: str) -> Finding:
        applies = self._applies(view)
        fails = applies if applies.truth is _FALSE else self._fails(view)
        grounds = self._grounds.get((id(applies), id(fails)))  # both are kept by what weighs them
        if grounds is None:
            grounds = self._grounds[id(applies), id(fails)] = self._grounds_of(applies, fails)
        if grounds.kind is _FAIL:
            return self._failing(grounds, view, subject)
        values = map(view.__getitem__, grounds.quoted)
        said = (subject, id(grounds), *[v if v.__class__ in _SAID_AS_IT_IS else text_of(v) for v in values])
        kept = self._kept.get(said)
        if kept is not None:
            return kept
        evidence = _quoted(grounds.quoted, grounds.not_known, view)
        message = _undecided(grounds.blocked_by, view) if grounds.kind is Kind.UNKNOWN else ""
        finding = self._finding(grounds.kind, subject, evidence, message, grounds.blocked_by)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[said] = finding
        return finding

    def _grounds_of(self, applies: Outcome, fails: Outcome) -> _Grounds:
        if applies.truth is _FALSE:
            return _grounds(Kind.NOT_APPLICABLE, applies.decided_by)
        # What certainly does not fail has passed, even where it stays open whether the check was due at all.
        if fails.truth is _FALSE:
            return _grounds(Kind.PASS, (*fails.decided_by, *applies.decided_by))
        if applies.truth is Truth.TRUE and fails.truth is Truth.TRUE:
            return _grounds(Kind.FAIL, (*fails.decided_by, *applies.decided_by), named=keys_in(self.rule.message))
        # Of an outcome that was decided nothing is missing.
        return _grounds(Kind.UNKNOWN, self._questions(), (*applies.blocked_by, *fails.blocked_by))

    def _failing(self, grounds: _Grounds, view: View, subject: str) -> Finding:
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
            evidence=_quoted(grounds.quoted, grounds.not_known, view),
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


def _grounds(
    kind: Kind, questions: tuple[Question, ...], blocked_by: Iterable[str] = (), named: Iterable[str] = ()
) -> _Grounds:
    quoted = _keys_of(questions)
    if named:
        quoted.update(dict.fromkeys(named))
    return _Grounds(kind, tuple(quoted), tuple(dict.fromkeys(blocked_by)), _not_known(questions))


def _not_known(questions: tuple[Question, ...]) -> tuple[str, ...]:
    return tuple([question.fact for question in questions if question.op in _ABOUT_NOT_KNOWING])


def _quoted(keys: Iterable[str], not_known: Container[str], view: View) -> tuple[Evidence, ...]:
    """The known facts that were asked about, verbatim, and those whose being unknown was the answer."""
    found = []
    for key in keys:
        value = view[key]
        if isinstance(value, Unknown):
            if key in not_known:
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
