from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import nvidia_smi
from gpudoctor.host.base import FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

PROGRAM = {"/opt/bin/nvidia-smi": FileInfo("file", size=700_000, mode=0o100755)}


def host(end: ChildEnd, path: str = "/usr/bin:/opt/bin") -> MemoryHost:
    return MemoryHost(nodes=PROGRAM, env={"PATH": path}, commands={"/opt/bin/nvidia-smi": end})


def test_not_on_path() -> None:
    one = host(ChildEnd(End.EXITED), path="/usr/bin")
    facts = collected(nvidia_smi, one)
    assert all(value.reason is Reason.NOT_INSTALLED for value in facts.values())
    assert "/opt/bin/nvidia-smi" not in one.asked


def test_a_file_that_cannot_be_executed_is_passed_over() -> None:
    plain = {"/a/nvidia-smi": FileInfo("file", mode=0o100644), "/b/nvidia-smi": FileInfo("directory", mode=0o040755)}
    assert (
        nvidia_smi.find(MemoryHost(nodes={**plain, **PROGRAM}, env={"PATH": "/a:/b:/opt/bin"})) == "/opt/bin/nvidia-smi"
    )


def test_without_a_path_variable_the_usual_folders_count() -> None:
    usual = {"/usr/bin/nvidia-smi": FileInfo("file", mode=0o100755)}
    assert nvidia_smi.find(MemoryHost(nodes=usual)) == "/usr/bin/nvidia-smi"


def test_its_failure_is_kept_in_its_own_words() -> None:
    said = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n"
    facts = collected(nvidia_smi, host(ChildEnd(End.EXITED, status=18, stdout=said)))
    assert facts["nvidia_smi.outcome"] == "failed"
    assert facts["nvidia_smi.exit_code"] == 18
    assert facts["nvidia_smi.text_tail"] == said.strip()


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        (ChildEnd(End.SIGNALLED, signal="SIGSEGV"), "crashed", Reason.CRASHED),
        (ChildEnd(End.TIMED_OUT, seconds=10.0), "timed_out", Reason.TIMED_OUT),
        (ChildEnd(End.NOT_STARTED, errno="ENOEXEC"), "not_started", Reason.NO_DATA),
    ],
)
def test_other_ends(end: ChildEnd, outcome: str, reason: Reason) -> None:
    facts = collected(nvidia_smi, host(end))
    assert facts["nvidia_smi.outcome"] == outcome
    assert facts["nvidia_smi.exit_code"].reason is reason
    assert facts["nvidia_smi.text_tail"].reason is Reason.NO_DATA


def test_only_the_end_of_a_long_text_is_kept() -> None:
    facts = collected(nvidia_smi, host(ChildEnd(End.EXITED, stdout="x" * 50_000 + "end")))
    assert len(facts["nvidia_smi.text_tail"]) == nvidia_smi.TEXT_LIMIT
    assert facts["nvidia_smi.text_tail"].endswith("end")
