"""Rank, size and address from each launcher's variables, as real launchers set them."""

from __future__ import annotations

import pytest

from gpudoctor.model.errors import UsageError
from gpudoctor.probe.launch import Given, Place, first_host, place_of

TORCHRUN = {
    "RANK": "9",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "16",
    "LOCAL_WORLD_SIZE": "8",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "job1",
    "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
OPENMPI = {
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "gpu[07-09,12],login1",
    "SLURM_JOB_ID": "123456",
}
PMI = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}
AT = {"MASTER_ADDR": "10.0.0.1"}
NOTHING = Given()


@pytest.mark.parametrize(
    ("env", "given", "place"),
    [
        (TORCHRUN, NOTHING, Place("torchrun", 9, 16, 1, "10.0.0.1", 29500, True, 2)),
        (
            {**TORCHRUN, "TORCHELASTIC_USE_AGENT_STORE": "False"},
            NOTHING,
            Place("torchrun", 9, 16, 1, "10.0.0.1", 29500, False, 2),
        ),
        ({**SLURM, **TORCHRUN}, NOTHING, Place("torchrun", 9, 16, 1, "10.0.0.1", 29500, True, 2)),
        ({**OPENMPI, **AT}, NOTHING, Place("openmpi", 3, 4, 1, "10.0.0.1", 29500)),
        ({**OPENMPI, **SLURM, **AT}, NOTHING, Place("openmpi", 3, 4, 1, "10.0.0.1", 29500)),
        ({**OPENMPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, NOTHING, Place("openmpi", 3, 4, 1, "127.0.0.1", 29500)),
        (SLURM, NOTHING, Place("slurm", 5, 8, 1, "gpu07", 23456)),
        ({**SLURM, **AT, "MASTER_PORT": "4000"}, NOTHING, Place("slurm", 5, 8, 1, "10.0.0.1", 4000)),
        (PMI, NOTHING, Place("pmi", 1, 2, 1, "127.0.0.1", 29500)),
        ({"RANK": "0", "WORLD_SIZE": "2", **AT}, NOTHING, Place("variables", 0, 2, 0, "10.0.0.1", 29500)),
        ({}, Given(1, 2, 0, "10.0.0.9", 4001), Place("options", 1, 2, 0, "10.0.0.9", 4001)),
        (TORCHRUN, Given(address="10.0.0.9", port=4001), Place("torchrun", 9, 16, 1, "10.0.0.9", 4001, False, 2)),
        (OPENMPI, Given(address="10.0.0.9"), Place("openmpi", 3, 4, 1, "10.0.0.9", 29500)),
    ],
)
def test_the_place(env: dict[str, str], given: Given, place: Place) -> None:
    assert place_of(env, given) == place


@pytest.mark.parametrize(
    ("env", "given", "words"),
    [
        ({}, NOTHING, "No launcher started this"),
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "2"}, NOTHING, "No launcher started this"),
        (OPENMPI, NOTHING, "--master-addr"),
        ({}, Given(rank=0), "two ranks or more"),
        ({}, Given(rank=2, world_size=2, address="x"), "rank 2 of 2"),
        ({}, Given(rank=1, world_size=2), "--master-addr"),
        ({**OPENMPI, **AT, "OMPI_COMM_WORLD_RANK": "x"}, NOTHING, "OMPI_COMM_WORLD_RANK should be a number, not 'x'"),
        ({**OPENMPI, **AT, "MASTER_PORT": "99999"}, NOTHING, "MASTER_PORT is 99999"),
        ({**OPENMPI, **AT, "MASTER_PORT": "\u0661"}, NOTHING, "MASTER_PORT should be a number"),
        ({"RANK": "0", "WORLD_SIZE": "1", **AT}, NOTHING, "two ranks or more"),
    ],
)
def test_what_is_missing_is_named(env: dict[str, str], given: Given, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        place_of(env, given)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("node[01-03]", "node01"),
        ("node[7,9-12],gpu1", "node7"),
        ("rack[2-3]n[4-5]", "rack2n4"),
        ("", ""),
    ],
)
def test_the_first_host_of_slurms_notation(hosts: str, first: str) -> None:
    assert first_host(hosts) == first
