"""Jobs of the real torch that die under `gpudoctor run`: the rank or worker that failed first is the cause."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from command import gpudoctor, validator
from crashes import SOURCES, explain, lacking, needed

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

JOBS = str(SOURCES / "jobs.py")
ENV = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "TORCHELASTIC_ERROR_FILE": None}
LONGEST = 150.0


def watched(folder: Path, *command: str, **how: Any) -> dict[str, Any]:
    """Run it to its failure; gives the report, which explain-exit reads with the same first cause."""
    words = ("run", "--report-dir", str(folder), "--", *command)
    ended = gpudoctor(*words, cwd=folder, env=ENV, timeout=LONGEST, **how)
    assert ended.status == 1, ended.errors
    assert not ended.left
    (path,) = folder.glob("gpudoctor-crash-*.json")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    validator().validate(report)
    first = report["explanations"][0]["explanations"][0]
    assert f"[{first['cause']}, {first['likelihood']}]" in ended.errors
    assert explain(1, path).first == first["cause"]
    return report


def first_of(report: dict[str, Any]) -> tuple[str, str, str]:
    """The first cause, how likely it is, and its evidence as text."""
    first = report["explanations"][0]["explanations"][0]
    return first["cause"], first["likelihood"], json.dumps(first["evidence"])


def assert_killed_at_the_limit(report: dict[str, Any]) -> None:
    """One kill, counted by the control group during this run."""
    cause, likelihood, evidence = first_of(report)
    assert (cause, likelihood) == ("memory.host_oom_kill.cgroup", "confirmed")
    assert report["facts"]["run.oom_kills"]["value"] == 1
    assert "crash.oom_kill_count = 1" in evidence


def torchrun(python: str, folder: Path, way: str, seconds: int = 60, **how: Any) -> dict[str, Any]:
    """Two ranks of which the second fails in its second step; gloo waits so many seconds for a rank."""
    start = [python, "-m", "torch.distributed.run", "--nnodes=1", "--nproc-per-node=2", "--standalone", JOBS]
    return watched(folder, *start, "train", way, "1", str(seconds), **how)


def test_a_rank_that_is_killed(torch_python: str, tmp_path: Path) -> None:
    cause, likelihood, evidence = first_of(torchrun(torch_python, tmp_path, "killed"))
    assert "failed (exitcode: -9) local_rank: 1" in evidence
    # Nobody knows who sent it; that memory ran out is the first thing to look at, and no more than that.
    assert (cause, likelihood) == ("memory.host_oom_kill", "possible")
    assert "oom_kill_count" not in evidence


def test_a_rank_that_is_killed_for_memory(torch_python: str, tmp_path: Path, memory_group) -> None:
    memory_group.limit(1100)
    report = torchrun(torch_python, tmp_path, "hungry", preexec_fn=memory_group.enter)
    assert_killed_at_the_limit(report)


def test_a_rank_that_dies_of_a_segmentation_fault(torch_python: str, tmp_path: Path) -> None:
    cause, likelihood, evidence = first_of(torchrun(torch_python, tmp_path, "segv"))
    # A stack without a library's name leaves the reason open.
    assert cause in ("signal.sigsegv_unexplained", "native.library_conflict")
    assert likelihood == "possible"
    assert "failed (exitcode: -11) local_rank: 1" in evidence
    assert "Fatal Python error: Segmentation fault" in evidence


def test_a_rank_that_raises(torch_python: str, tmp_path: Path) -> None:
    cause, likelihood, evidence = first_of(torchrun(torch_python, tmp_path, "raises"))
    assert (cause, likelihood) == ("app.config_or_code_error", "likely")
    assert "[rank1]: ValueError: expected 3 channels, got 4" in evidence


def test_a_rank_that_hangs(torch_python: str, tmp_path: Path) -> None:
    cause, _, evidence = first_of(torchrun(torch_python, tmp_path, "hangs", seconds=3))
    assert cause == "nccl.timeout_hang"
    assert "[rank0]: RuntimeError" in evidence
    assert "Timed out waiting 3000ms" in evidence


SPAWNED = {
    # Nothing tells who killed it; of the fault in native code, the stack names no library.
    "killed": (("memory.host_oom_kill",), "possible", "process 1 terminated with signal SIGKILL"),
    "segv": (("signal.sigsegv_unexplained", "native.library_conflict"), "possible", "signal SIGSEGV"),
    "raises": (("app.config_or_code_error",), "likely", "ValueError: expected 3 channels, got 4"),
}


@pytest.mark.parametrize("way", SPAWNED)
def test_a_process_that_was_spawned(torch_python: str, tmp_path: Path, way: str) -> None:
    causes, sure, quoted = SPAWNED[way]
    cause, likelihood, evidence = first_of(watched(tmp_path, torch_python, JOBS, "spawn", way))
    assert cause in causes
    assert likelihood == sure
    assert quoted in evidence


def load(python: str, folder: Path, way: str, **how: Any) -> dict[str, Any]:
    """A loader of data with one worker, and 16 MiB of /dev/shm."""
    if os.geteuid() != 0:
        lacking("this rig needs root")
    mounted = f"mount -t tmpfs -o size=16m tmpfs /dev/shm && exec {python} {JOBS} load {way}"
    return watched(folder, needed("unshare")[0], "-m", "sh", "-c", mounted, **how)


def test_a_loader_whose_workers_have_no_shared_memory(torch_python: str, tmp_path: Path) -> None:
    cause, likelihood, evidence = first_of(load(torch_python, tmp_path, "mapped"))
    assert (cause, likelihood) == ("memory.shm_too_small.dataloader", "confirmed")
    assert "Unexpected bus error encountered in worker" in evidence


def test_tensors_that_do_not_fit_into_shared_memory(torch_python: str, tmp_path: Path) -> None:
    cause, likelihood, evidence = first_of(load(torch_python, tmp_path, "large"))
    assert cause.startswith("memory.shm_too_small")
    assert likelihood == "confirmed"
    assert "unable to allocate shared memory" in evidence


def test_a_loader_whose_worker_is_killed_for_memory(torch_python: str, tmp_path: Path, memory_group) -> None:
    memory_group.limit(700)
    report = load(torch_python, tmp_path, "hungry", preexec_fn=memory_group.enter)
    assert_killed_at_the_limit(report)
