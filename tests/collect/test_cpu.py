"""Holds the reading of /proc/cpuinfo on x86-64 and aarch64."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import cpu
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8480+
physical id\t: 0
flags\t\t: fpu sse2 ht pni fma sse4_1 sse4_2 avx f16c avx2 smep avx512f amx_tile amx_bf16

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8480+
physical id\t: 1
flags\t\t: fpu
"""
GRACE = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm asimdhp sve sve2 bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n"
)
STATUS = "Name:\tpython3\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\nMems_allowed_list:\t0-1\n"


def test_x86():
    nodes = [f"/sys/devices/system/node/node{n}" for n in (0, 1)] + ["/sys/devices/system/node/power"]
    facts = collected(cpu, MemoryHost({"/proc/cpuinfo": XEON, "/proc/self/status": STATUS}, dirs=nodes))
    assert facts["cpu.model"] == "Intel(R) Xeon(R) Platinum 8480+"
    assert facts["cpu.socket_count"] == 2
    assert facts["cpu.flags"] == (
        *("pni", "fma", "sse4_1", "sse4_2", "avx", "f16c", "avx2", "avx512f", "amx_tile", "amx_bf16"),
    )
    assert (facts["cpu.count"], facts["cpu.usable_count"]) == (16, 8)
    assert (facts["cpu.affinity"], facts["cpu.numa_affinity"], facts["cpu.numa_node_count"]) == ("0-7", "0-1", 2)


def test_aarch64():
    facts = collected(cpu, MemoryHost({"/proc/cpuinfo": GRACE}))
    assert facts["cpu.model"] == "Neoverse-V2"
    assert facts["cpu.flags"] == ("asimd", "asimdhp", "sve", "sve2", "bf16")
    assert isinstance(facts["cpu.socket_count"], Unknown)


def test_no_proc():
    facts = collected(cpu, MemoryHost(identity={"cpus_allowed": [0, 2, 4]}))
    assert facts["cpu.usable_count"] == 3
    assert facts["cpu.flags"].reason is Reason.NO_DATA
