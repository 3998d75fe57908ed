"""`gpudoctor ring`: what it refuses, that its lines in the guide parse, and a real ring of one machine's torchrun."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from command import environment, gpudoctor
from gpudoctor.across import RingResult, RingSettings
from gpudoctor.cli import ring
from gpudoctor.model.errors import UsageError

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "ring-across-machines.md"
LAUNCHERS = ("RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK", "MASTER_ADDR")
PLAIN = dict.fromkeys(LAUNCHERS)


def test_without_a_launcher_it_says_how_to_start_it() -> None:
    ended = gpudoctor("ring", env=PLAIN)
    assert ended.status == 2
    assert "torchrun --nnodes 2" in ended.errors
    assert "--rank R --world-size N" in ended.errors
    ended = gpudoctor("ring", "--json", env=PLAIN)
    assert (ended.status, ended.document["error"]["exit_code"]) == (2, 2)


def test_an_interpreter_without_torch(bare_python: str) -> None:
    place = ("--rank", "0", "--world-size", "2", "--master-addr", "127.0.0.1")
    ended = gpudoctor("ring", "--json", "--python", bare_python, *place, env=PLAIN)
    assert ended.status == 4
    assert "torch is not installed" in ended.document["error"]["message"]
    assert not ended.left


@pytest.mark.parametrize("line", re.findall(r"gpudoctor ring(?: --[a-z].*)?$", GUIDE.read_text(), re.MULTILINE))
def test_every_line_of_the_guide_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(settings: RingSettings) -> RingResult:
        asked.append(settings)
        raise UsageError("far enough")

    monkeypatch.setattr(ring, "run_ring", note)
    CliRunner().invoke(ring.command, line.split()[2:])
    assert len(asked) == 1


def test_the_guide_starts_it_under_every_launcher() -> None:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    for launcher in (
        "torchrun --nnodes 2 --node-rank",
        "--rdzv-backend c10d",
        "srun ",
        "mpirun ",
        "gpudoctor ring --rank 0",
    ):
        assert launcher in blocks


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.rig
def test_torchrun_on_one_machine(torch_python: str) -> None:
    """The line of the guide with a rendezvous endpoint, two ranks on one node, and a port that torchrun chooses."""
    words = "--nnodes 1 --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:0 --rdzv-id check".split()
    argv = [torch_python, "-m", "torch.distributed.run", *words, "-m", "gpudoctor", "ring"]
    env = environment({**PLAIN, "GLOO_SOCKET_IFNAME": None})
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "The ring of 2 ranks" in done.stdout
    assert " passed: " in done.stdout
