"""The kernel's log: dmesg, `journalctl -k`, /var/log/kern.log, or a few of its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.model.fact import Fact

KIND = "kernel_log"
FACTS = ()
_STAMP = re.compile(
    r"^(?:<\d{1,3}>)?\[\s*\d{1,9}\.\d{6}\]|^\[\w{3} \w{3}\s+\d{1,2} [\d:]{8} \d{4}\]|^\S[^\n]{0,80}\bkernel:",
    re.MULTILINE,
)
_TYPICAL = re.compile(
    r"NVRM: |Out of memory: Kill|Memory cgroup out of memory|oom-kill:constraint|invoked oom-killer"
    r"|: segfault at [0-9a-f]|traps: .{1,40} (?:trap|general protection)|nvidia-uvm|AER: |oom_reaper: "
)
_XID = re.compile(r"NVRM: (?:GPU at \S{1,40}: )?Xid \(\S{1,40}?\): (\d{1,4})")
_KILLED = re.compile(r"(?:Killed|Kill) process \d{1,10} \(([^)\n]{1,40})\)")
_TASK = re.compile(r"oom-kill:[^\n]{0,400}?\btask=([^,\n]{1,40})")
_SEGFAULT = re.compile(r": segfault at [^\n]{1,200}? in ([^\s\[]{1,200})(?:\[|\s|$)", re.MULTILINE)
MOST_NAMES = 20


def recognises(beginning: str, name: str) -> float:
    """Lines with the kernel's time stamps, or texts that only the kernel writes, where they are most of it."""
    lines = [line for line in beginning[:65536].split("\n") if line.strip()]
    if not lines:
        return 0.0
    stamped = sum(1 for line in lines if _STAMP.match(line))
    typical = sum(1 for line in lines if _TYPICAL.search(line))
    if stamped * 2 >= len(lines) and (typical or stamped > 20):
        return 0.8
    if typical * 2 >= len(lines):
        return 0.75
    return 0.6 if stamped * 2 >= len(lines) else 0.0


def read(document: str) -> Reading:
    """OOM kills, Xid codes and segfaults in figures; the lines themselves are read as text besides."""
    return Reading((*_oom(document), *_rest(document)))


def _oom(document: str) -> Iterator[Fact]:
    of_cgroup = "Memory cgroup out of memory" in document or "CONSTRAINT_MEMCG" in document
    of_machine = re.search(r"(?<!cgroup )[Oo]ut of memory: Kill|global_oom|CONSTRAINT_NONE", document) is not None
    if not (of_cgroup or of_machine or "invoked oom-killer" in document or "oom-kill:" in document):
        return
    yield Fact("crash.kernel_oom", True)
    if of_cgroup or of_machine:
        yield Fact("crash.kernel_oom_scope", "cgroup" if of_cgroup else "machine")
    tasks = [*_KILLED.findall(document), *_TASK.findall(document)]
    if tasks:
        yield Fact("crash.kernel_oom_tasks", tuple(dict.fromkeys(tasks))[:MOST_NAMES])


def _rest(document: str) -> Iterator[Fact]:
    xids = [int(number) for number in _XID.findall(document)]
    if xids:
        yield Fact("crash.xids", tuple(dict.fromkeys(xids))[:MOST_NAMES])
    objects = _SEGFAULT.findall(document)
    if objects:
        yield Fact("crash.segfault_objects", tuple(dict.fromkeys(objects))[:MOST_NAMES])
