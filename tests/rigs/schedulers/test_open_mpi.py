"""Ranks of a real Open MPI that crash, abort, or have no slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import gpudoctor
from crashes import Crash, explain, needed, run

pytestmark = [pytest.mark.rig, pytest.mark.slow]

# Only loopback and shared memory: no look for other machines.
ENV = {"OMPI_MCA_btl": "self,vader", "OMPI_MCA_plm": "isolated", "OMPI_MCA_oob_tcp_if_include": "lo"}


def mpirun(folder: Path, *words: str) -> Crash:
    """Run as a job does in a container: as root, with a session folder of its own."""
    options = ["--allow-run-as-root", "--mca", "orte_tmpdir_base", str(folder)]
    return run([needed("mpirun")[0], *options, *words], folder, env=ENV)


def one_rank(crash: str, way: str) -> list[str]:
    """A script that fails on the second rank only, once both are up: of one that dies before, mpirun tells less."""
    script = f'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then sleep 1; exec {crash} {way}; fi; exec {crash} wait'
    return ["--oversubscribe", "-np", "2", "bash", "-c", script]


def test_a_rank_that_segfaults(crash: str, tmp_path: Path) -> None:
    died = mpirun(tmp_path, *one_rank(crash, "segv"))
    assert died.status == 139
    assert "exited on signal 11" in died.text
    answer = died.is_explained_by("signal.sigsegv_unexplained")
    assert "signal 11" in answer.quoted


def test_a_rank_that_aborts(crash: str, tmp_path: Path) -> None:
    died = mpirun(tmp_path, *one_rank(crash, "abort"))
    assert died.status == 134
    assert "exited on signal 6" in died.text
    died.is_explained_by("signal.sigabrt_cpp_exception")


def test_a_rank_that_is_killed(crash: str, tmp_path: Path) -> None:
    script = f'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then sleep 1; kill -9 $$; fi; exec {crash} wait'
    died = mpirun(tmp_path, "--oversubscribe", "-np", "2", "bash", "-c", script)
    assert died.status == 137
    assert "exited on signal 9" in died.text
    died.is_explained_by("memory.host_oom_kill")


def test_a_rank_that_ends_with_a_code(crash: str, tmp_path: Path) -> None:
    died = mpirun(tmp_path, *one_rank(crash, "exit 3"))
    assert died.status == 3
    died.is_explained_by("app.config_or_code_error")


def test_more_ranks_than_slots(crash: str, tmp_path: Path) -> None:
    died = mpirun(tmp_path, "--host", "localhost:2", "-np", "16", crash, "exit", "0")
    assert died.status == 1
    assert "not enough slots" in died.text
    died.is_explained_by("dist.launcher_mismatch", at_least="likely")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    died = mpirun(tmp_path, "--oversubscribe", "-np", "2", "torchrun-nightly")
    assert died.status != 0
    died.is_explained_by("exec.command_not_found", at_least="likely")


def test_a_rank_that_segfaults_is_told_of_by_a_watched_mpirun(crash: str, tmp_path: Path) -> None:
    # Two ranks on this machine, watched as one tree; mpirun says which failed.
    line = [needed("mpirun")[0], "--allow-run-as-root", "--mca", "orte_tmpdir_base", str(tmp_path)]
    ended = gpudoctor("run", "--", *line, *one_rank(crash, "segv"), cwd=tmp_path, env=ENV)
    assert ended.status == 139
    assert not ended.left
    assert "[signal.sigsegv_unexplained, possible]" in ended.errors
    (report,) = tmp_path.glob("gpudoctor-crash-*.json")
    explain(139, report).says("signal.sigsegv_unexplained")
