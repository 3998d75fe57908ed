"""Holds that the right control group is found in v1, v2 and mixed trees, and that its files are understood."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import cgroup
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

V2_MOUNT = "1104 1099 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n"
V2_FILES = {
    "memory.max": "8589934592\n",
    "memory.high": "max\n",
    "memory.current": "8123456789\n",
    "memory.peak": "8589934592\n",
    "memory.swap.max": "0\n",
    "memory.stat": "anon 7000000000\nfile 900000000\nshmem 67108864\ninactive_file 500000000\n",
    "memory.events": "low 0\nhigh 0\nmax 931\noom 4\noom_kill 3\noom_group_kill 0\n",
    "memory.oom.group": "1\n",
    "pids.max": "4096\n",
    "pids.current": "211\n",
    "pids.events": "max 2\n",
    "cpu.max": "150000 100000\n",
    "cpu.stat": "usage_usec 1\nnr_periods 10\nnr_throttled 7\n",
    "cpuset.cpus.effective": "0-7\n",
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
}


def under(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def v2_host(**more: str) -> MemoryHost:
    files = under("/sys/fs/cgroup", {**V2_FILES, **more})
    return MemoryHost({**files, "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": V2_MOUNT})


def test_v2_with_a_namespace_of_its_own():
    facts = collected(cgroup, v2_host())
    wanted = {
        "cgroup.version": 2,
        "cgroup.layout": "v2",
        "cgroup.path": "/",
        "cgroup.memory_limit_bytes": 8589934592,
        "cgroup.memory_high_bytes": cgroup.NO_LIMIT,
        "cgroup.memory_used_bytes": 8123456789,
        "cgroup.memory_reclaimable_bytes": 500000000,
        "cgroup.memory_shared_bytes": 67108864,
        "cgroup.memory_peak_bytes": 8589934592,
        "cgroup.memory_swap_limit_bytes": 0,
        "cgroup.memory_limit_hit_count": 931,
        "cgroup.oom_count": 4,
        "cgroup.oom_kill_count": 3,
        "cgroup.oom_kills_whole_group": True,
        "cgroup.pids_limit": 4096,
        "cgroup.pids_used": 211,
        "cgroup.pids_limit_hit_count": 2,
        "cgroup.cpu_limit_cores": 1.5,
        "cgroup.cpu_throttled_count": 7,
        "cgroup.cpuset_cpus": "0-7",
    }
    assert {key: facts[key] for key in wanted} == wanted
    assert facts["cgroup.oom_killer_disabled"].reason is Reason.NOT_APPLICABLE


def test_v2_without_a_limit():
    facts = collected(cgroup, v2_host(**{"memory.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n"}))
    for key in ("cgroup.memory_limit_bytes", "cgroup.pids_limit", "cgroup.cpu_limit_cores"):
        assert facts[key] == Unknown(Reason.NOT_APPLICABLE, "no limit is set")


def test_v2_the_limit_of_a_parent_counts_and_brings_its_use_along():
    parent = under(
        "/sys/fs/cgroup/job_7",
        {**V2_FILES, "memory.max": "1000\n", "memory.current": "999\n", "cpu.max": "50000 100000\n"},
    )
    own = under("/sys/fs/cgroup/job_7/step_0", {**V2_FILES, "memory.max": "max\n", "memory.current": "5\n"})
    files = {**parent, **own, "/proc/self/cgroup": "0::/job_7/step_0\n", "/proc/self/mountinfo": V2_MOUNT}
    facts = collected(cgroup, MemoryHost(files))
    assert facts["cgroup.memory_limit_bytes"] == 1000
    assert facts["cgroup.memory_used_bytes"] == 999
    assert facts["cgroup.cpu_limit_cores"] == 0.5


V1_MOUNTS = (
    "34 31 0:31 /docker/4f1c /sys/fs/cgroup/memory ro,nosuid,noexec,relatime master:16 - cgroup cgroup rw,memory\n"
    "35 31 0:32 /docker/4f1c /sys/fs/cgroup/pids ro,relatime master:17 - cgroup cgroup rw,pids\n"
    "36 31 0:33 /docker/4f1c /sys/fs/cgroup/cpu,cpuacct ro,relatime master:18 - cgroup cgroup rw,cpu,cpuacct\n"
    "37 31 0:34 /docker/4f1c /sys/fs/cgroup/cpuset ro,relatime master:19 - cgroup cgroup rw,cpuset\n"
)
V1_GROUPS = "".join(
    f"{number}:{names}:/docker/4f1c\n"
    for number, names in ((12, "pids"), (9, "memory"), (4, "cpu,cpuacct"), (3, "cpuset"), (1, "name=systemd"))
)
V1_FILES = {
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "66000000\n",
    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes": "67108864\n",
    "/sys/fs/cgroup/memory/memory.failcnt": "55\n",
    "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "/sys/fs/cgroup/memory/memory.stat": "cache 9\ninactive_file 1\ntotal_inactive_file 4096\ntotal_shmem 8192\n",
    "/sys/fs/cgroup/pids/pids.max": "100\n",
    "/sys/fs/cgroup/pids/pids.current": "100\n",
    "/sys/fs/cgroup/pids/pids.events": "max 31\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
    "/sys/fs/cgroup/cpuset/cpuset.effective_cpus": "0-3\n",
}


def test_v1_in_docker():
    files = {**V1_FILES, "/proc/self/cgroup": V1_GROUPS, "/proc/self/mountinfo": V1_MOUNTS}
    facts = collected(cgroup, MemoryHost(files))
    wanted = {
        "cgroup.version": 1,
        "cgroup.layout": "v1",
        "cgroup.path": "/docker/4f1c",
        "cgroup.memory_limit_bytes": 67108864,
        "cgroup.memory_used_bytes": 66000000,
        "cgroup.memory_reclaimable_bytes": 4096,
        "cgroup.memory_shared_bytes": 8192,
        "cgroup.memory_limit_hit_count": 55,
        "cgroup.oom_kill_count": 1,
        "cgroup.oom_killer_disabled": False,
        "cgroup.pids_limit": 100,
        "cgroup.pids_used": 100,
        "cgroup.pids_limit_hit_count": 31,
        "cgroup.cpu_limit_cores": cgroup.NO_LIMIT,
        "cgroup.cpuset_cpus": "0-3",
    }
    assert {key: facts[key] for key in wanted} == wanted


def test_hybrid_memory_ruled_by_v1_with_an_empty_v2_beside_it():
    mounts = (
        "34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
    )
    group = "/sys/fs/cgroup/memory/user/7"
    files = {
        "/proc/self/cgroup": "4:memory:/user/7\n0::/\n",
        "/proc/self/mountinfo": mounts,
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/sys/fs/cgroup/memory/user/memory.limit_in_bytes": "5000\n",
        f"{group}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{group}/memory.oom_control": "oom_kill_disable 1\nunder_oom 0\noom_kill 2\n",
        "/sys/fs/cgroup/memory/user/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
        "/sys/fs/cgroup/unified/cgroup.controllers": "\n",
    }
    facts = collected(cgroup, MemoryHost(files))
    assert (facts["cgroup.version"], facts["cgroup.layout"]) == (1, "hybrid")
    assert facts["cgroup.memory_limit_bytes"] == 5000
    assert facts["cgroup.oom_kill_count"] == 2
    assert isinstance(facts["cgroup.pids_limit"], Unknown)


def test_the_hosts_tree_mounted_without_a_namespace_falls_back_to_the_mount_point():
    files = under("/sys/fs/cgroup", V2_FILES)
    files.update({"/proc/self/cgroup": "0::/system.slice/docker-4f1c.scope\n", "/proc/self/mountinfo": V2_MOUNT})
    assert collected(cgroup, MemoryHost(files))["cgroup.memory_limit_bytes"] == 8589934592


def test_outside_of_every_group_nothing_limits():
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2_MOUNT,
        "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
    }
    facts = collected(cgroup, MemoryHost(files))
    for key in ("cgroup.memory_limit_bytes", "cgroup.pids_limit", "cgroup.cpu_limit_cores"):
        assert facts[key] == cgroup.NO_LIMIT
    assert isinstance(facts["cgroup.memory_used_bytes"], Unknown)


def test_no_cgroup_file_system_is_no_limit_of_zero():
    files = {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": "1 0 0:1 / / rw - overlay overlay rw\n"}
    facts = collected(cgroup, MemoryHost(files))
    assert facts["cgroup.memory_limit_bytes"].reason is Reason.NO_DATA
    assert "no cgroup file system" in facts["cgroup.version"].detail


@pytest.mark.parametrize(
    ("text", "limit"),
    [("max\n", None), ("-1", None), ("9223372036854771712", None), ("0", 0), ("67108864\n", 67108864)],
)
def test_limits(text, limit):
    assert cgroup.parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", "max max", "1.5", "0x10"])
def test_limits_that_are_none(text):
    with pytest.raises(ValueError):
        cgroup.parse_limit(text)


def test_a_period_of_zero_is_junk():
    with pytest.raises(ValueError):
        cgroup.parse_cpu_max("100000 0")
