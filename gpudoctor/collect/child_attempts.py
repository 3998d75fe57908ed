"""Runs a driver child again without the call that killed it, so that one sick function costs only its own facts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason, Unknown
from gpudoctor.model.record import field, record

SCRIPTS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "scripts")
MACHINE = -1
MAXIMUM_RETRIES = 3
STDERR_LIMIT = 400  # characters of it in the detail of a fact; the whole stands in a fact of its own
SECONDS_TO_TRY_AGAIN = 2.0

Json = Any  # a value out of a result line, of whatever shape the child sent
Key = tuple[str, int]
Skip = tuple[Optional[str], Optional[int]]


def text_of(value: Json) -> str:
    """The value where it is text; ValueError where a child sent something else."""
    if not isinstance(value, str):
        raise ValueError(f"no text: {value!r}"[:200])
    return value


def code_of(line: Mapping[str, Json]) -> int | None:
    """The library's error code in a result line, where it has one."""
    code = line.get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


@record
class Plan:
    """How to run one driver child. `vital` steps carry all others: when one dies, no further child is started.

    `child_seconds` limits a whole child, `slow` the steps that may wake hardware, `step_seconds` any other step.
    """

    name: str
    script: str
    vital: frozenset[str]
    slow: tuple[str, ...]
    child_seconds: float
    slow_seconds: float
    step_seconds: float


@record
class Death:
    """One child that did not come to its end: the call that it was in, and how it ended."""

    step: str
    gpu: int
    call: str
    unknown: Unknown

    def distance(self, step: str, gpu: int, call: str) -> int:
        """How little this death has to do with a step that was not answered; `call` is what the step left out."""
        related = call == self.call if call else step == self.step
        if related:
            return 0 if gpu == self.gpu else 1
        return 2 if gpu == self.gpu != MACHINE else 3

    @property
    def words(self) -> str:
        """One line for a list of sick calls."""
        return self.unknown.detail.splitlines()[0]


@record
class Readings:
    """What all children together told: a line for each step and device, and the deaths on the way."""

    answers: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    deaths: tuple[Death, ...] = ()
    ends: tuple[ChildEnd, ...] = ()

    @property
    def outcome(self) -> str:
        """`not_started`, `crashed`, `timed_out` or `ok`, as the first child that went wrong (else the first) ended."""
        if not self.ends or self.ends[0].end is End.NOT_STARTED:
            return "not_started"
        if self.deaths:
            return "timed_out" if self.deaths[0].unknown.reason is Reason.TIMED_OUT else "crashed"
        return "ok"

    def missing(self, step: str, gpu: int) -> Unknown:
        """Why there is no answer to a step: the death that has most to do with it."""
        call = str(self.answers.get((step, gpu), {}).get("skipped", ""))
        if self.deaths:
            return min(self.deaths, key=lambda death: death.distance(step, gpu, call)).unknown
        if self.outcome == "not_started":
            end = self.ends[0] if self.ends else ChildEnd(End.NOT_STARTED)
            return Unknown(Reason.NO_DATA, f"the child was not started: {end.error or end.errno}")
        return Unknown(Reason.NO_DATA, "the child did not get that far")


def read_out(host: Host, plan: Plan) -> Readings:
    """Run the child, and again without its killers, at most MAXIMUM_RETRIES times and within the host's time."""
    ends: list[ChildEnd] = []
    deaths: list[Death] = []
    while len(ends) <= MAXIMUM_RETRIES:
        end = _run(host, plan, len(ends), _skips(deaths))
        if ends and end.end is End.NOT_STARTED:
            break
        ends.append(end)
        death = death_of(end, plan)
        if death is None:
            break
        deaths.append(death)
        if death.step in plan.vital or host.remaining() < SECONDS_TO_TRY_AGAIN:
            break
    return Readings(_merged(ends), tuple(deaths), tuple(ends))


def _run(host: Host, plan: Plan, retry: int, skips: Iterable[Skip]) -> ChildEnd:
    limits = {"": plan.step_seconds, **dict.fromkeys(plan.slow, plan.slow_seconds)}
    message = {"skip": [list(skip) for skip in skips], "limits": limits}
    name = f"{plan.name}-retry-{retry}" if retry else plan.name
    limit = min(plan.child_seconds, max(host.remaining(), 0.0))
    try:
        return host.run_script(name, sys.executable, os.path.join(SCRIPTS, plan.script), message, limit)
    except HostError as error:
        return ChildEnd(End.NOT_STARTED, errno=error.errno_name, error=error.detail)


def _skips(deaths: Iterable[Death]) -> list[Skip]:
    """A call that died for two devices is left out for all of them, and so is a device on which two calls died."""
    skips: list[Skip] = []
    for death in deaths:
        if any(call == death.call for call, _ in skips):
            skips.append((death.call, None))
        elif death.gpu != MACHINE and any(gpu == death.gpu for _, gpu in skips):
            skips.append((None, death.gpu))
        else:
            skips.append((death.call, death.gpu))
    return skips


def death_of(end: ChildEnd, plan: Plan) -> Death | None:
    """Which call a child died in; None when it came to its end (or never began)."""
    if end.ok or end.end is End.NOT_STARTED:
        return None
    last = end.lines[-1] if end.lines else {}
    begun = "begin" in last
    step, gpu = (str(last.get("step", "")), int(last.get("gpu", MACHINE))) if begun else ("import", MACHINE)
    call = str(last.get("begin")) if begun else "the start of the child"
    where = call if gpu == MACHINE else f"{call} for GPU {gpu}"
    seconds = plan.slow_seconds if step in plan.slow else plan.step_seconds
    if end.end is End.TIMED_OUT:
        reason, how = Reason.TIMED_OUT, f"had not returned when the child's time was over ({end.seconds:.1f} s)"
    elif end.signal == "SIGALRM":
        reason, how = Reason.TIMED_OUT, f"did not return within {seconds:g} s"
    elif end.end is End.SIGNALLED:
        reason, how = Reason.CRASHED, f"died of {end.signal}"
    else:
        reason, how = Reason.CRASHED, f"ended the process with exit status {end.status}"
    said = end.stderr.strip()[:STDERR_LIMIT]
    detail = f"{where} {how}" + (f"\n{said}" if said else "")
    return Death(step, gpu, call, Unknown(reason, detail))


def _merged(ends: Iterable[ChildEnd]) -> dict[Key, Mapping[str, Any]]:
    """The first complete answer to each step, or the word that it was left out; lines that make no sense are not
    read."""
    answers: dict[Key, Mapping[str, Any]] = {}
    for end in ends:
        for line in end.lines:
            step, gpu = line.get("step"), line.get("gpu", MACHINE)
            if not isinstance(step, str) or not isinstance(gpu, int) or "begin" in line:
                continue
            if (step, gpu) not in answers or "skipped" in answers[step, gpu]:
                answers[step, gpu] = line
    return answers
