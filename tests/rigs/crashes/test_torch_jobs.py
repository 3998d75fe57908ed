"""Jobs of the real torch that die as jobs do: workers without shared memory, ranks that are killed, crash or hang."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crashes import SOURCES, Crash, explain, needed, run

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

JOBS = str(SOURCES / "jobs.py")
ENV = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
LONGEST = 90.0


def load(python: str, folder: Path, way: str, **how) -> Crash:
    """A job whose loader of data has a worker, with 16 MiB of /dev/shm."""
    mounted = f"mount -t tmpfs -o size=16m tmpfs /dev/shm && exec {python} {JOBS} load {way}"
    if os.geteuid() != 0:
        pytest.skip("this rig needs root")
    return run([needed("unshare")[0], "-m", "sh", "-c", mounted], folder, env=ENV, timeout=LONGEST, **how)


def torchrun(python: str, folder: Path, way: str, seconds: float = 60, **how) -> Crash:
    """Two ranks of which the second fails in its second step; gloo waits so many seconds for a rank."""
    start = [python, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2", "--standalone", JOBS]
    return run([*start, "train", way, "1", f"{seconds:g}"], folder, env=ENV, timeout=LONGEST, **how)


def spawn(python: str, folder: Path, way: str) -> Crash:
    return run([python, JOBS, "spawn", way], folder, env=ENV, timeout=LONGEST)


def test_tensors_that_do_not_fit_into_shared_memory(torch_python: str, tmp_path: Path) -> None:
    died = load(torch_python, tmp_path, "large")
    assert died.status == 1
    assert "unable to allocate shared memory" in died.text
    died.is_explained_by("memory.shm_too_small", at_least="likely")


def test_a_worker_that_dies_of_a_bus_error(torch_python: str, tmp_path: Path) -> None:
    died = load(torch_python, tmp_path, "mapped")
    assert died.status == 1
    assert "killed by signal: Bus error" in died.text
    died.is_explained_by("memory.shm_too_small", at_least="likely")


def test_a_worker_that_is_killed_for_memory(torch_python: str, tmp_path: Path, memory_group) -> None:
    memory_group.limit(700)
    died = load(torch_python, tmp_path, "hungry", before=memory_group.enter)
    assert died.status == 1
    assert "killed by signal: Killed" in died.text or "exited unexpectedly" in died.text
    died.is_explained_by("memory.host_oom_kill")
    died.is_explained_by("memory.host_oom_kill", at_least="likely", more=[memory_group.counters(tmp_path)])


def test_a_rank_that_is_killed(torch_python: str, tmp_path: Path) -> None:
    died = torchrun(torch_python, tmp_path, "killed")
    assert died.status == 1
    assert "SIGKILL" in died.text
    # Nobody knows who sent it; that memory ran out is the first thing to look at, and no more than possible or likely.
    assert died.is_explained_by("memory.host_oom_kill").likelihood != "confirmed"


def test_a_rank_that_is_killed_for_memory(torch_python: str, tmp_path: Path, memory_group) -> None:
    memory_group.limit(1100)
    died = torchrun(torch_python, tmp_path, "hungry", before=memory_group.enter)
    assert died.status in (1, 137)
    died.is_explained_by("memory.host_oom_kill", at_least="confirmed", more=[memory_group.counters(tmp_path)])


def test_a_rank_that_dies_of_a_segmentation_fault(torch_python: str, tmp_path: Path) -> None:
    died = torchrun(torch_python, tmp_path, "segv")
    assert died.status == 1
    answer = died.is_explained_by("signal.sigsegv_unexplained")
    assert answer.document["exit"]["code"] == 1


def test_a_rank_that_raises(torch_python: str, tmp_path: Path) -> None:
    died = torchrun(torch_python, tmp_path, "raises")
    assert died.status == 1
    answer = died.is_explained_by("app.config_or_code_error")
    assert "expected 3 channels, got 4" in answer.quoted


def test_a_rank_that_hangs(torch_python: str, tmp_path: Path) -> None:
    died = torchrun(torch_python, tmp_path, "hangs", seconds=3)
    assert died.status == 1
    died.is_explained_by("nccl.timeout_hang")


def test_a_spawned_process_that_is_killed(torch_python: str, tmp_path: Path) -> None:
    died = spawn(torch_python, tmp_path, "killed")
    assert died.status == 1
    assert "SIGKILL" in died.text
    died.is_explained_by("memory.host_oom_kill")


def test_a_spawned_process_that_crashes(torch_python: str, tmp_path: Path) -> None:
    died = spawn(torch_python, tmp_path, "segv")
    assert "SIGSEGV" in died.text
    died.is_explained_by("signal.sigsegv_unexplained")
    assert explain(1, died.log).first == "signal.sigsegv_unexplained"


def test_a_spawned_process_that_raises(torch_python: str, tmp_path: Path) -> None:
    died = spawn(torch_python, tmp_path, "raises")
    assert died.status == 1
    answer = died.is_explained_by("app.config_or_code_error")
    assert "expected 3 channels, got 4" in answer.quoted
