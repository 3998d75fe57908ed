"""Programs that really die of signals, of limits and of bad memory: the status and the log lead to the first cause."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from crashes import explain, in_shell, lacking, needed, run

pytestmark = [pytest.mark.rig, pytest.mark.slow]

NULL = "import ctypes; print('step 1 loss 2.31', flush=True); ctypes.string_at(0)"
SIGNALS = [
    # way to die, status, what bash says, first cause
    ("segv", 139, "Segmentation fault", ("signal.sigsegv_unexplained",)),
    ("abort", 134, "Aborted", ("signal.sigabrt_cpp_exception",)),
    ("assert", 134, "rows must match columns", ("signal.sigabrt_cpp_exception",)),
    ("smash", 134, "stack smashing detected", ("signal.sigabrt_cpp_exception", "native.library_conflict")),
    # glibc's check of the heap: memory was freed twice, mostly by libraries that do not go together.
    ("free", 134, "double free", ("native.library_conflict", "signal.sigabrt_cpp_exception")),
    ("ill", 132, "Illegal instruction", ("signal.sigill_cpu_instruction",)),
    ("fpe", 136, "Floating point exception", ("signal.sigfpe_arithmetic",)),
]


@pytest.mark.parametrize(("way", "status", "said", "causes"), SIGNALS, ids=[case[0] for case in SIGNALS])
def test_a_program_that_dies_of_a_signal(
    crash: str, tmp_path: Path, way: str, status: int, said: str, causes: tuple[str, ...]
) -> None:
    died = in_shell(f"{crash} {way}", tmp_path)
    assert died.status == status
    assert said in died.text
    died.is_explained_by(*causes)


def test_an_exception_that_escapes_from_cpp_is_quoted(terminate: str, tmp_path: Path) -> None:
    died = in_shell(terminate, tmp_path)
    assert died.status == 134
    answer = died.is_explained_by("signal.sigabrt_cpp_exception", at_least="likely")
    assert "terminate called after throwing" in answer.quoted


def test_a_page_of_a_file_that_is_not_there(crash: str, tmp_path: Path) -> None:
    died = in_shell(f"{crash} bus", tmp_path)
    assert died.status == 135
    assert "Bus error" in died.text
    answer = died.is_explained_by("signal.sigbus_file_mapping", "memory.shm_too_small")
    assert "signal.sigbus_file_mapping" in answer.causes[:2]


def test_python_dies_in_native_code_without_a_word(tmp_path: Path) -> None:
    died = run([sys.executable, "-c", NULL], tmp_path)
    assert died.status == 139
    assert "Fatal" not in died.text
    died.is_explained_by("signal.sigsegv_unexplained")
    assert explain(-11, died.log).first == "signal.sigsegv_unexplained"


def test_python_dies_in_native_code_with_the_fault_handler(tmp_path: Path) -> None:
    died = run([sys.executable, "-X", "faulthandler", "-c", NULL], tmp_path)
    assert died.status == 139
    # A stack without a library's name leaves it open; that libraries clash below it is the usual reason.
    answer = died.is_explained_by("signal.sigsegv_unexplained", "native.library_conflict")
    assert "signal.sigsegv_unexplained" in answer.causes[:2]
    assert "Fatal Python error: Segmentation fault" in answer.quoted


def test_deep_recursion_in_native_code(tmp_path: Path) -> None:
    nest = "import sys; sys.setrecursionlimit(10**9); x = []\nfor _ in range(10**6): x = [x]\nrepr(x)"
    died = run([sys.executable, "-X", "faulthandler", "-c", nest], tmp_path)
    assert died.status in (139, 1)  # newer Pythons notice the end of the stack themselves
    if died.status == 139:
        answer = died.is_explained_by("native.stack_overflow", "signal.sigsegv_unexplained", "native.library_conflict")
        assert "native.stack_overflow" in answer.causes


def test_a_limit_on_processor_time_ends_in_137_without_any_shortage_of_memory(crash: str, tmp_path: Path) -> None:
    # Both limits alike: the kernel sends SIGKILL at the hard one. `ulimit -a` is the only thing that tells.
    died = in_shell(f"ulimit -t 1; ulimit -a >limits.txt; {crash} spin", tmp_path)
    assert died.status == 137
    assert "memory.host_oom_kill" in explain(died.status, died.log).causes
    answer = died.is_explained_by("limits.cpu_time", more=[tmp_path / "limits.txt"])
    assert "memory.host_oom_kill" not in answer.causes[:1]


def test_a_soft_limit_on_processor_time_says_so(crash: str, tmp_path: Path) -> None:
    died = in_shell(f"ulimit -S -t 1; {crash} spin", tmp_path)
    assert died.status == 152
    assert "CPU time limit exceeded" in died.text
    died.is_explained_by("limits.cpu_time")


def test_a_limit_on_the_size_of_files(crash: str, tmp_path: Path) -> None:
    died = in_shell(f"ulimit -f 64; {crash} fill", tmp_path)
    assert died.status == 153
    assert "File size limit exceeded" in died.text
    died.is_explained_by("limits.file_size")


def test_python_turns_the_limit_on_the_size_of_files_into_an_exception(tmp_path: Path) -> None:
    write = "open('checkpoint.bin', 'wb').write(bytes(1 << 20))"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))  # noqa: E731
    died = run([sys.executable, "-c", write], tmp_path, before=limit)
    # The log is under the limit as well, and by far shorter.
    assert died.status == 1
    assert "File too large" in died.text
    died.is_explained_by("limits.file_size", at_least="likely")


def test_a_limit_on_address_space_is_no_kill(tmp_path: Path) -> None:
    died = in_shell(f"ulimit -v 600000; {sys.executable} -c 'x = bytearray(1 << 30)'", tmp_path)
    assert died.status == 1
    assert "MemoryError" in died.text
    died.is_explained_by("memory.host_oom_kill.allocation_failed", at_least="likely")


def test_a_limit_on_open_files(tmp_path: Path) -> None:
    opened = "held = [open('/dev/null') for _ in range(100)]"
    died = in_shell(f'ulimit -n 40; {sys.executable} -c "{opened}"', tmp_path)
    assert died.status == 1
    assert "Too many open files" in died.text
    died.is_explained_by("limits.nofile", at_least="confirmed")


def as_nobody() -> str:
    """Somebody whom the limit on processes binds, and who may still read whatever the tests' folders hold."""
    if os.geteuid() != 0:
        lacking("this rig needs root")
    read = "+dac_read_search,+dac_override"
    return f"{needed('setpriv')[0]} --reuid 65534 --inh-caps {read} --ambient-caps {read}"


THREADS = (
    "import threading, time; [threading.Thread(target=time.sleep, args=(9,), daemon=True).start() for _ in range(99)]"
)


def test_a_limit_on_processes_counts_threads(tmp_path: Path) -> None:
    died = in_shell(f"{as_nobody()} bash -c 'ulimit -u 24; {sys.executable} -c \"{THREADS}\"; exit $?'", tmp_path)
    assert died.status == 1
    assert "can't start new thread" in died.text
    died.is_explained_by("limits.pids_thread_create", at_least="confirmed")


def test_a_limit_on_processes_leaves_no_fork(tmp_path: Path) -> None:
    died = in_shell(f"{as_nobody()} bash -c 'ulimit -u 0; true | true; exit $?'", tmp_path)
    assert died.status == 254
    assert "Resource temporarily unavailable" in died.text
    died.is_explained_by("limits.pids_thread_create", at_least="confirmed")


def test_an_abort_as_process_1_looks_like_a_segmentation_fault(terminate: str, tmp_path: Path) -> None:
    unshare = needed("unshare")[0]
    died = run([unshare, "--fork", "--pid", "--kill-child", terminate], tmp_path)
    assert died.status in (134, 139)
    if died.status == 134:
        pytest.skip("this unshare passes the signal on as it was sent, or process numbers cannot be had anew")
    answer = died.is_explained_by("signal.sigabrt_cpp_exception", at_least="likely")
    assert answer.causes[0] != "signal.sigsegv_unexplained"
