"""Limits, use and events of our control group: a container's memory ends here, not at the machine's.

A limit counts wherever it is set on the way up, so each is the smallest of our own group's and its parents', and
use and events are those of the group that sets the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.cgroup_tree import Group, find_group, read_tree
from gpudoctor.collect.parsing import fact, keyed_integers, present, read_clean, read_integer, read_line, whole_number
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value

_INTEGER = FactType.INTEGER
FACTS = (
    FactSpec("cgroup.version", _INTEGER, "The cgroup version that rules our memory, else the one mounted: 1 or 2."),
    FactSpec("cgroup.layout", FactType.TEXT, "The hierarchies that are mounted: v1, v2 or hybrid."),
    FactSpec("cgroup.path", FactType.TEXT, "Our group as /proc/self/cgroup names it.", private=True),
    FactSpec("cgroup.memory_limit_bytes", _INTEGER, "The memory limit of our container.", "bytes"),
    FactSpec("cgroup.memory_high_bytes", _INTEGER, "Where the kernel starts to throttle and reclaim (v2).", "bytes"),
    FactSpec("cgroup.memory_used_bytes", _INTEGER, "Memory charged to the group, page cache included.", "bytes"),
    FactSpec("cgroup.memory_reclaimable_bytes", _INTEGER, "Of that, inactive file cache, which can go.", "bytes"),
    FactSpec("cgroup.memory_shared_bytes", _INTEGER, "Of that, shared memory (/dev/shm counts here).", "bytes"),
    FactSpec("cgroup.memory_peak_bytes", _INTEGER, "The most that was ever charged.", "bytes"),
    FactSpec("cgroup.memory_swap_limit_bytes", _INTEGER, "Swap that the group may use (v2).", "bytes"),
    FactSpec("cgroup.memory_limit_hit_count", _INTEGER, "How often the limit was run into."),
    FactSpec("cgroup.oom_count", _INTEGER, "How often the group ran out of memory (v2)."),
    FactSpec("cgroup.oom_kill_count", _INTEGER, "Processes of the group killed for memory since it was made."),
    FactSpec("cgroup.oom_kills_whole_group", FactType.BOOLEAN, "Whether one OOM kills all processes (v2)."),
    FactSpec("cgroup.oom_killer_disabled", FactType.BOOLEAN, "Whether processes hang instead of dying (v1)."),
    FactSpec("cgroup.pids_limit", _INTEGER, "Processes and threads that may exist."),
    FactSpec("cgroup.pids_used", _INTEGER, "Processes and threads that exist."),
    FactSpec("cgroup.pids_limit_hit_count", _INTEGER, "How often a fork was refused at the limit."),
    FactSpec("cgroup.cpu_limit_cores", FactType.NUMBER, "CPU time per time that the quota allows.", "cores"),
    FactSpec("cgroup.cpu_throttled_count", _INTEGER, "Periods in which the quota ran out."),
    FactSpec("cgroup.cpuset_cpus", FactType.TEXT, "Processors that the group may use, as in `0-7`."),
)
NO_LIMIT = Unknown(Reason.NOT_APPLICABLE, "no limit is set")
_ONLY_V2 = Unknown(Reason.NOT_APPLICABLE, "only cgroup v2 has this")
_ONLY_V1 = Unknown(Reason.NOT_APPLICABLE, "only cgroup v1 has this")
# cgroup v1 writes "no limit" as the largest page-aligned number; anything beyond 4 EiB is none.
_V1_UNLIMITED = 1 << 62


def parse_limit(text: str) -> int | None:
    """A limit file's number, None for no limit (`max`, v1's huge number, -1). ValueError for anything else."""
    if text.strip() == "max":
        return None
    number = whole_number(text, "limit")
    return None if number < 0 or number >= _V1_UNLIMITED else number


def parse_cpu_max(text: str) -> float | None:
    """`200000 100000` of cpu.max as 2.0 cores; None for `max`. ValueError for anything else."""
    quota, _, period = text.strip().partition(" ")
    return None if quota == "max" else cores(whole_number(quota, "quota"), whole_number(period, "period"))


def cores(quota: int, period: int) -> float | None:
    """Microseconds of CPU time in each period as cores, None for no quota. ValueError for an impossible period."""
    if quota < 0:
        return None
    if period <= 0:
        raise ValueError(f"a CPU period of {period}")
    return round(quota / period, 4)


def tightest(host: Host, group: Group, name: str) -> tuple[int | None, str]:
    """The smallest limit in a file of this name from our group upwards, and the folder that sets it.

    Without a limit anywhere, None and our own folder. Folders that cannot be read are passed over; when none can be,
    HostError or ValueError tells why, but for the root of all groups, which has no limit files.
    """
    best: int | None = None
    where = ""
    for folder in group.folders:
        answer = attempt(partial(_own_limit, host, f"{folder}/{name}"))
        if isinstance(answer, Unknown):
            continue
        limit = answer[0]
        if not where or (limit is not None and (best is None or limit < best)):
            best, where = limit, folder
    if not where and (len(group.folders) > 1 or present(host, f"{group.own}/{name}")):
        read_line(host, f"{group.own}/{name}")
    return best, where or group.own


def _own_limit(host: Host, path: str) -> tuple[int | None]:
    return (parse_limit(read_line(host, path)),)


def collect(host: Host) -> Iterable[Fact]:
    """The cgroup.* facts."""
    tree = attempt(lambda: read_tree(host))
    if isinstance(tree, Unknown):
        for spec in FACTS:
            yield Fact(spec.key, tree)
        return
    yield Fact("cgroup.layout", tree.layout)
    memory = attempt(lambda: find_group(host, tree, "memory"))
    if isinstance(memory, Unknown):
        yield Fact("cgroup.version", 2 if tree.layout == "v2" else 1)
        yield Fact("cgroup.path", tree.memberships[-1][2])
    else:
        yield Fact("cgroup.version", memory.version)
        yield Fact("cgroup.path", memory.path)
    yield from _each(memory, _MEMORY_KEYS, lambda group: _memory(host, group))
    yield from _each(attempt(lambda: find_group(host, tree, "pids")), _PIDS_KEYS, lambda group: _pids(host, group))
    yield from _each(attempt(lambda: find_group(host, tree, "cpu")), _CPU_KEYS, lambda group: _cpu(host, group))
    yield fact("cgroup.cpuset_cpus", lambda: _cpuset(host, find_group(host, tree, "cpuset")))


_MEMORY_KEYS = tuple(spec.key for spec in FACTS if ".memory_" in spec.key or ".oom_" in spec.key)
_PIDS_KEYS = tuple(spec.key for spec in FACTS if ".pids_" in spec.key)
_CPU_KEYS = ("cgroup.cpu_limit_cores", "cgroup.cpu_throttled_count")


def _each(group: Group | Unknown, keys: Iterable[str], read: Callable[[Group], Iterable[Fact]]) -> Iterable[Fact]:
    if isinstance(group, Unknown):
        return [Fact(key, group) for key in keys]
    return read(group)


def _memory(host: Host, group: Group) -> Iterable[Fact]:
    second = group.version == 2
    name = "memory.max" if second else "memory.limit_in_bytes"
    found = attempt(lambda: tightest(host, group, name))
    where = group.own if isinstance(found, Unknown) else found[1]
    yield _limit("cgroup.memory_limit_bytes", found)
    yield _limit("cgroup.memory_high_bytes", attempt(lambda: tightest(host, group, "memory.high")), second)
    yield _limit("cgroup.memory_swap_limit_bytes", attempt(lambda: tightest(host, group, "memory.swap.max")), second)
    used, peak = ("current", "peak") if second else ("usage_in_bytes", "max_usage_in_bytes")
    yield fact("cgroup.memory_used_bytes", lambda: read_integer(host, f"{where}/memory.{used}"))
    yield fact("cgroup.memory_peak_bytes", lambda: read_integer(host, f"{where}/memory.{peak}"))
    stat = attempt(partial(_keyed, host, f"{where}/memory.stat"))
    for key, names in (("reclaimable", ("total_inactive_file", "inactive_file")), ("shared", ("total_shmem", "shmem"))):
        yield Fact(f"cgroup.memory_{key}_bytes", _first(stat, names, "memory.stat"))
    yield from (_events(host, where) if second else _oom_control(host, where))
    yield _kills(host, group, where, "memory.events" if second else "memory.oom_control")


def _kills(host: Host, group: Group, where: str, name: str) -> Fact:
    # v1 counts a kill in the victim's own group only, v2 in all its parents too: the largest number is the fullest.
    folders = group.folders[: group.folders.index(where) + 1]
    tables = [attempt(partial(_keyed, host, f"{folder}/{name}")) for folder in folders]
    counts = [_first(table, ("oom_kill",), name) for table in tables]
    return Fact("cgroup.oom_kill_count", max((one for one in counts if isinstance(one, int)), default=counts[0]))


def _keyed(host: Host, path: str) -> dict[str, int]:
    return keyed_integers(read_clean(host, path, 65536))


def _events(host: Host, where: str) -> Iterable[Fact]:
    events = attempt(partial(_keyed, host, f"{where}/memory.events"))
    yield Fact("cgroup.memory_limit_hit_count", _first(events, ("max",), "memory.events"))
    yield Fact("cgroup.oom_count", _first(events, ("oom",), "memory.events"))
    yield fact("cgroup.oom_kills_whole_group", lambda: read_integer(host, f"{where}/memory.oom.group") == 1)
    yield Fact("cgroup.oom_killer_disabled", _ONLY_V1)


def _oom_control(host: Host, where: str) -> Iterable[Fact]:
    control = attempt(partial(_keyed, host, f"{where}/memory.oom_control"))
    disabled = _first(control, ("oom_kill_disable",), "memory.oom_control")
    yield fact("cgroup.memory_limit_hit_count", lambda: read_integer(host, f"{where}/memory.failcnt"))
    yield Fact("cgroup.oom_count", _ONLY_V2)
    yield Fact("cgroup.oom_kills_whole_group", _ONLY_V2)
    yield Fact("cgroup.oom_killer_disabled", disabled if isinstance(disabled, Unknown) else disabled == 1)


def _pids(host: Host, group: Group) -> Iterable[Fact]:
    found = attempt(lambda: tightest(host, group, "pids.max"))
    where = group.own if isinstance(found, Unknown) else found[1]
    yield _limit("cgroup.pids_limit", found)
    yield fact("cgroup.pids_used", lambda: read_integer(host, f"{where}/pids.current"))
    events = attempt(partial(_keyed, host, f"{where}/pids.events"))
    yield Fact("cgroup.pids_limit_hit_count", _first(events, ("max",), "pids.events"))


def _cpu(host: Host, group: Group) -> Iterable[Fact]:
    quotas = [attempt(partial(_quota, host, group, folder)) for folder in group.folders]
    told = [quota[0] for quota in quotas if not isinstance(quota, Unknown)]
    limits = [quota for quota in told if quota is not None]
    value: Value | Unknown = min(limits) if limits else NO_LIMIT
    own = quotas[0]
    yield Fact("cgroup.cpu_limit_cores", own if isinstance(own, Unknown) and not told else value)
    stat = attempt(partial(_keyed, host, f"{group.own}/cpu.stat"))
    yield Fact("cgroup.cpu_throttled_count", _first(stat, ("nr_throttled",), "cpu.stat"))


def _quota(host: Host, group: Group, folder: str) -> tuple[float | None]:
    if group.version == 2:
        try:
            return (parse_cpu_max(read_line(host, f"{folder}/cpu.max")),)
        except HostError as error:
            if error.absent:  # the root group has no cpu.max: nothing limits it
                return (None,)
            raise
    quota, period = f"{folder}/cpu.cfs_quota_us", f"{folder}/cpu.cfs_period_us"
    return (cores(read_integer(host, quota), read_integer(host, period)),)


def _cpuset(host: Host, group: Group) -> str:
    name = "cpuset.cpus.effective" if group.version == 2 else "cpuset.effective_cpus"
    return read_line(host, f"{group.own}/{name}")


def _limit(key: str, found: tuple[int | None, str] | Unknown, applies: bool = True) -> Fact:
    if not applies:
        return Fact(key, _ONLY_V2)
    if isinstance(found, Unknown):
        return Fact(key, found)
    return Fact(key, NO_LIMIT if found[0] is None else found[0])


def _first(found: dict[str, int] | Unknown, names: Iterable[str], where: str) -> int | Unknown:
    if isinstance(found, Unknown):
        return found
    silent = Unknown(Reason.NO_DATA, f"{where} does not tell {next(iter(names))}")
    return next((found[name] for name in names if name in found), silent)
