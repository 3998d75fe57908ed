"""Where this process stands in a job: its rank, and where rank 0 is, from whatever launcher started it.

`torchrun` says all of it. `mpirun` and `srun` say the ranks; where rank 0 listens is then given, or worked out where
that is certain. What an option says counts for more than any variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpudoctor.model.errors import UsageError
from gpudoctor.model.record import record

DEFAULT_PORT = 29_500
# Two jobs on one node must not choose one port; the number of the job keeps them apart.
SLURM_PORTS = (20_000, 10_000)
LOOPBACK = "127.0.0.1"


@record
class Given:
    """What options say; -1, 0 and empty text where they say nothing."""

    rank: int = -1
    world_size: int = 0
    local_rank: int = -1
    address: str = ""
    port: int = 0


@record
class Place:
    """One process of a job. `agent_store`: the port is held by torchrun, in a store that the ranks share.
    `attempt` counts torchrun's restarts. `launcher` is torchrun, openmpi, slurm, pmi, variables or options."""

    launcher: str
    rank: int
    world_size: int
    local_rank: int
    address: str
    port: int
    agent_store: bool = False
    attempt: int = 0


@record
class Dialect:
    """The variables of one launcher."""

    launcher: str
    rank: str
    world_size: str
    local_rank: str
    local_world_size: str
    needs: str = ""


# torchrun inside srun or mpirun sees both kinds of variables, so it is asked first; a batch script of Slurm has
# SLURM_PROCID too, but no step, and mpirun in it has its own.
DIALECTS = (
    Dialect("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", needs="TORCHELASTIC_RUN_ID"),
    Dialect("variables", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    Dialect(
        "openmpi",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    Dialect("slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "", needs="SLURM_STEP_ID"),
    Dialect("pmi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)
HOW = (
    "Start it under a launcher (`torchrun --nnodes 2 --nproc-per-node 8 ... -m gpudoctor ring`, `srun gpudoctor ring`, "
    "`mpirun gpudoctor ring`), or say on every node: --rank R --world-size N --master-addr ADDRESS --master-port PORT."
)


def place_of(env: Mapping[str, str], given: Given) -> Place:
    """The place of this process. UsageError says which variable or option is missing or wrong."""
    dialect = next((one for one in DIALECTS if has_all(env, one)), None)
    if given.rank < 0 and dialect is None:
        raise UsageError(f"No launcher started this, so its rank is not known. {HOW}")
    by_option = given.rank >= 0
    rank = given.rank if by_option or dialect is None else number(env, dialect.rank)
    size = given.world_size or (number(env, dialect.world_size) if dialect is not None and not by_option else 0)
    if size < 2 or not 0 <= rank < size:
        raise UsageError(f"A ring needs two ranks or more, and this one among them, not rank {rank} of {size}. {HOW}")
    used = None if by_option else dialect
    local = given.local_rank if given.local_rank >= 0 else number(env, used.local_rank, 0) if used is not None else 0
    address = given.address or env.get("MASTER_ADDR", "") or address_of(env, used, size)
    if not address:
        raise UsageError(
            "Where rank 0 is cannot be told from this launcher's variables: add --master-addr ADDRESS (or set "
            "MASTER_ADDR), the same on every node, an address of the machine of rank 0 that the others reach."
        )
    agent = used is not None and env.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return Place(
        launcher=used.launcher if used is not None else "options",
        rank=rank,
        world_size=size,
        local_rank=local,
        address=address,
        port=given.port or port_of(env, used),
        agent_store=agent and not given.port and not given.address,
        attempt=number(env, "TORCHELASTIC_RESTART_COUNT", 0),
    )


def has_all(env: Mapping[str, str], dialect: Dialect) -> bool:
    """Whether a launcher's variables are there."""
    return all(env.get(name) for name in (dialect.rank, dialect.world_size, dialect.needs) if name)


def number(env: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    """A variable that must be a number."""
    value = env.get(name, "")
    if not value and otherwise is not None:
        return otherwise
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise UsageError(f"{name} should be a number, not {value[:40]!r}.")
    return int(value)


def address_of(env: Mapping[str, str], dialect: Dialect | None, size: int) -> str:
    """Where rank 0 is, as far as a launcher tells: Slurm's first node, or this machine when all ranks are on it."""
    if dialect is None:
        return ""
    if dialect.launcher == "slurm":
        return first_host(env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST") or "")
    here = env.get(dialect.local_world_size, "") if dialect.local_world_size else ""
    return LOOPBACK if here == str(size) else ""


def first_host(hosts: str) -> str:
    """The first of Slurm's short notation: `node07` of `node[07-09,12],gpu1`."""
    depth, cut = 0, len(hosts)
    for index, letter in enumerate(hosts):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            cut = index
            break
    return re.sub(r"\[([^\]]*)\]", lambda match: re.split(r"[-,]", match[1])[0], hosts[:cut])


def port_of(env: Mapping[str, str], dialect: Dialect | None) -> int:
    """The port of rank 0: as set, or one that follows from Slurm's job, or PyTorch's own default."""
    if env.get("MASTER_PORT"):
        port = number(env, "MASTER_PORT")
        if not 0 < port < 65_536:
            raise UsageError(f"MASTER_PORT is {port}, which is no port.")
        return port
    if dialect is not None and dialect.launcher == "slurm" and env.get("SLURM_JOB_ID", "").isdigit():
        first, count = SLURM_PORTS
        return first + int(env["SLURM_JOB_ID"]) % count
    return DEFAULT_PORT
