"""Holds what is found in kernel logs, and that a refused log is not an empty one."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import kernel_log
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

KMSG = """6,1,0,-;Linux version 6.8.0-45-generic (buildd@host) #45-Ubuntu SMP
 SUBSYSTEM=pci
4,900,1200000,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15
3,1201,5140900123,-;NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
3,1202,5140900200,-;NVRM: GPU at PCI:0000:41:00: GPU-11111111-2222-3333-4444-555555555555
4,1300,6000000000,-;python invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
3,1301,6000000100,-;Memory cgroup out of memory: Killed process 4711 (pt_data_worker) total-vm:90000kB
6,1400,7000000000,-;python3[99]: segfault at 0 ip 00007f0000000000 sp 00007ffd00000000 error 4 in libtorch_cpu.so
3,1500,8000000000,-;pcieport 0000:40:01.1: AER: Uncorrectable (Fatal) error message received from 0000:41:00.0
6,1600,8100000000,-;usb 1-1: new high-speed USB device
"""
DMESG = """[    0.000000] Linux version 5.15.0
[ 1234.567890] NVRM: Xid (PCI:0000:01:00): 48, pid=1234, name=python, DBE (double bit error) detected
[ 1234.600000] NVRM: Xid (PCI:0000:01:00): 63, Row Remapper: New row marked for remapping
[ 1300.000000] nvidia: module verification failed: signature and/or required key missing - tainting kernel
[ 1400.000000] mce: [Hardware Error]: Machine check events logged
[ 1500.000000] traps: python3[7] trap invalid opcode ip:7f00 sp:7ffe error:0 in libfoo.so[7f00+1000]
"""


def test_kmsg():
    facts = collected(kernel_log, MemoryHost({"/dev/kmsg": KMSG}))
    assert facts["kernel_log.source"] == "/dev/kmsg"
    assert facts["kernel_log.line_count"] == 9
    assert facts["kernel_log.xid_codes"] == (79,)
    assert facts["kernel_log.xid_lines"][0].startswith("[ 5140.900123] NVRM: Xid (PCI:0000:41:00): 79")
    assert len(facts["kernel_log.xid_lines"]) == 2
    assert len(facts["kernel_log.oom_lines"]) == 2
    assert "libtorch_cpu.so" in facts["kernel_log.segfault_lines"][0]
    assert len(facts["kernel_log.aer_lines"]) == 1
    assert len(facts["kernel_log.nvrm_lines"]) == 1
    assert len(facts["kernel_log.lines"]) == 7


def test_dmesg_where_there_is_no_device():
    facts = collected(kernel_log, MemoryHost(commands={"dmesg": ChildEnd(End.EXITED, 0, stdout=DMESG)}))
    assert facts["kernel_log.source"] == "dmesg"
    assert facts["kernel_log.xid_codes"] == (48, 63)
    assert len(facts["kernel_log.module_lines"]) == 1
    assert len(facts["kernel_log.hardware_lines"]) == 1
    assert len(facts["kernel_log.segfault_lines"]) == 1


def test_a_file_where_dmesg_is_refused():
    refused = ChildEnd(End.EXITED, 1, stderr="dmesg: read kernel buffer failed: Operation not permitted\n")
    line = "Nov 20 12:00:00 node7 kernel: [1234.5] NVRM: Xid (PCI:0000:01:00): 31, pid=7, MMU Fault\n"
    facts = collected(kernel_log, MemoryHost({"/var/log/kern.log": line}, commands={"dmesg": refused}))
    assert facts["kernel_log.source"] == "/var/log/kern.log"
    assert facts["kernel_log.xid_codes"] == (31,)


def test_of_a_huge_file_the_end_is_read():
    head = "x" * 79 + "\n"
    line = "[1.0] NVRM: Xid (PCI:0000:01:00): 31, the last line\n"
    facts = collected(kernel_log, MemoryHost({"/var/log/kern.log": head * 60_000 + line}))
    assert facts["kernel_log.xid_codes"] == (31,)
    assert facts["kernel_log.line_count"] < 60_000


def test_a_refusal_is_no_empty_log():
    refused = ChildEnd(End.EXITED, 1, stderr="dmesg: read kernel buffer failed: Operation not permitted\n")
    facts = collected(kernel_log, MemoryHost(commands={"dmesg": refused}, errors={"/var/log/kern.log": "EACCES"}))
    for value in facts.values():
        assert value == Unknown(Reason.PERMISSION_DENIED, "dmesg: read kernel buffer failed: Operation not permitted")


def test_a_dmesg_that_hangs():
    facts = collected(kernel_log, MemoryHost(errors={"/": "ENOENT"}, commands={"dmesg": ChildEnd(End.TIMED_OUT)}))
    assert isinstance(facts["kernel_log.lines"], Unknown)


def test_only_the_last_lines_stay():
    lines = [f"[{n}.0] NVRM: Xid (PCI:0000:01:00): 13, Graphics Exception {n}" for n in range(1000)]
    facts = {fact.key: fact.value for fact in kernel_log.facts_of(lines)}
    assert len(facts["kernel_log.lines"]) == kernel_log.MAXIMUM_LINES
    assert facts["kernel_log.lines"][-1].endswith("999")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("NVRM: Xid (PCI:0000:41:00): 119, Timeout waiting for RPC from GPU0!", 119),
        ("NVRM: Xid (0000:03:00): 31, Ch 00000010", 31),
        ("NVRM: Xid: 8", 8),
        ("NVRM: Xid (PCI:0000:41:00): soon", None),
        ("something else", None),
    ],
)
def test_xid_codes(line, code):
    assert kernel_log.xid_code(line) == code
