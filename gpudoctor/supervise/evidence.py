"""What was seen of a run becomes documents, and those an explanation: the way of `explain-exit`, with evidence that is
of this run alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterable
from typing import Any

from gpudoctor.explain import explain_documents, triggers_of
from gpudoctor.intake import kernel_log as kernel_reader
from gpudoctor.intake.registry import read_evidence
from gpudoctor.intake.scan import Triggers, scan, whole_characters
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.model.document import Document, Line
from gpudoctor.model.errors import GpudoctorError
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.explanation import Explained
from gpudoctor.model.fact import Fact
from gpudoctor.supervise.record import Record
from gpudoctor.supervise.ring_buffer import RingBuffer

# The inode of the first pid namespace: only there are the kernel's process ids ours.
FIRST_PIDS = "pid:[4026531836]"
MOST_FILES = 32
# The kernel's two ways of counting processor time differ by so much.
CLOCK_SECONDS = 0.1
MOST_CORE_NAMES = 5000
_PID = re.compile(r"\bpid=(\d+)|\[(\d+)\]:? |[Kk]illed? process (\d+)")
_GROUP = re.compile(r"task_memcg=([^,\s]+)")
_PCI = re.compile(r"PCI:([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})")


def exit_of(record: Record) -> ExitStatus:
    """The command's end, as certain as waitpid() knows it."""
    if os.WIFSIGNALED(record.status):
        return ExitStatus.parse(f"-{os.WTERMSIG(record.status)}")
    return ExitStatus.parse(str(os.WEXITSTATUS(record.status)))


def shell_code(record: Record) -> int:
    """What a shell's `$?` shows."""
    number = os.WTERMSIG(record.status) if os.WIFSIGNALED(record.status) else 0
    return 128 + number if number else os.WEXITSTATUS(record.status)


def explained(record: Record, catalogue: Catalogue) -> Explained:
    """Why the command ended like this."""
    return explain_documents(catalogue, exit_of(record), list(documents(record, triggers_of(catalogue))))


def documents(record: Record, triggers: Triggers) -> Iterable[Document]:
    """All that this run left, each piece with what it states."""
    for name, ring in record.outputs:
        yield _output(name, ring, triggers)
    yield Document("the control group's counters", "cgroup", facts=tuple(_counted(record)))
    lines = kernel_lines(record)
    if lines:
        text = "\n".join(lines)
        scanned = scan([text.encode("utf-8", "surrogateescape")], triggers)
        yield Document("the kernel's log", "kernel_log", scanned.lines, kernel_reader.read(text).facts, len(lines))
    events = gpu_events(record)
    if events:
        yield Document("NVML's events", "log", tuple(Line(0, line) for line in events))
    cores = new_core_files(record)
    if cores:
        facts = (Fact("core_files.count", len(cores)), Fact("core_files.found", tuple(cores)))
        yield Document("core files", "core_files", facts=facts)
    limits = _limits(record)
    if limits:
        yield Document("the limits of this run", "log", tuple(Line(0, line) for line in limits))
    for path in _left_files(record):
        with contextlib.suppress(GpudoctorError, OSError):
            yield from read_evidence([path], triggers)


def _output(name: str, ring: RingBuffer, triggers: Triggers) -> Document:
    gap = ring.left_out
    if gap <= 0:
        scanned = scan([bytes(ring.head) + ring.tail], triggers)
        return Document(name, "log", scanned.lines, (), scanned.line_count, ring.total)
    first, last = (scan([whole_characters(part)], triggers) for part in (bytes(ring.head), ring.tail))
    lines = first.lines + tuple(Line(0, line.text, line.times) for line in last.lines)
    note = f"{gap} bytes in its middle were not kept; the lines after them have no numbers"
    return Document(name, "log", lines, (), first.line_count + last.line_count, ring.total, (note,))


def difference(record: Record, name: str) -> int | None:
    """How far a counter moved during the run; None where it cannot be told."""
    before, after = record.before.get(name), record.after.get(name)
    return None if before is None or after is None else max(0, after - before)


def _counted(record: Record) -> Iterable[Fact]:
    told = signals_told(record)
    if told:
        yield Fact("run.signals", tuple(told))
    for name, key in (("oom_kill", "crash.oom_kill_count"), ("pids_refused", "crash.pids_limit_hits")):
        moved = difference(record, name)
        if moved is not None:
            yield Fact(key, moved)


def kernel_lines(record: Record) -> list[str]:
    """What the kernel said of this run's own processes, groups and GPUs; it says as much of everybody else's."""
    from gpudoctor.collect.kernel_log import kind_of, parse_kmsg

    if not record.log:
        return []
    try:
        same_numbers = os.readlink("/proc/self/ns/pid") == FIRST_PIDS
        own = [line.split(":", 2)[2] for line in _own_groups() if line.count(":") >= 2]
    except OSError:
        same_numbers, own = False, []
    groups = {path for path in own if path != "/"}
    pids = record.pids if same_numbers else frozenset()
    addresses = {_pci(gpu.get("pci", "")) for gpu in gpus(record)} - {""}
    found = []
    for line in parse_kmsg(record.log):
        named = {int(part) for match in _PID.finditer(line) for part in match.groups() if part}
        group = _GROUP.search(line)
        pci = _PCI.search(line)
        ours = named & pids or (group and group[1] in groups) or (pci and _pci(pci[1]) in addresses)
        if ours and kind_of(line):
            found.append(line)
    return found


def _own_groups() -> list[str]:
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()


def _pci(text: str) -> str:
    parts = text.lower().split(".")[0].split(":")
    return ":".join(parts[-2:]) if len(parts) >= 2 else ""


def gpus(record: Record) -> list[dict[str, Any]]:
    """What NVML told of each GPU."""
    found = _told(record).get("gpus")
    return [gpu for gpu in found if isinstance(gpu, dict)] if isinstance(found, list) else []


def gpu_events(record: Record) -> list[str]:
    """The Xid errors that NVML told of, in the kernel's spelling of place and code."""
    events = _told(record).get("events")
    return [
        f"NVML event: Xid (PCI:{str(event.get('pci', '')).split('.')[0]}): {event.get('xid')}, GPU {event.get('gpu')}"
        for event in (events if isinstance(events, list) else ())
        if isinstance(event, dict)
    ]


def _told(record: Record) -> dict[str, Any]:
    try:
        found = json.loads(record.gpu_line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def new_core_files(record: Record) -> list[str]:
    """Core files in the working directory, or where the kernel puts them, that are younger than the run."""
    from gpudoctor.collect.core_files import name_pattern

    pattern = ""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
        pattern = file.read().strip()
    wanted, found = name_pattern(pattern or "core"), []
    folders = [os.path.dirname(pattern)] if pattern.startswith("/") else []
    with contextlib.suppress(OSError):  # the command may have taken its working directory away
        folders.insert(0, os.getcwd())
    for folder in dict.fromkeys(folders):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for _, entry in zip(range(MOST_CORE_NAMES), entries):
                if wanted.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    state = entry.stat(follow_symlinks=False)
                    if state.st_mtime >= record.began:
                        found.append(f"{folder}/{entry.name} ({state.st_size})")
    return sorted(found)


def _limits(record: Record) -> list[str]:
    """The command's own limits, as far as it may have reached them: what it used of a processor decides of that one."""
    used = record.used.user_seconds + record.used.system_seconds
    # With each SIGXCPU the kernel raises the soft limit by a second.
    raised = 1.0 if os.WIFSIGNALED(record.status) and os.WTERMSIG(record.status) == signal.SIGXCPU else 0.0
    found = []
    for line in record.limits:
        numbers = [int(word) for word in line.split() if word.isdigit()]
        if not line.startswith("Max cpu time") or (numbers and used + raised + CLOCK_SECONDS >= min(numbers)):
            found.append(line)
    return found


def _left_files(record: Record) -> list[str]:
    found = []
    error_file = record.surroundings.error_file
    with contextlib.suppress(OSError):
        state = os.stat(error_file)
        if state.st_size and state.st_mtime >= record.began - 1:
            found.append(error_file)
    folder = record.surroundings.folder
    if record.surroundings.nccl_log.startswith(f"{folder}/") and folder:
        with contextlib.suppress(OSError):
            found += sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.startswith("nccl."))
    return found[:MOST_FILES]


def signals_told(record: Record) -> list[str]:
    """The signals that came from outside, each with who sent it."""
    told = []
    for arrived in record.signals:
        try:
            name = signal.Signals(arrived.number).name
        except ValueError:
            name = f"SIG{arrived.number}"
        sender = f" from process {arrived.sender}" if arrived.sender else " from outside of this container"
        told.append(name if arrived.from_kernel else f"{name}{sender} of user {arrived.sender_uid}")
    return told
