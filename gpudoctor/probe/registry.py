"""Everything that the target interpreter can tell: choose it, run it, and turn its lines into facts.

The subject modules beside this one are found on disk by their `facts` function; each declares its facts in `FACTS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import gpudoctor.probe
from gpudoctor.host.base import Host
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.record import record
from gpudoctor.model.registry import modules_of, specs_of
from gpudoctor.model.run import Run
from gpudoctor.model.version import Version
from gpudoctor.probe import answers, target, zygote

TYPES: dict[FactType, tuple[type, ...]] = {
    FactType.TEXT: (str,),
    FactType.VERSION: (Version,),
    FactType.INTEGER: (int,),
    FactType.NUMBER: (int, float),
    FactType.BOOLEAN: (bool,),
}
IMPORT_OUTCOMES = {"imported": "completed", "started": "crashed", "import_error": "failed", "exited": "failed"}
STEP_OUTCOMES = {"exited": "crashed", "blocked": "skipped", "started": "crashed"}


@record
class ProbeSettings:
    """What to examine. `python`: the interpreter the user gave. `kind`: what the report calls the host.
    `groups`: further groups of steps, such as probes, which run after the built-in look at the runtime."""

    python: str = ""
    import_torch: bool = True
    kind: str = "live"
    groups: Sequence[zygote.Group] = ()


@record
class Examination:
    """What came of it: every declared fact, known or not; how child and steps ended; which interpreter it was."""

    facts: tuple[Fact, ...]
    runs: tuple[Run, ...]
    target: Target


def modules() -> tuple[ModuleType, ...]:
    """The subject modules, sorted by name."""
    return modules_of(gpudoctor.probe, having="facts")


def fact_specs() -> dict[str, FactSpec]:
    """Every fact that the target interpreter can tell, by key."""
    return specs_of(modules())


def examine(host: Host, settings: ProbeSettings | None = None) -> Examination:
    """Examine the target interpreter once. Raises ExaminationError when the one that was asked for is none."""
    settings = settings or ProbeSettings()
    choice = target.choose(host, settings.python)
    groups = (zygote.RUNTIME, *settings.groups) if settings.import_torch else ()
    end, plan = zygote.start(host, choice, settings.import_torch, groups)
    facts = tuple(facts_of(end, plan))
    return Examination(facts, tuple(runs_of(end, plan)), described(choice, end, settings.kind))


def unanswered(python: str) -> Examination:
    """What stands for an examination that was given up: looking for the interpreter never came back."""
    end = ChildEnd(End.TIMED_OUT, error="a file or folder of the interpreter did not answer in time")
    return Examination(tuple(facts_of(end, {})), tuple(runs_of(end, {})), Target("live", python, end.error))


def described(choice: target.Choice, end: ChildEnd, kind: str) -> Target:
    """The target for the report; a recording knows its interpreter only by what that said of itself."""
    if not choice.interpreter:
        itself = answers.text(answers.said(end, "interpreter").get("executable"))
        if itself:
            return Target(kind, itself, "the interpreter that was recorded")
    return Target(kind, choice.interpreter, choice.reason)


def facts_of(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All declared facts; a module that breaks on strange lines costs only its own."""
    for module in modules():
        found: dict[str, Fact] = {}
        missing = Unknown(Reason.NO_DATA, "the examination did not yield it")
        try:
            for fact in module.facts(end, plan):
                found[fact.key] = fact
        except Exception as error:  # noqa: BLE001 - the lines come from an interpreter that foreign code ran in
            missing = Unknown(Reason.CRASHED, f"{type(error).__name__}: {str(error)[:300]}")
        for spec in module.FACTS:
            fact = found.get(spec.key, Fact(spec.key, missing))
            if isinstance(fact.value, Unknown) or fits(fact.value, spec.type):
                yield fact
            else:
                yield Fact(spec.key, Unknown(Reason.UNPARSEABLE, f"no {spec.type.value}: {fact.value!r}"[:300]))


def fits(value: Value, declared: FactType) -> bool:
    """Whether a value is of its declared type; foreign code can make any line say anything."""
    if declared.is_list:
        return isinstance(value, tuple) and all(
            isinstance(element, Unknown) or fits(element, declared.element) for element in value
        )
    if isinstance(value, bool):
        return declared is FactType.BOOLEAN
    return isinstance(value, TYPES[declared])


def runs_of(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Run]:
    """How the child, the import and each step ended."""
    outcome = {End.TIMED_OUT: "timed_out", End.SIGNALLED: "crashed", End.NOT_STARTED: "failed"}.get(end.end, "")
    outcome = outcome or ("completed" if end.ok else "failed")
    code = end.status if end.end is End.EXITED else None
    tail = "" if end.ok else end.stderr[-4000:]
    yield Run(zygote.CHILD, outcome, end.seconds, end.error, tail, end.signal, code)
    line = answers.said(end, "torch_import")
    if line:
        known = IMPORT_OUTCOMES.get(str(line.get("outcome")), "failed")
        if line.get("outcome") == "started" and end.end is End.TIMED_OUT:
            known = "timed_out"
        yield Run("torch.import", known, seconds_of(line), answers.text(line.get("error")))
    for group in plan.get("groups", ()):
        for step in group["steps"]:
            line = answers.said(end, step["name"])
            if line:
                yield step_run(step["name"], line)


def step_run(name: str, line: Mapping[str, Any]) -> Run:
    """One step's line as a run."""
    outcome = str(line.get("outcome", "started"))
    code = line.get("status")
    return Run(
        name=f"step.{name}",
        outcome=STEP_OUTCOMES.get(outcome, outcome),
        seconds=seconds_of(line),
        detail=answers.text(line.get("error")),
        stderr_tail=answers.text(line.get("output"))[-4000:],
        signal=answers.signal_of(line),
        exit_code=code if isinstance(code, int) else None,
    )


def seconds_of(line: Mapping[str, Any]) -> float:
    """How long a line says that it took."""
    seconds = line.get("seconds", 0.0)
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0
