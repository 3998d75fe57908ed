"""Every crash of these rigs, started through `gpudoctor run`: the cause is told with evidence of that run alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from black_box import watched
from command import gpudoctor
from crashes import lacking, needed

pytestmark = [pytest.mark.rig, pytest.mark.slow]

PARENT = """\
import subprocess, sys
child = subprocess.run([sys.argv[1], "eat", "512"])
print("step 1 loss 2.31", flush=True)
if child.returncode:
    raise RuntimeError(f"data worker (pid 17) died with {child.returncode}")
"""


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


LIMITS = {
    # What the shell sets for itself and for the program that takes its place, the program's end, its cause, how sure.
    "cpu, soft": ("ulimit -S -t 1; exec {crash} spin", -24, "limits.cpu_time", "likely"),
    "cpu, hard": ("ulimit -t 1; exec {crash} spin", -9, "limits.cpu_time", "likely"),
    "cpu, of a child": ("ulimit -t 1; {crash} spin; exit $?", 137, "limits.cpu_time", "likely"),
    "file": ("ulimit -f 64; exec {crash} fill", -25, "limits.file_size", "likely"),
    "file, in Python": ("ulimit -f 64; exec {python} -c 'open(\"big\", \"wb\").write(bytes(1 << 20))'", 1,
                        "limits.file_size", "confirmed"),
    "address space": ("ulimit -v 600000; exec {python} -c 'x = bytearray(1 << 30)'", 1,
                      "memory.host_oom_kill.allocation_failed", "confirmed"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_the_command_sets_itself(crash: str, tmp_path: Path, name: str) -> None:
    line, status, cause, sure = LIMITS[name]
    told = watched(tmp_path, *needed("bash"), "-c", line.format(crash=crash, python=sys.executable))
    assert told.ended.status == status
    told.says(cause, at_least=sure)
    if status == -9:
        assert "In its control group the kernel killed nothing for memory" in told.ended.errors


def test_a_limit_that_was_not_reached_is_not_blamed(tmp_path: Path) -> None:
    told = watched(tmp_path, *needed("bash"), "-c", "ulimit -t 60; kill -KILL $$")
    assert told.ended.status == -9
    assert told.first["cause"] != "limits.cpu_time"


def test_deep_recursion_in_native_code(tmp_path: Path) -> None:
    nest = "import sys; sys.setrecursionlimit(10**9); x = []\nfor _ in range(10**6): x = [x]\nrepr(x)"
    told = watched(tmp_path, sys.executable, "-c", nest)
    assert told.ended.status in (-11, 1)  # newer Pythons notice the end of the stack themselves
    if told.ended.status == -11:
        causes = [one["cause"] for one in told.report["explanations"][0]["explanations"]]
        assert "native.stack_overflow" in causes
        told.says("native.stack_overflow", "signal.sigsegv_unexplained", "native.library_conflict")


@pytest.mark.parametrize("who", ["the command's", "we"])
def test_an_abort_of_a_first_process(terminate: str, tmp_path: Path, who: str) -> None:
    if os.geteuid() != 0:
        lacking("this rig needs root")
    first = (*needed("unshare"), "--fork", "--pid", "--kill-child")
    told = watched(tmp_path, terminate, before=first) if who == "we" else watched(tmp_path, *first, terminate)
    assert told.ended.status == (134 if who == "we" else -11)
    told.says("signal.sigabrt_cpp_exception", at_least="likely")


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


@pytest.fixture
def programs(crash: str, tmp_path: Path) -> Path:
    """A folder of programs that cannot be started."""
    machine, compiler = bytearray(Path(crash).read_bytes()), needed("gcc")[0]
    machine[18:20] = (183).to_bytes(2, "little")  # e_machine of ELF: aarch64
    contents = {
        "foreign": bytes(machine),
        "windows.sh": b"#!/bin/bash\r\necho hello\r\n",
        "windows.py": b"#!/usr/bin/env python3\r\nprint()\r\n",
        "gone.py": b"#!/opt/conda/envs/gone/bin/python\nprint()\n",
        "closed.sh": b"#!/bin/sh\n",
        "lib.c": b"int answer(void) { return 42; }\n",
        "main.c": b"int answer(void); int main(void) { return answer(); }\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o644 if name == "closed.sh" else 0o755)
    for words in (
        ["-shared", "-fPIC", "-o", "libdecoder.so.7", "-Wl,-soname,libdecoder.so.7", "lib.c"],
        ["-o", "unlinked", "main.c", "./libdecoder.so.7"],
        [
            "-o",
            "loaderless",
            "lib.c",
            "-Wl,-e,answer",
            "-Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1",
            "-nostartfiles",
        ],
    ):
        subprocess.run([compiler, *words], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "libdecoder.so.7").unlink()
    return tmp_path


STARTS = {
    "foreign": (126, "exec.wrong_architecture", "confirmed"),
    "windows.sh": (127, "exec.crlf_shebang", "confirmed"),
    "windows.py": (127, "exec.crlf_shebang", "confirmed"),
    "gone.py": (127, "exec.interpreter_missing", "likely"),
    "loaderless": (127, "exec.interpreter_missing", "likely"),
    "unlinked": (127, "loader.missing_shared_library", "confirmed"),
    "closed.sh": (126, "exec.permission_denied", "confirmed"),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_program_that_cannot_be_started(programs: Path, name: str) -> None:
    status, cause, sure = STARTS[name]
    told = watched(programs, f"./{name}")
    assert told.ended.status == status
    told.says(cause, at_least=sure)


def test_the_time_limit_of_timeout(tmp_path: Path) -> None:
    told = watched(tmp_path, "timeout", "0.2", "sleep", "30")
    assert told.ended.status == 124
    told.says("signal.sigterm_preempted.time_limit")
