"""Every crash of these rigs, started through `gpudoctor run`: the cause is told with evidence of that run alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from command import Ended, gpudoctor, validator
from crashes import explain, needed

pytestmark = [pytest.mark.rig, pytest.mark.slow]

PARENT = """\
import subprocess, sys
child = subprocess.run([sys.argv[1], "eat", "512"])
print("step 1 loss 2.31", flush=True)
if child.returncode:
    raise RuntimeError(f"data worker (pid 17) died with {child.returncode}")
"""


class Told:
    """What a run said and wrote."""

    def __init__(self, ended: Ended, folder: Path) -> None:
        self.ended = ended
        self.reports = sorted(folder.glob("gpudoctor-crash-*.json"))
        assert not list(folder.glob(".gpudoctor-crash-*")), "a half-written report was left"

    @property
    def report(self) -> dict[str, Any]:
        assert len(self.reports) == 1, self.ended.errors
        document = json.loads(self.reports[0].read_text(encoding="utf-8"))
        validator().validate(document)
        return document

    @property
    def first(self) -> dict[str, Any]:
        (answer,) = self.report["explanations"]
        return answer["explanations"][0]

    def says(self, *causes: str, at_least: str = "possible") -> dict[str, Any]:
        """Hold the first cause, in the report, on stderr and by explain-exit of the report."""
        ranks = ("possible", "likely", "confirmed")
        first = self.first
        shown = [(one["cause"], one["likelihood"]) for one in self.report["explanations"][0]["explanations"][:4]]
        assert any(first["cause"] == cause or first["cause"].startswith(cause + ".") for cause in causes), shown
        assert ranks.index(first["likelihood"]) >= ranks.index(at_least), shown
        assert first["cause"] in self.ended.errors
        again = explain(self.report["facts"]["run.exit_code"]["value"], self.reports[0])
        assert any(again.first == cause or again.first.startswith(cause + ".") for cause in causes), again.causes
        return first


def watched(folder: Path, *command: str, options: tuple[str, ...] = (), **how: Any) -> Told:
    return Told(gpudoctor("run", "--report-dir", str(folder), *options, "--", *command, cwd=folder, **how), folder)


SIGNALS = [
    ("segv", -11, ("signal.sigsegv_unexplained",)),
    ("abort", -6, ("signal.sigabrt_cpp_exception",)),
    ("assert", -6, ("signal.sigabrt_cpp_exception",)),
    ("smash", -6, ("signal.sigabrt_cpp_exception", "native.library_conflict")),
    ("free", -6, ("native.library_conflict", "signal.sigabrt_cpp_exception")),
    ("ill", -4, ("signal.sigill_cpu_instruction",)),
    ("fpe", -8, ("signal.sigfpe_arithmetic",)),
    ("bus", -7, ("signal.sigbus_file_mapping", "memory.shm_too_small")),
]


@pytest.mark.parametrize(("way", "status", "causes"), SIGNALS, ids=[case[0] for case in SIGNALS])
def test_a_program_that_dies_of_a_signal(
    crash: str, tmp_path: Path, way: str, status: int, causes: tuple[str, ...]
) -> None:
    told = watched(tmp_path, crash, way)
    assert told.ended.status == status
    told.says(*causes)


def test_an_exception_that_escapes_from_cpp_is_quoted(terminate: str, tmp_path: Path) -> None:
    first = watched(tmp_path, terminate).says("signal.sigabrt_cpp_exception", at_least="likely")
    assert "terminate called after throwing" in json.dumps(first["evidence"])


def test_the_fault_handler_is_on_without_asking(tmp_path: Path) -> None:
    told = watched(tmp_path, sys.executable, "-c", "import ctypes; ctypes.string_at(0)")
    assert told.ended.status == -11
    assert "Fatal Python error: Segmentation fault" in json.dumps(told.first["evidence"])
    assert told.first["likelihood"] == "possible"  # the stack names no library


def test_the_main_process_is_killed_for_memory(crash: str, memory_group, tmp_path: Path) -> None:
    told = watched(tmp_path, crash, "eat", "512", preexec_fn=memory_group.enter)
    assert told.ended.status == -9
    first = told.says("memory.host_oom_kill.cgroup", at_least="confirmed")
    assert "crash.oom_kill_count = 1" in json.dumps(first["evidence"])
    assert told.report["facts"]["run.oom_kills"]["value"] == 1


def test_a_child_is_killed_for_memory_and_the_job_exits_1(crash: str, memory_group, tmp_path: Path) -> None:
    told = watched(tmp_path, sys.executable, "-c", PARENT, crash, preexec_fn=memory_group.enter)
    assert told.ended.status == 1
    told.says("memory.host_oom_kill", at_least="likely")


def test_an_earlier_kill_in_the_same_group_is_not_blamed(crash: str, memory_group, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir(), after.mkdir()
    assert watched(before, crash, "eat", "512", preexec_fn=memory_group.enter).ended.status == -9
    assert "oom_kill 1" in memory_group.counters(tmp_path).read_text()
    told = watched(after, "sh", "-c", "kill -KILL $$", preexec_fn=memory_group.enter)
    assert told.ended.status == -9
    assert told.report["facts"]["run.oom_kills"]["value"] == 0
    causes = [one["cause"] for one in told.report["explanations"][0]["explanations"]]
    assert "memory.host_oom_kill.cgroup" not in causes
    assert "confirmed" not in json.dumps(told.report["explanations"][0]["explanations"])


def test_a_childs_kill_under_a_job_that_ends_well_is_mentioned_not_blamed(
    crash: str, memory_group, tmp_path: Path
) -> None:
    line = f"{crash} eat 512; exit 0"
    quiet = watched(tmp_path, "sh", "-c", line, preexec_fn=memory_group.enter)
    assert (quiet.ended.status, quiet.reports) == (0, [])
    assert "gpudoctor" not in quiet.ended.errors
    told = watched(tmp_path, "sh", "-c", line, options=("--verbose",), preexec_fn=memory_group.enter)
    assert (told.ended.status, told.reports) == (0, [])
    assert "killed for memory" in told.ended.errors
    assert "Most likely" not in told.ended.errors


def test_a_limit_on_processor_time_is_known_without_ulimits_output(crash: str, tmp_path: Path) -> None:
    bash = needed("bash")[0]
    ended = gpudoctor("run", "--", crash, "spin", before=(bash, "-c", 'ulimit -t 1; exec "$@"', "bash"), cwd=tmp_path)
    assert ended.status == -9
    # Who may not raise the limit has but a second for the explanation as well, and it may cost the report.
    assert "limits.cpu_time, likely" in ended.errors


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    write = "open('checkpoint.bin', 'wb').write(bytes(1 << 22))"
    bash = needed("bash")[0]
    told = watched(tmp_path, bash, "-c", f'ulimit -f 1024; {sys.executable} -c "{write}"; exit $?')
    assert told.ended.status == 1
    told.says("limits.file_size", at_least="likely")


def test_what_was_sent_from_outside_is_told(tmp_path: Path) -> None:
    script = "kill -TERM $PPID; sleep 5"
    told = watched(tmp_path, "sh", "-c", script)
    assert told.ended.status == -15
    told.says("signal.sigterm_preempted", at_least="confirmed")
    assert any("SIGTERM from process" in line for line in told.report["facts"]["run.signals"]["value"])


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    told = watched(tmp_path, "torchrun-nightly", "train.py")
    assert told.ended.status == 127
    told.says("exec.command_not_found", at_least="likely")
