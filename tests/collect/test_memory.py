"""Holds the reading of /proc/meminfo and of the kernel's memory settings."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import memory
from gpudoctor.model.fact import Unknown
from memory_host import MemoryHost

MEMINFO = """MemTotal:       263849984 kB
MemFree:          1204528 kB
MemAvailable:   201326592 kB
SwapTotal:              0 kB
SwapFree:               0 kB
HugePages_Total:      512
Hugepagesize:       2048 kB
"""


def test_a_linux_machine():
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/sys/vm/overcommit_memory": "2\n",
        "/proc/sys/vm/max_map_count": "65530\n",
        "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    }
    facts = collected(memory, MemoryHost(files))
    assert facts["memory.total_bytes"] == 263849984 * 1024
    assert facts["memory.available_bytes"] == 201326592 * 1024
    assert facts["memory.swap_total_bytes"] == 0
    assert facts["memory.huge_pages_total"] == 512
    assert facts["memory.overcommit_mode"] == 2
    assert facts["memory.max_map_count"] == 65530
    assert facts["memory.transparent_huge_pages"] == "madvise"


def test_without_proc_the_host_is_asked():
    facts = collected(memory, MemoryHost())
    assert facts["memory.total_bytes"] == 68_719_476_736
    assert isinstance(facts["memory.swap_total_bytes"], Unknown)


def test_a_kernel_before_3_14_has_no_estimate_of_available_memory():
    facts = collected(
        memory, MemoryHost({"/proc/meminfo": "MemTotal: 1024 kB\n"}, identity={"memory_available_bytes": None})
    )
    assert isinstance(facts["memory.available_bytes"], Unknown)
    assert facts["memory.total_bytes"] == 1024 * 1024
