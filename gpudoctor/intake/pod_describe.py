"""The text of `kubectl describe pod`: states of its containers, limits, and the events at its end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import decimal_bytes_of
from gpudoctor.intake.pod import TELLING
from gpudoctor.model.fact import Fact

KIND = "pod"
FACTS = ()
_FIELDS = re.compile(
    r"^\s{0,12}(Last State|State|Exit Code|Restart Count|Reason|Container ID|Image ID|Controlled By|QoS Class"
    r"|Node-Selectors|Tolerations|Start Time|Service Account|Conditions|Events|Started|Finished|Ready|Limits):",
    re.MULTILINE,
)
_STATE = re.compile(r"^\s*(?:Last State|State):\s+(\w+)")
_FIELD = re.compile(r"^\s*(Reason|Exit Code|Signal|Restart Count|Status|Message):\s+(.{1,400}?)\s*$")
_GPU = re.compile(r"^\s*(?:nvidia|amd)\.com/\S{1,40}:\s+[1-9]", re.MULTILINE)
_MEMORY = re.compile(r"^\s*memory:\s+(\S{1,24})\s*$")


def recognises(beginning: str, name: str) -> float:
    """Several of the field names that only `describe` writes."""
    found = {match[1] for match in _FIELDS.finditer(beginning[:131072])}
    if {"Exit Code", "Last State", "State", "Restart Count"} & found:
        return min(0.9, 0.35 + 0.15 * len(found))
    return 0.6 if len(found) >= 4 else 0.0


def read(document: str) -> Reading:
    """The worst end among its containers; the lines themselves are read as text besides."""
    lines = document.split("\n")
    facts = [Fact("crash.context", ("container", "k8s"))]
    ends = list(_ends(lines))
    if ends:
        code, reason = max(ends, key=lambda end: (end[1] == "OOMKilled", bool(end[0])))
        if code is not None:
            facts.append(Fact("crash.exit_code", code))
        if reason in TELLING:
            facts.append(Fact("crash.reason", reason))
            facts.append(Fact("crash.oom_killed", reason == "OOMKilled"))
    facts += _whole_pod(lines, bool(ends))
    return Reading(tuple(facts))


def _ends(lines: list[str]) -> Iterator[tuple[int | None, str]]:
    """(exit code, reason) of each state that is an end; of a cut-out piece, that can be a reason alone."""
    reason, inside = "", False
    for line in (*lines, "State: End"):
        state = _STATE.match(line)
        if state is not None:
            if inside and reason in TELLING:
                yield None, reason
            reason, inside = "", state[1] == "Terminated"
            continue
        field = _FIELD.match(line) if inside else None
        if field is None:
            continue
        if field[1] == "Reason":
            reason = field[2]
        elif field[1] == "Exit Code":
            code = field[2]
            yield (int(code) if re.fullmatch(r"-?\d{1,10}", code) else None, reason)
            inside = False


def _whole_pod(lines: list[str], has_end: bool) -> Iterator[Fact]:
    restarts = []
    in_limits = False
    limits = []
    for line in lines:
        field = _FIELD.match(line)
        if field and field[1] == "Restart Count" and field[2].isdecimal() and len(field[2]) < 10:
            restarts.append(int(field[2]))
        if field and field[1] == "Reason" and field[2] in ("Evicted", "NodeLost", "Preempting") and not has_end:
            yield Fact("crash.reason", field[2])
            has_end = True
        if re.match(r"\s*(Limits|Requests|Environment|Mounts|Args|State):", line):
            in_limits = "Limits:" in line
        memory = _MEMORY.match(line) if in_limits else None
        size = decimal_bytes_of(memory[1]) if memory else None
        if size:
            limits.append(size)
    if restarts:
        yield Fact("crash.restart_count", max(restarts))
    if limits:
        yield Fact("crash.memory_limit_bytes", min(limits))
    if _GPU.search("\n".join(lines)):
        yield Fact("crash.gpu_requested", True)
