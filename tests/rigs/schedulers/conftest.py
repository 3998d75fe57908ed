"""The cluster, started once; all jobs run at the same time and leave their evidence in a folder each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import ray_cluster
import slurm_cluster
from command import COMMAND
from ray_cluster import RayJob
from slurm_cluster import Cluster, Job

# What each job's script does; `{crash}` is the program that dies on command.
SCRIPTS = {
    "segv": ("{crash} segv", ()),
    "segv-step": ("srun {crash} segv", ()),
    "segv-hidden": ("srun {crash} segv\necho evaluation skipped", ()),
    "abort-step": ("srun {crash} abort", ()),
    "oom": ("{crash} eat 512", ("--mem=64",)),
    "oom-hidden": ("{crash} eat 512\nexit 0", ("--mem=64",)),
    "oom-step": ("srun {crash} eat 512", ("--mem=64",)),
    "missing": ("torchrun-nightly --nproc-per-node 8 train.py", ()),
    "missing-step": ("srun torchrun-nightly train.py", ()),
    "exit-3": ("{crash} exit 3", ()),
    "watched": (f"exec {COMMAND} run --no-report -- srun --kill-on-bad-exit=1 {{crash}} segv", ()),
    "watched-oom": (f"srun {COMMAND} run --no-report -- {{crash}} eat 1024", ("--mem=256",)),
}

RAY_JOBS = (
    "task-segv",
    "task-abort",
    "task-killed",
    "task-told",
    "task-raises",
    "task-exits",
    "task-leaves",
    "actor-killed",
    "actor-removed",
    "unready-none",
)


@dataclass(frozen=True)
class Evidence:
    """What somebody would send of a job."""

    log: Path
    sacct: Path
    scontrol: Path


@pytest.fixture(scope="session")
def slurm_jobs(crash: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Evidence]:
    """Every job's evidence, by its name; of the ones that were cancelled and whose node was lost, too."""
    folder = tmp_path_factory.mktemp("slurm")
    with slurm_cluster.slurm() as cluster:
        lost = cluster.submit(f"{crash} wait", "--no-requeue", node=1)
        cancelled = cluster.submit(f"{crash} wait")
        jobs = {
            name: cluster.submit(script.format(crash=crash), *options) for name, (script, options) in SCRIPTS.items()
        }
        jobs.update({"cancelled": cancelled, "lost": lost})
        running = lambda: {cluster.state(cancelled), cluster.state(lost)} == {"RUNNING"}  # noqa: E731
        cluster.wait_for("jobs do not start", running)
        cluster.lose(1)
        cluster.call("scancel", cancelled.number)
        for job in jobs.values():
            cluster.end_of(job)
        return {name: _gathered(cluster, job, folder / name) for name, job in jobs.items()}


def _gathered(cluster: Cluster, job: Job, folder: Path) -> Evidence:
    folder.mkdir()
    log = folder / "slurm.out"
    shutil.copy(job.log, log)
    return Evidence(log, cluster.sacct(job, folder), cluster.scontrol(job, folder))


@pytest.fixture(scope="session")
def ray_jobs() -> Iterator[Mapping[str, RayJob]]:
    """Every job on Ray by its name. Most share one Ray; those for which settings or nodes matter have their own, since
    what Ray says of nodes it says to every job. All are started at once."""
    ray_cluster.require_ray()
    with ExitStack() as stack:
        folders = [stack.enter_context(ray_cluster.short_folder()) for _ in range(3)]
        runs = [
            ray_cluster.Runs(folders[0], RAY_JOBS, shared=True),
            ray_cluster.Runs(folders[1], ["task-hungry"], shared=False, more=ray_cluster.short_of_memory()),
            ray_cluster.Runs(folders[2], ["gpu-none", "node-lost"], shared=False),
        ]
        for run in runs:
            stack.enter_context(closing(run))
        yield {name: job for run in runs for name, job in run.ended().items()}
