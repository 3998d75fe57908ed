"""Containers that really end badly: what the client said and what `inspect` answers lead to the first cause."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crashes import explain
from engines import Ended, Engine

pytestmark = [pytest.mark.rig, pytest.mark.slow]

KILLED = 137


def explained(ended: Ended, *causes: str, at_least: str = "possible", more: tuple[Path, ...] = ()):
    return ended.crash.is_explained_by(*causes, at_least=at_least, more=[ended.inspected, *more])


def test_the_main_process_runs_out_of_memory(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, ["--memory", "64m"], "/job/crash", "eat", "512")
    assert ended.status == KILLED
    # podman on control groups of version 1 does not notice; a memory limit and 137 remain.
    noticed = ended.state["OOMKilled"]
    assert noticed or engine.name == "podman"
    explained(ended, "memory.host_oom_kill", at_least="confirmed" if noticed else "possible")
    assert explain(KILLED, ended.inspected).first.startswith("memory.host_oom_kill")


def test_a_child_runs_out_of_memory_and_the_job_ends_well(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, ["--memory", "64m"], "sh", "-c", "/job/crash eat 512; /job/crash exit 0")
    assert ended.status == 0
    answer = explain(0, ended.inspected)
    assert answer.document["verdict"] != "unexplained"
    if ended.state["OOMKilled"]:
        ruled_out = [entry["cause"] for entry in answer.document["ruled_out"]]
        assert any(cause.startswith("memory.host_oom_kill") for cause in [*answer.causes, *ruled_out])


def test_a_stop_without_init_ends_in_a_kill(engine: Engine, tmp_path: Path) -> None:
    since = time.time()
    ended = engine.stop(tmp_path, [], ["stop", "--time", "1"], "/job/crash", "wait")
    assert ended.status == KILLED
    assert ended.state["OOMKilled"] is False
    assert "signal.sigterm_preempted.grace_period_expired" in explain(KILLED, ended.inspected).causes[:2]
    if engine.name == "docker":
        explained(ended, "signal.sigterm_preempted", more=(engine.events(tmp_path, since),))


def test_a_stop_with_init_ends_in_time(engine: Engine, tmp_path: Path) -> None:
    ended = engine.stop(tmp_path, ["--init"], ["stop", "--time", "5"], "/job/crash", "wait")
    assert ended.status == 143
    explained(ended, "signal.sigterm_preempted")


def test_a_command_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, [], "torchrun", "train.py")
    assert ended.status == 127
    explained(ended, "exec.command_not_found", at_least="likely")


def test_a_command_that_may_not_be_executed(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, [], "/job/closed.sh")
    assert ended.status == 126
    explained(ended, "exec.permission_denied", at_least="likely")


def test_a_program_for_another_architecture(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, [], "/job/foreign", "exit")
    if ended.status == 0:
        pytest.skip("this kernel runs foreign programs (binfmt_misc)")
    explained(ended, "exec.wrong_architecture", at_least="likely")


def test_an_entry_script_with_windows_line_ends(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, [], "/job/windows.sh")
    assert ended.status != 0
    answer = explained(ended, "exec.crlf_shebang", "exec.interpreter_missing", "exec.command_not_found")
    assert "exec.crlf_shebang" in answer.causes[:3]


def test_an_exception_of_cpp_in_process_1(engine: Engine, tmp_path: Path) -> None:
    """An abort of process 1 does not end it; what glibc does instead looks like a segmentation fault."""
    alone = engine.run(tmp_path, [], "/job/terminate")
    assert alone.status == 139
    explained(alone, "signal.sigabrt_cpp_exception", at_least="likely")
    under_init = engine.run(tmp_path, ["--init"], "/job/terminate")
    assert under_init.status == 134
    explained(under_init, "signal.sigabrt_cpp_exception", at_least="likely")


def test_a_segmentation_fault_of_process_1(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, [], "/job/crash", "segv")
    assert ended.status == 139
    answer = explained(ended, "signal.sigsegv_unexplained")
    assert answer.document["exit"]["signal"] == "SIGSEGV"


def test_an_image_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    ended = engine.run(tmp_path, ["--pull", "never"], "true", image="no-such-image:1")
    assert ended.status == 125
    ended.crash.is_explained_by("container.image_pull_failed")


def test_gpus_without_the_toolkit(docker: Engine, tmp_path: Path) -> None:
    ended = docker.run(tmp_path, ["--gpus", "all"], "true")
    assert ended.status == 125
    assert "could not select device driver" in ended.crash.text
    explained(ended, "container.toolkit_not_configured", at_least="likely")
    assert explain(128, ended.inspected).first.startswith("container.toolkit_not_configured")


def test_a_runtime_that_is_not_configured(docker: Engine, tmp_path: Path) -> None:
    ended = docker.run(tmp_path, ["--runtime", "nvidia"], "true")
    assert ended.status == 125
    ended.crash.is_explained_by("container.toolkit_not_configured", at_least="likely")
