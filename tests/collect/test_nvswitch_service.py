from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import nvswitch_service
from gpudoctor.collect.nvswitch_service import HOST_PROCESS, PID_FILE, PROGRAM
from gpudoctor.host.base import FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

INSTALLED = {PROGRAM: FileInfo("file", size=900_000, mode=0o100755)}
SAYS = ChildEnd(End.EXITED, status=0, stdout="Fabric Manager version is : 535.104.05\n")


def test_installed_and_running() -> None:
    files = {PID_FILE: "812\n", "/proc/812/comm": "nv-fabricmanage\n", HOST_PROCESS: "kthreadd\n"}
    facts = collected(nvswitch_service, MemoryHost(files, nodes=INSTALLED, commands={f"{PROGRAM} --version": SAYS}))
    assert facts["fabric_manager.path"] == PROGRAM
    assert str(facts["fabric_manager.version"]) == "535.104.05"
    assert facts["fabric_manager.is_running"] is True


def test_its_process_is_gone() -> None:
    files = {PID_FILE: "812\n", HOST_PROCESS: "kthreadd\n"}
    assert collected(nvswitch_service, MemoryHost(files))["fabric_manager.is_running"] is False


def test_another_process_has_its_number() -> None:
    files = {PID_FILE: "812\n", "/proc/812/comm": "bash\n"}
    assert collected(nvswitch_service, MemoryHost(files))["fabric_manager.is_running"] is False


def test_in_a_container_nothing_is_concluded() -> None:
    facts = collected(nvswitch_service, MemoryHost({HOST_PROCESS: "python\n"}))
    assert facts["fabric_manager.is_running"].reason is Reason.NO_DATA
    assert facts["fabric_manager.path"].reason is Reason.NOT_INSTALLED
    assert facts["fabric_manager.version"].reason is Reason.NOT_INSTALLED
    facts = collected(nvswitch_service, MemoryHost({PID_FILE: "812\n"}))
    assert facts["fabric_manager.is_running"].reason is Reason.NO_DATA


@pytest.mark.parametrize("text", ["", "abc", "-1", "99999999999", "8 1 2"])
def test_a_pid_file_of_junk(text: str) -> None:
    fact = collected(nvswitch_service, MemoryHost({PID_FILE: text}))["fabric_manager.is_running"]
    assert fact.reason in (Reason.UNPARSEABLE, Reason.NO_DATA)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ChildEnd(End.TIMED_OUT), Reason.TIMED_OUT),
        (ChildEnd(End.SIGNALLED, signal="SIGSEGV"), Reason.CRASHED),
        (ChildEnd(End.EXITED, status=0, stdout="no version at all"), Reason.NO_DATA),
        (ChildEnd(End.NOT_STARTED), Reason.NO_DATA),
    ],
)
def test_a_program_that_does_not_tell(end: ChildEnd, reason: Reason) -> None:
    facts = collected(nvswitch_service, MemoryHost(nodes=INSTALLED, commands={f"{PROGRAM} --version": end}))
    assert facts["fabric_manager.version"].reason is reason


def test_a_file_that_is_no_program_is_not_run() -> None:
    host = MemoryHost(nodes={PROGRAM: FileInfo("file", mode=0o100644)})
    assert collected(nvswitch_service, host)["fabric_manager.version"].reason is Reason.NOT_INSTALLED
