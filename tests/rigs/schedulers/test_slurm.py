"""Jobs of a real Slurm: its accounting, its controller and its words in the log lead to the first cause."""

from __future__ import annotations

import pytest

from crashes import explain

pytestmark = [pytest.mark.rig, pytest.mark.slow]

JOBS = [
    # job, status, what sacct shows, first cause by each kind of evidence and by all of it (empty: not told), how sure
    ("segv", "139:0", " 11:0 ", "signal.sigsegv_unexplained", ("log", "sacct", "scontrol"), "possible"),
    ("segv-step", "139:0", " 0:11 ", "signal.sigsegv_unexplained", ("log", "sacct"), "possible"),
    ("segv-hidden", "0:0", " 0:11 ", "signal.sigsegv_unexplained", ("sacct",), "confirmed"),
    ("abort-step", "134:0", " 0:6 ", "signal.sigabrt_cpp_exception", ("log", "sacct"), "possible"),
    ("oom", "0:125", " OUT_OF_MEMORY ", "memory.host_oom_kill.slurm", ("log", "sacct", "scontrol"), "confirmed"),
    ("oom-hidden", "0:125", " OUT_OF_MEMORY ", "memory.host_oom_kill.slurm", ("log", "sacct", "scontrol"), "confirmed"),
    ("oom-step", "1:0", " 0:125 ", "memory.host_oom_kill.slurm", ("log", "sacct"), "confirmed"),
    ("missing", "127", " 127:0 ", "exec.command_not_found", ("log",), "confirmed"),
    ("missing-step", "2:0", " 2:0 ", "exec.command_not_found", ("log",), "confirmed"),
    ("exit-3", "3:0", " 3:0 ", "app.config_or_code_error", ("log", "sacct", "scontrol"), "possible"),
    ("cancelled", "0:15", " CANCELLED ", "signal.sigterm_preempted", ("log", "sacct", "scontrol"), "likely"),
    ("lost", "0:0", " NODE_FAIL ", "hw.node_failed", ("sacct", "scontrol"), "confirmed"),
]


@pytest.mark.parametrize(("name", "status", "shown", "cause", "told_by", "sure"), JOBS, ids=[job[0] for job in JOBS])
def test_a_job_of_slurm(
    slurm_jobs, name: str, status: str, shown: str, cause: str, told_by: tuple[str, ...], sure: str
) -> None:
    job = slurm_jobs[name]
    table = job.sacct.read_text()
    assert shown in table, table
    for kind in told_by:
        path = getattr(job, kind)
        explain(status, path).says(cause, at_least=sure, given=path.read_text())
    everything = (job.log, job.sacct, job.scontrol)
    given = "\n".join(path.read_text() for path in everything)
    explain(status, *everything).says(cause, at_least=sure, given=given)


def test_a_step_that_crashed_was_not_cancelled(slurm_jobs) -> None:
    job = slurm_jobs["segv-step"]
    assert "CANCELLED" in job.sacct.read_text()
    assert "signal.sigterm_preempted" not in explain("139:0", job.log, job.sacct, job.scontrol).causes


def test_what_sacct_takes_off_is_given_back(slurm_jobs) -> None:
    job = slurm_jobs["segv"]
    answer = explain("11:0", job.sacct)
    assert answer.first == "signal.sigsegv_unexplained", answer.causes


def test_a_batch_script_that_watches_its_step(slurm_jobs) -> None:
    job = slurm_jobs["watched"]
    assert " 0:11 " in job.sacct.read_text()
    assert "139:0" in job.scontrol.read_text()
    said = job.log.read_text()
    assert "gpudoctor: the command ended with 139" in said
    assert "[signal.sigsegv_unexplained, possible]" in said


def test_a_task_that_is_watched_itself_knows_of_its_memory(slurm_jobs) -> None:
    said = slurm_jobs["watched-oom"].log.read_text()
    assert "gpudoctor: the command was killed by SIGKILL (137)" in said
    assert "[memory.host_oom_kill.cgroup, confirmed]" in said
    assert "crash.oom_kill_count = 1" in said
