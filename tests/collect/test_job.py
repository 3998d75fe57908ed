"""Holds what is said of the job."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import job
from gpudoctor.collect.parsing import NOT_SET
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost


def test_slurm_with_torchrun():
    env = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_ON_NODE": "8",
        "SLURM_CPUS_ON_NODE": "96",
        "SLURM_MEM_PER_NODE": "1024",
        "SLURM_PROCID": "1",
        "TORCHELASTIC_RUN_ID": "x",
        "TORCHELASTIC_RESTART_COUNT": "3",
        "RANK": "9",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "16",
        "LOCAL_WORLD_SIZE": "8",
    }
    facts = collected(job, MemoryHost(env=env))
    assert (facts["job.scheduler"], facts["job.launcher"], facts["job.id"]) == ("slurm", "torchrun", "4711")
    assert (facts["job.rank"], facts["job.local_rank"]) == (9, 1)
    assert (facts["job.world_size"], facts["job.local_world_size"], facts["job.node_count"]) == (16, 8, 2)
    assert (facts["job.restart_count"], facts["job.gpus_requested"], facts["job.cpus_granted"]) == (3, "8", 96)
    assert facts["job.memory_granted_bytes"] == 1024**3
    assert "SLURM_GPUS_ON_NODE=8" in facts["job.variables"]


def test_memory_by_processor():
    assert job.granted_bytes({"SLURM_MEM_PER_CPU": "100", "SLURM_CPUS_ON_NODE": "4"}) == 400 * 1024 * 1024


def test_open_mpi_in_kubernetes():
    env = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}
    facts = collected(job, MemoryHost(env=env))
    assert (facts["job.scheduler"], facts["job.launcher"]) == ("kubernetes", "mpi")
    assert (facts["job.rank"], facts["job.world_size"]) == (0, 4)


def test_no_job():
    facts = collected(job, MemoryHost())
    assert (facts["job.scheduler"], facts["job.launcher"]) == ("none", "none")
    assert facts["job.rank"] == NOT_SET


def test_a_rank_that_is_no_number():
    facts = collected(job, MemoryHost(env={"RANK": "$SLURM_PROCID", "SLURM_MEM_PER_NODE": "lots"}))
    assert facts["job.rank"].reason is Reason.UNPARSEABLE
    assert "$SLURM_PROCID" in facts["job.rank"].detail
    assert facts["job.memory_granted_bytes"].reason is Reason.UNPARSEABLE


def test_tokens_of_a_scheduler_are_not_shown():
    facts = collected(job, MemoryHost(env={"RAY_JOB_ID": "1", "RAY_AUTH_TOKEN": "planted"}))
    assert "planted" not in repr(facts)
