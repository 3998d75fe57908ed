"""Lines of a real kernel's log: crashes that it saw, modules that it refused, and what NVIDIA's driver writes there."""

from __future__ import annotations

from pathlib import Path

import pytest

from crashes import Crash, explain

pytestmark = [pytest.mark.rig, pytest.mark.slow]

SIGNALS = [
    # folder, status, what the kernel says, first cause, how sure at least
    ("segv", 139, "segfault at 0 ip", "signal.sigsegv_unexplained", "possible"),
    ("ill", 132, "trap invalid opcode", "signal.sigill_cpu_instruction", "confirmed"),
    ("fpe", 136, "trap divide error", "signal.sigfpe_arithmetic", "confirmed"),
]
LINES = [
    ("xid-13", "cuda.illegal_memory_access"),
    ("xid-31", "cuda.illegal_memory_access"),
    ("xid-48", "hw.xid_48_dbe_ecc"),
    ("xid-63", "hw.xid_48_dbe_ecc.reset_pending"),
    ("xid-74", "hw.nvlink_error"),
    ("xid-79", "hw.xid_79_fell_off_bus"),
    ("xid-94", "hw.xid_48_dbe_ecc.contained"),
    ("xid-95", "hw.xid_48_dbe_ecc"),
    ("xid-119", "hw.xid_79_fell_off_bus.gsp_timeout"),
    ("api-mismatch", "driver.kernel_user_mismatch"),
]
REFUSED = [
    ("lockdown", "unsigned module loading is restricted"),
    ("signature", "Loading of unsigned module is rejected"),
]


@pytest.mark.parametrize(("name", "status", "said", "cause", "sure"), SIGNALS, ids=[case[0] for case in SIGNALS])
def test_the_kernel_saw_a_program_crash(
    machine: Path, name: str, status: int, said: str, cause: str, sure: str
) -> None:
    folder = machine / name
    died = Crash(int((folder / "status").read_text()), folder / "job.log")
    assert died.status == status
    assert said in (folder / "dmesg.txt").read_text()
    answer = died.is_explained_by(cause, at_least=sure, more=[folder / "dmesg.txt"])
    assert said in answer.quoted


@pytest.mark.parametrize(("name", "cause"), LINES, ids=[case[0] for case in LINES])
def test_lines_of_the_driver(machine: Path, name: str, cause: str) -> None:
    log = machine / name / "dmesg.txt"
    assert log.read_text().startswith("["), "the kernel gave the line its time"
    assert log.read_text().count("\n") == 1
    explain(1, log).says(cause, at_least="confirmed", given=log.read_text())


@pytest.mark.parametrize(("name", "said"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_module_without_a_signature_is_refused(machine: Path, name: str, said: str) -> None:
    folder = machine / name
    assert said in (folder / "dmesg.txt").read_text()
    assert "nvidia.ko" in (folder / "job.log").read_text()
    answer = explain(1, folder / "job.log", folder / "dmesg.txt")
    answer.says("driver.not_loaded.signature_rejected", at_least="likely", given=said)
