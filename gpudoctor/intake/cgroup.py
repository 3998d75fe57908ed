"""The counters of a control group as they were copied: memory.events, memory.oom_control, pids.events."""

from __future__ import annotations

import re

from gpudoctor.intake.base import Reading
from gpudoctor.model.fact import Fact

KIND = "cgroup"
FACTS = ()
_COUNTER = re.compile(
    r"^\s*(?:\S{0,200}(?:memory\.events(?:\.local)?|memory\.oom_control|pids\.events)\s*:\s*)?"
    r"(low|high|max|oom|oom_kill|oom_group_kill|sock_throttled|oom_kill_disable|under_oom)\s+(\d{1,18})\s*$",
    re.MULTILINE,
)


def recognises(beginning: str, name: str) -> float:
    """Lines of a counter's name and a number, and hardly anything else."""
    part = beginning[:16384]
    lines = [line for line in part.split("\n") if line.strip()]
    counters = _COUNTER.findall(part)
    if not counters or len(counters) * 2 < len(lines):
        return 0.0
    names = {counter for counter, _ in counters}
    if names & {"oom_kill", "oom_kill_disable", "under_oom"}:
        return 0.95
    if names == {"max"}:
        return 0.9 if "pids" in name + part else 0.0
    return 0.6 if len(names) == len(lines) > 2 else 0.0


def read(document: str) -> Reading:
    """The largest number of each counter, where several groups were copied."""
    counts: dict[str, int] = {}
    for counter, number in _COUNTER.findall(document):
        counts[counter] = max(counts.get(counter, 0), int(number))
    facts = []
    if "oom_kill" in counts:
        facts += [Fact("crash.oom_kill_count", counts["oom_kill"]), Fact("cgroup.oom_kill_count", counts["oom_kill"])]
    if "oom" in counts:
        facts.append(Fact("cgroup.oom_count", counts["oom"]))
    if set(counts) == {"max"}:
        facts.append(Fact("crash.pids_limit_hits", counts["max"]))
    return Reading(tuple(facts))
