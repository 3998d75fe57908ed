"""Holds the limits of the process, from its own figures and from /proc/self/limits."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import limits
from gpudoctor.model.fact import Unknown
from memory_host import MemoryHost

PROC = """Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max stack size            8388608              unlimited            bytes
Max processes             4096                 4096                 processes
Max open files            1024                 1048576              files
Max locked memory         65536                65536                bytes
Max address space         unlimited            unlimited            bytes
"""


def test_the_process_tells():
    facts = collected(limits, MemoryHost())
    assert facts["limits.nofile"] == 1024
    assert facts["limits.nofile_hard"] == 524_288
    assert facts["limits.memlock_bytes"] == 65536
    assert facts["limits.stack_hard_bytes"] == limits.UNLIMITED
    assert facts["limits.core_bytes"] == 0
    assert isinstance(facts["limits.nproc"], Unknown)


def test_the_kernel_tells():
    facts = collected(
        limits, MemoryHost({"/proc/self/limits": PROC}, identity={"soft_limits": None, "hard_limits": None})
    )
    assert facts["limits.nofile"] == 1024
    assert facts["limits.nofile_hard"] == 1048576
    assert facts["limits.nproc"] == 4096
    assert facts["limits.cpu_seconds"] == limits.UNLIMITED
    assert facts["limits.address_space_bytes"] == limits.UNLIMITED
    assert "Max core file size" in facts["limits.core_bytes"].detail


def test_infinity_by_number_is_unlimited():
    told = {"soft_limits": {"nofile": 2**64 - 1}, "hard_limits": {"nofile": -1}}
    facts = collected(limits, MemoryHost(identity=told))
    assert facts["limits.nofile"] == facts["limits.nofile_hard"] == limits.UNLIMITED
