"""Resource limits of this process (`ulimit`): too few open files, locked pages or processes break training late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import read_clean
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

# Our name, the kernel's name in /proc/self/limits, the fact's key without and with "hard", unit, meaning.
_LIMITS = (
    ("nofile", "Max open files", "nofile", "nofile_hard", "", "Open files"),
    ("nproc", "Max processes", "nproc", "nproc_hard", "", "Processes and threads of this user"),
    ("memlock", "Max locked memory", "memlock_bytes", "memlock_hard_bytes", "bytes", "Locked memory"),
    ("stack", "Max stack size", "stack_bytes", "stack_hard_bytes", "bytes", "Stack of the main thread"),
    ("as", "Max address space", "address_space_bytes", "address_space_hard_bytes", "bytes", "Address space"),
    ("core", "Max core file size", "core_bytes", "core_hard_bytes", "bytes", "Size of a core file"),
    ("cpu", "Max cpu time", "cpu_seconds", "cpu_hard_seconds", "seconds", "CPU time"),
    ("data", "Max data size", "data_bytes", "data_hard_bytes", "bytes", "Data segment"),
    ("fsize", "Max file size", "fsize_bytes", "fsize_hard_bytes", "bytes", "Size of a written file"),
    ("rss", "Max resident set", "rss_bytes", "rss_hard_bytes", "bytes", "Resident memory (not enforced by Linux)"),
)
FACTS = tuple(
    FactSpec(f"limits.{key}", FactType.INTEGER, f"{meaning}: the {grade} limit; not applicable when unlimited.", unit)
    for _, _, soft, hard, unit, meaning in _LIMITS
    for key, grade in ((soft, "soft"), (hard, "hard"))
)
UNLIMITED = Unknown(Reason.NOT_APPLICABLE, "unlimited")
_INFINITY = 2**63


def parse_limits(text: str) -> dict[str, tuple[int, int]]:
    """/proc/self/limits as the kernel's names to (soft, hard), -1 for unlimited. ValueError when it has no limit."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"(Max [a-z ]{1,30}?)\s{2,}(\d{1,20}|unlimited)\s+(\d{1,20}|unlimited)\b", line)
        if match is not None:
            found[match[1]] = (_number(match[2]), _number(match[3]))
    if not found:
        raise ValueError("/proc/self/limits lists no limit")
    return found


def _number(text: str) -> int:
    return -1 if text == "unlimited" else int(text)


def _told(limits: object, name: str) -> int | None:
    if not isinstance(limits, Mapping):
        return None
    for key in (name, f"RLIMIT_{name.upper()}", f"rlimit_{name}"):
        value = limits.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _as_fact(key: str, number: int) -> Fact:
    return Fact(f"limits.{key}", UNLIMITED if number < 0 or number >= _INFINITY else number)


def collect(host: Host) -> Iterable[Fact]:
    """The limits.* facts, from the process's own figures, else from /proc/self/limits."""
    who = host.identity()
    file = attempt(lambda: parse_limits(read_clean(host, "/proc/self/limits", 65536)))
    for name, kernel_name, soft_key, hard_key, _, _ in _LIMITS:
        soft, hard = _told(who.get("soft_limits"), name), _told(who.get("hard_limits"), name)
        if soft is None or hard is None:
            if isinstance(file, Unknown) or kernel_name not in file:
                missing = file if isinstance(file, Unknown) else Unknown(Reason.NO_DATA, f"no {kernel_name!r} listed")
                yield Fact(f"limits.{soft_key}", missing)
                yield Fact(f"limits.{hard_key}", missing)
                continue
            soft, hard = file[kernel_name]
        yield _as_fact(soft_key, soft)
        yield _as_fact(hard_key, hard)
