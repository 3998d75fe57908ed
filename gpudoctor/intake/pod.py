"""A Kubernetes pod as `kubectl get pod -o json` or `-o yaml` prints it, whole, reduced or a piece of its status."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake import partial_yaml
from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import decimal_bytes_of
from gpudoctor.intake.partial_json import parse
from gpudoctor.intake.plain_tree import Plain, integer, member, objects, text, texts_under
from gpudoctor.model.fact import Fact

KIND = "pod"
FACTS = ()
_KEYS = re.compile(
    r"""^[\s{\[,"'-]*\b(containerStatuses?|initContainerStatuses|lastState|terminated|restartCount|exitCode|podIP|phase"""
    r"""|nodeName|qosClass|hostIP|imagePullPolicy|restartPolicy|status|events?|conditions)["']?\s*:""",
    re.MULTILINE,
)
_SURE = {
    "containerStatuses",
    "containerStatus",
    "initContainerStatuses",
    "lastState",
    "restartCount",
    "terminated",
    "exitCode",
}
_TOLD = frozenset({"message", "reason", "status", "phase", "event", "events", "error", "describe", "note", "type"})
# Reasons that tell more than the exit code beside them, the most telling first.
TELLING = (
    "OOMKilled",
    "Evicted",
    "ContainerCannotRun",
    "StartError",
    "CreateContainerError",
    "CreateContainerConfigError",
    "RunContainerError",
    "Preempting",
    "Preempted",
    "NodeLost",
    "NodeShutdown",
    "Terminated",
    "Shutdown",
    "DeadlineExceeded",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "UnexpectedAdmissionError",
    "OutOfmemory",
    "OutOfcpu",
    "Unschedulable",
    "CrashLoopBackOff",
    "ContainerStatusUnknown",
    "Error",
    "Completed",
)
_TELLING_LOWER = {reason.lower(): place for place, reason in enumerate(TELLING)}


def recognises(beginning: str, name: str) -> float:
    """JSON or YAML with the keys of a pod or of its status."""
    found = {match[1] for match in _KEYS.finditer(beginning[:131072])}
    is_pod = re.search(r"""\bkind["']?\s*:\s*["']?(Pod|List|Job)\b""", beginning[:131072]) is not None
    braces = beginning.lstrip()[:1] in ("{", "[")
    if found & _SURE:
        return 0.9 if is_pod or len(found & _SURE) > 1 else 0.7
    if is_pod:
        return 0.8
    return 0.55 if braces and found & {"status", "events", "phase", "conditions"} else 0.0


def read(document: str) -> Reading:
    """How its containers ended, by the one that ended worst."""
    notes: tuple[str, ...] = ()
    if document.lstrip()[:1] in ("{", "[", '"'):
        value, whole = parse(document)
        notes = () if whole else ("it is not whole JSON; it was read as far as it goes",)
    else:
        value = partial_yaml.parse(document)
    return Reading(tuple(facts_of_pod(value)), tuple(_messages(value)), notes)


def facts_of_pod(value: Plain) -> Iterator[Fact]:
    """What a pod's value states, whatever of it is there."""
    yield Fact("crash.context", ("container", "k8s"))
    ends = [entry for entry in objects(value) if {"exitCode", "ExitCode", "exit_code"} & set(entry)]
    worst = max(ends, key=_badness, default=None)
    if worst is not None:
        code = integer(member(worst, "exitCode"))
        code = integer(member(worst, "exit_code")) if code is None else code
        if code is not None:
            yield Fact("crash.exit_code", code)
    reasons = [reason for _, reason in texts_under(value, frozenset({"reason", "status", "waiting", "lastreason"}))]
    if worst is not None and text(member(worst, "reason")):
        reasons = [text(member(worst, "reason")), *[r for r in reasons if r.lower() == "evicted"]]
    known = sorted((r for r in reasons if r.lower() in _TELLING_LOWER), key=lambda r: _TELLING_LOWER[r.lower()])
    if known:
        yield Fact("crash.reason", TELLING[_TELLING_LOWER[known[0].lower()]])
        yield Fact("crash.oom_killed", known[0].lower() == "oomkilled")
    restarts = [integer(member(entry, "restartCount")) for entry in objects(value)]
    counted = [number for number in restarts if number is not None]
    if counted:
        yield Fact("crash.restart_count", max(counted))
    yield from _limits(value)


def _badness(entry: dict[str, Plain]) -> tuple[bool, bool]:
    code = integer(member(entry, "exitCode"))
    return (text(member(entry, "reason")) == "OOMKilled", bool(code))


def _limits(value: Plain) -> Iterator[Fact]:
    limits = [member(entry, "limits") for entry in objects(value) if isinstance(member(entry, "limits"), dict)]
    wanted = [member(entry, "requests") for entry in objects(value) if isinstance(member(entry, "requests"), dict)]
    memory = [decimal_bytes_of(str(member(entry, "memory"))) for entry in limits if member(entry, "memory") is not None]
    known = [number for number in memory if number]
    if known:
        yield Fact("crash.memory_limit_bytes", min(known))
    if limits or wanted:
        asks = any(str(key).startswith(("nvidia.com/", "amd.com/")) for entry in (*limits, *wanted) for key in entry)
        yield Fact("crash.gpu_requested", asks)


def _messages(value: Plain) -> Iterator[str]:
    for key, told in texts_under(value, _TOLD):
        yield f"{key}: {told}"
    for entry in objects(value):
        for key in ("events", "messages", "conditions"):
            items = entry.get(key)
            for item in items if isinstance(items, list) else []:
                if isinstance(item, str):
                    yield f"{key}: {item}"
