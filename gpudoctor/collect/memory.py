"""Main memory of the machine; the limit of our own container is the subject of `cgroup`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, read_clean, read_integer, read_line
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("memory.total_bytes", FactType.INTEGER, "Main memory of the machine.", "bytes"),
    FactSpec("memory.available_bytes", FactType.INTEGER, "Main memory that could be taken without swapping.", "bytes"),
    FactSpec("memory.swap_total_bytes", FactType.INTEGER, "Swap space.", "bytes"),
    FactSpec("memory.swap_free_bytes", FactType.INTEGER, "Swap space that is free.", "bytes"),
    FactSpec("memory.huge_pages_total", FactType.INTEGER, "Huge pages set aside."),
    FactSpec("memory.overcommit_mode", FactType.INTEGER, "vm.overcommit_memory: 0 heuristic, 1 always, 2 never."),
    FactSpec("memory.max_map_count", FactType.INTEGER, "vm.max_map_count: mappings that one process may have."),
    FactSpec("memory.transparent_huge_pages", FactType.TEXT, "The chosen mode: always, madvise or never."),
)
_MEMINFO = (
    ("memory.total_bytes", "MemTotal", 1024),
    ("memory.available_bytes", "MemAvailable", 1024),
    ("memory.swap_total_bytes", "SwapTotal", 1024),
    ("memory.swap_free_bytes", "SwapFree", 1024),
    ("memory.huge_pages_total", "HugePages_Total", 1),
)


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo by name, in the file's own units. ValueError when it does not tell MemTotal."""
    found = {name: int(number) for name, number in re.findall(r"^(\w{1,40}):\s+(\d{1,18})\b", text, re.MULTILINE)}
    if "MemTotal" not in found:
        raise ValueError("/proc/meminfo does not tell MemTotal")
    return found


def parse_bracketed(text: str) -> str:
    """The chosen word of `always [madvise] never`; ValueError when none is chosen."""
    match = re.search(r"\[(\w{1,20})\]", text)
    if match is None:
        raise ValueError("no choice is marked")
    return match[1]


def collect(host: Host) -> Iterable[Fact]:
    """The memory.* facts. Where /proc/meminfo is missing, what the host's own means tell."""
    info = attempt(lambda: parse_meminfo(read_clean(host, "/proc/meminfo")))
    who = host.identity()
    for key, name, unit in _MEMINFO:
        told = who.get(key.replace(".", "_"))
        if not isinstance(info, Unknown) and name in info:
            yield Fact(key, info[name] * unit)
        elif isinstance(told, int):
            yield Fact(key, told)
        else:
            yield Fact(key, info if isinstance(info, Unknown) else Unknown(Reason.NO_DATA, f"no {name} in meminfo"))
    yield fact("memory.overcommit_mode", lambda: read_integer(host, "/proc/sys/vm/overcommit_memory"))
    yield fact("memory.max_map_count", lambda: read_integer(host, "/proc/sys/vm/max_map_count"))
    yield fact(
        "memory.transparent_huge_pages",
        lambda: parse_bracketed(read_line(host, "/sys/kernel/mm/transparent_hugepage/enabled")),
    )
