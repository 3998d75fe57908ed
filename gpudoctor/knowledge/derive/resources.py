"""How full the things are that a container limits: shared memory, memory, processes."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("shm.used_percent", FactType.INTEGER, "Share of /dev/shm in use.", "percent"),
    FactSpec("shm.size_mebibytes", FactType.INTEGER, "Size of /dev/shm.", "mebibytes"),
    FactSpec(
        "cgroup.memory_used_percent", FactType.INTEGER, "Share of the memory limit that cannot be reclaimed.", "percent"
    ),
    FactSpec("cgroup.memory_limit_mebibytes", FactType.INTEGER, "The memory limit.", "mebibytes"),
    FactSpec("cgroup.pids_used_percent", FactType.INTEGER, "Share of the process limit in use.", "percent"),
)
INPUTS = (
    "shm.size_bytes",
    "shm.used_bytes",
    "cgroup.memory_limit_bytes",
    "cgroup.memory_used_bytes",
    "cgroup.memory_reclaimable_bytes",
    "cgroup.pids_limit",
    "cgroup.pids_used",
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """File cache that can go does not count as memory in use."""
    yield Fact("shm.used_percent", _share(facts, "shm.used_bytes", "shm.size_bytes"))
    yield Fact("shm.size_mebibytes", _mebibytes(facts, "shm.size_bytes"))
    free = facts.number("cgroup.memory_reclaimable_bytes") or 0
    yield Fact(
        "cgroup.memory_used_percent", _share(facts, "cgroup.memory_used_bytes", "cgroup.memory_limit_bytes", free)
    )
    yield Fact("cgroup.memory_limit_mebibytes", _mebibytes(facts, "cgroup.memory_limit_bytes"))
    yield Fact("cgroup.pids_used_percent", _share(facts, "cgroup.pids_used", "cgroup.pids_limit"))


def _share(facts: Facts, part: str, whole: str, less: float = 0) -> Value | Unknown:
    used, limit = facts.number(part), facts.number(whole)
    if used is None or limit is None:
        return _why(facts, whole if limit is None else part)
    if limit <= 0:
        return Unknown(Reason.NOT_APPLICABLE, "there is no limit")
    return int(100 * max(used - less, 0) / limit)


def _mebibytes(facts: Facts, key: str) -> Value | Unknown:
    size = facts.number(key)
    return _why(facts, key) if size is None else int(size) >> 20


def _why(facts: Facts, key: str) -> Unknown:
    value = facts[key]
    return value if isinstance(value, Unknown) else Unknown(Reason.NO_DATA)
