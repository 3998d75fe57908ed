"""The job that this process is a part of: what the scheduler and the launcher said about ranks, nodes and GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.environment import shown_value
from gpudoctor.collect.parsing import NOT_SET, whole_number
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType

_TEXT, _INTEGER = FactType.TEXT, FactType.INTEGER
FACTS = (
    FactSpec("job.scheduler", _TEXT, "slurm, kubernetes, ray, pbs, lsf, sge, sagemaker, azureml, vertex or none."),
    FactSpec("job.launcher", _TEXT, "torchrun, mpi, srun, ray, accelerate or none: who started this process."),
    FactSpec("job.id", _TEXT, "The scheduler's number or name of the job.", private=True),
    FactSpec("job.rank", _INTEGER, "The rank of this process in the whole job."),
    FactSpec("job.local_rank", _INTEGER, "The rank of this process on its node."),
    FactSpec("job.world_size", _INTEGER, "Processes of the whole job."),
    FactSpec("job.local_world_size", _INTEGER, "Processes of the job on this node."),
    FactSpec("job.node_count", _INTEGER, "Nodes of the job."),
    FactSpec("job.restart_count", _INTEGER, "How often torchrun has restarted the workers."),
    FactSpec("job.max_restarts", _INTEGER, "How often torchrun may restart them."),
    FactSpec("job.gpus_requested", _TEXT, "GPUs of this node that the scheduler granted, in its own words."),
    FactSpec("job.cpus_granted", _INTEGER, "Processors of this node that the scheduler granted."),
    FactSpec("job.memory_granted_bytes", _INTEGER, "Memory of this node that the scheduler granted.", "bytes"),
    FactSpec("job.variables", FactType.TEXT_LIST, "The variables of scheduler and launcher.", private=True),
)
# The first whose variable is set names the scheduler; the outermost comes last, for Slurm runs inside nothing else.
_SCHEDULERS = (
    ("slurm", "SLURM_JOB_ID"),
    ("sagemaker", "SM_TRAINING_ENV"),
    ("azureml", "AZUREML_RUN_ID"),
    ("vertex", "CLOUD_ML_JOB_ID"),
    ("pbs", "PBS_JOBID"),
    ("lsf", "LSB_JOBID"),
    ("sge", "SGE_TASK_ID"),
    ("ray", "RAY_JOB_ID"),
    ("kubernetes", "KUBERNETES_SERVICE_HOST"),
)
_LAUNCHERS = (
    ("torchrun", "TORCHELASTIC_RUN_ID"),
    ("mpi", "OMPI_COMM_WORLD_RANK"),
    ("mpi", "PMIX_RANK"),
    ("mpi", "PMI_RANK"),
    ("mpi", "MPI_LOCALRANKID"),
    ("accelerate", "ACCELERATE_MIXED_PRECISION"),
    ("ray", "RAY_WORKER_ID"),
    ("srun", "SLURM_STEP_ID"),
)
_NUMBERS = (
    ("job.rank", ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")),
    ("job.local_rank", ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")),
    ("job.world_size", ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")),
    ("job.local_world_size", ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")),
    ("job.node_count", ("SLURM_JOB_NUM_NODES", "SLURM_NNODES", "GROUP_WORLD_SIZE", "NNODES")),
    ("job.restart_count", ("TORCHELASTIC_RESTART_COUNT",)),
    ("job.max_restarts", ("TORCHELASTIC_MAX_RESTARTS",)),
    ("job.cpus_granted", ("SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE", "NCPUS")),
)
_GPUS = ("SLURM_GPUS_ON_NODE", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS", "SLURM_GPUS_PER_NODE", "SM_NUM_GPUS")
_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "RAY_JOB_ID", "AZUREML_RUN_ID", "CLOUD_ML_JOB_ID", "JOB_NAME")
_PREFIXES = (
    "SLURM_",
    "SLURMD_",
    "OMPI_COMM_",
    "PMI_",
    "PMIX_RANK",
    "TORCHELASTIC_",
    "RAY_",
    "PBS_",
    "LSB_",
    "KUBERNETES_",
    "POD_",
    "JOB_COMPLETION_INDEX",
    "SM_NUM_",
    "SM_CURRENT_",
)
_MAXIMUM_LISTED = 100


def first_set(env: Mapping[str, str], names: Iterable[str]) -> str | None:
    """The value of the first of these variables that is set to something."""
    return next((env[name] for name in names if env.get(name)), None)


def granted_bytes(env: Mapping[str, str]) -> int | None:
    """The memory that Slurm granted on this node: it says MiB for the node or for each processor. None if unsaid."""
    for name, factor in (("SLURM_MEM_PER_NODE", 1), ("SLURM_MEM_PER_CPU", None)):
        if env.get(name):
            times = whole_number(env.get("SLURM_CPUS_ON_NODE", ""), "SLURM_CPUS_ON_NODE") if factor is None else factor
            return whole_number(env[name], name) * times * 1024 * 1024
    return None


def collect(host: Host) -> Iterable[Fact]:
    """The job.* facts."""
    env = host.env()
    scheduler = next((name for name, variable in _SCHEDULERS if env.get(variable)), "none")
    launcher = next((name for name, variable in _LAUNCHERS if env.get(variable)), "none")
    yield Fact("job.scheduler", scheduler)
    yield Fact("job.launcher", launcher)
    for key, names in (("job.id", _IDS), ("job.gpus_requested", _GPUS)):
        text = first_set(env, names)
        yield Fact(key, NOT_SET if text is None else shown_value(key, text))
    for key, variables in _NUMBERS:
        text = first_set(env, variables)
        yield Fact(key, NOT_SET if text is None else attempt(partial(whole_number, text, key)))
    granted = attempt(lambda: (granted_bytes(env),))
    if isinstance(granted, tuple):
        yield Fact("job.memory_granted_bytes", NOT_SET if granted[0] is None else granted[0])
    else:
        yield Fact("job.memory_granted_bytes", granted)
    shown = sorted(name for name in env if name.startswith(_PREFIXES))[:_MAXIMUM_LISTED]
    yield Fact("job.variables", tuple(f"{name}={shown_value(name, env[name])}"[:400] for name in shown))
