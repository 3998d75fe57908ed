"""What a probe is: its declaration, the steps that it asks the zygote for, and the facts that every probe has.

A probe is one step script (`scripts/step_<name>.py`, with a function `probe(bench)`) and one subject module beside
this one (`<name>.py`, with `PROBE`, `FACTS` and `facts`). Both are found on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import gpudoctor.probe
from gpudoctor.model.child import ChildEnd
from gpudoctor.model.errors import UsageError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.record import field, record
from gpudoctor.model.registry import modules_of
from gpudoctor.probe import answers, zygote

LEVELS = {"none": (), "quick": ("quick",), "full": ("quick", "full")}
OUTCOMES = ("passed", "wrong_result", "failed", "crashed", "timed_out", "not_applicable", "not_requested")
# A step that ends before this part of its own limit was not too slow: the whole run had no more time for it.
OWN_LIMIT_SHARE = 0.9
ASKING_FOR_GPUS = "cuda"  # the step of the runtime group that asks torch for its GPUs
SILENT = Unknown(Reason.NOT_APPLICABLE, "it said nothing")


@record
class ProbeSpec:
    """The declaration of a probe, called PROBE in its module.

    `level`: `quick`, or `full` for what runs only when asked. `title`: a few words for a report. `limit_s`: seconds
    after which its child is ended. Probes of one `group` share a child, and with it a CUDA context, as long as they
    pass; an empty one is the level's. `order` sorts within a level. `options` reach the script as `bench.options`.
    A `judged_alone` probe has checks of its own for each of its ends; the others share those over `probe.failed`
    and the like. With `folder` the script finds the name of an empty folder as `bench.options["folder"]`, which is
    taken away however the probe ends.
    """

    name: str
    level: str
    title: str
    limit_s: float = 20.0
    group: str = ""
    order: int = 50
    libraries: bool = False
    judged_alone: bool = False
    folder: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def common_facts(self) -> tuple[FactSpec, ...]:
        """The facts that every probe has."""
        key = f"probe.{self.name}"
        shared = FactSpec(f"{key}.level", FactType.TEXT, "quick or full: which of the shared checks judge how it ended")
        return (
            *(() if self.judged_alone else (shared,)),
            FactSpec(f"{key}.outcome", FactType.TEXT, f"how it ended: {', '.join(OUTCOMES)}"),
            FactSpec(f"{key}.device", FactType.TEXT, "the device that it ran on: cpu, or one such as cuda:0"),
            FactSpec(f"{key}.said", FactType.TEXT, "the error or the reason that it gave, word for word", private=True),
            FactSpec(f"{key}.signal", FactType.TEXT, "the signal that ended it"),
            FactSpec(f"{key}.output", FactType.TEXT, "what was printed meanwhile", private=True),
        )


def all_probes() -> tuple[ProbeSpec, ...]:
    """Every probe on disk: quick ones first, then by their order."""
    found = [module.PROBE for module in modules_of(gpudoctor.probe, having="PROBE")]
    return tuple(sorted(found, key=lambda one: (one.level != "quick", one.order, one.name)))


def chosen(level: str, names: Sequence[str] = ()) -> tuple[ProbeSpec, ...]:
    """The probes of a level, or those with these names. UsageError for a name that no probe has."""
    probes = all_probes()
    unknown = sorted(set(names) - {one.name for one in probes})
    if unknown:
        raise UsageError(f"There is no probe {unknown[0]!r}. There are: {', '.join(one.name for one in probes)}.")
    if names:
        return tuple(one for one in probes if one.name in names)
    return tuple(one for one in probes if one.level in LEVELS[level])


def groups_for(probes: Sequence[ProbeSpec], device: str = "") -> tuple[zygote.Group, ...]:
    """The groups of steps that run these probes on a device; empty for the first GPU, or the CPU without one."""
    gathered: dict[str, list[ProbeSpec]] = {}
    for one in probes:
        gathered.setdefault(one.group or one.level, []).append(one)
    return tuple(
        zygote.Group(
            name,
            [
                zygote.Step(one.name, one.limit_s, options={**one.options, "device": device}, folder=one.folder)
                for one in members
            ],
            libraries=any(one.libraries for one in members),
            fresh_after_failure=True,
            needs=(ASKING_FOR_GPUS,),
        )
        for name, members in gathered.items()
    )


def outcome(probe: ProbeSpec, end: ChildEnd, plan: Mapping[str, Any]) -> str | Unknown:
    """How a probe ended, in a word of OUTCOMES; unknown where it was to run and nothing tells how it went."""
    step = step_in(plan, probe.name)
    if step is None:
        return "not_requested"
    line = answers.said(end, probe.name)
    ended = line.get("outcome", "")
    if not ended and answers.said(end, "end"):
        # It came to its end and was never asked: a recording that was made without this probe, or before there was one.
        return answers.why_no_torch(end, plan) or "not_requested"
    if not ended or ended == "started":
        return answers.why_no_torch(end, plan) or answers.why_silent(end)
    if ended == "completed":
        verdict = line.get("verdict")
        return verdict if verdict in OUTCOMES else Unknown(Reason.NO_DATA, "the probe gave no verdict")
    if ended == "timed_out" and answered(line.get("seconds")) < OWN_LIMIT_SHARE * float(step.get("limit_s", 0)):
        return Unknown(Reason.TIMED_OUT, "the run's time was up before the probe had had its own")
    if ended == "blocked":
        return answers.why_step_failed(end, probe.name)
    if ended == "failed":
        out_of_room = answers.text(line.get("error_type")) in ("OSError", "BlockingIOError") and "traceback" not in line
        return Unknown(Reason.NO_DATA, answers.text(line.get("error"))) if out_of_room else "failed"
    return {"crashed": "crashed", "exited": "crashed", "timed_out": "timed_out"}.get(
        ended, Unknown(Reason.NO_DATA, f"the step ended as {ended}")
    )


def facts_of_probe(
    probe: ProbeSpec, specs: Sequence[FactSpec], end: ChildEnd, plan: Mapping[str, Any]
) -> Iterable[Fact]:
    """Every fact of a probe: the common ones, and each figure from what the script emitted under the key's last part.

    A figure of a probe that did not pass keeps what was measured before it ended.
    """
    how = outcome(probe, end, plan)
    line = answers.said(end, probe.name) if how != "not_requested" else {}
    key = f"probe.{probe.name}"
    missing = why_no_figure(probe, end, how, line)
    if not probe.judged_alone:
        yield Fact(f"{key}.level", probe.level)
    yield Fact(f"{key}.outcome", how)
    yield Fact(f"{key}.device", answers.known_or(answers.text(line.get("device")), missing))
    yield Fact(
        f"{key}.said", answers.known_or(words(line), missing if missing.reason is not Reason.NO_DATA else SILENT)
    )
    no_signal = Unknown(Reason.NOT_APPLICABLE, "no signal")
    yield Fact(f"{key}.signal", answers.known_or(answers.signal_of(line), no_signal if line else missing))
    yield Fact(f"{key}.output", answers.known_or(answers.text(line.get("output")), SILENT if line else missing))
    common = {spec.key for spec in probe.common_facts()}
    for spec in specs:
        if spec.key not in common:
            value = line.get(spec.key[len(key) + 1 :])
            yield Fact(spec.key, missing if value is None else plain(value, spec.type))


def words(line: Mapping[str, Any]) -> str:
    """What a probe said for itself: its reason, or its exception."""
    return answers.text(line.get("reason")) or answers.text(line.get("error"))


def why_no_figure(probe: ProbeSpec, end: ChildEnd, how: str | Unknown, line: Mapping[str, Any]) -> Unknown:
    """Why a probe has no value to show for something."""
    if isinstance(how, Unknown):
        return how
    if how == "not_requested":
        return Unknown(Reason.NOT_REQUESTED, "this probe was not asked for")
    if how == "not_applicable":
        return Unknown(Reason.NOT_APPLICABLE, words(line))
    if how in ("passed", "wrong_result"):
        return Unknown(Reason.NOT_APPLICABLE, "not measured on this device")
    return answers.why_step_failed(end, probe.name)


def step_in(plan: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """A step of the plan; None where it was not asked for."""
    steps = (step for group in plan.get("groups", ()) for step in group["steps"])
    return next((step for step in steps if step["name"] == name), None)


def answered(seconds: object) -> float:
    """A number of seconds that a line tells; 0 where it tells none."""
    return float(seconds) if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) else 0.0


def plain(value: object, declared: FactType) -> Value | Unknown:
    """What a script emitted, as the value of a fact; the registry refuses what is not of the declared type."""
    if declared.is_list and isinstance(value, list):
        return tuple(Unknown(Reason.NO_DATA, "not measured") if one is None else one for one in value)
    if declared is FactType.VERSION:
        return answers.version(value)
    if declared is FactType.NUMBER and isinstance(value, float) and value in (float("inf"), float("-inf")):
        return Unknown(Reason.UNPARSEABLE, "not a finite number")
    return cast("Value", value)
