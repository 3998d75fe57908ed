"""The ring over NCCL, on a machine that has GPUs."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from command import check

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture(scope="module")
def gpus() -> int:
    """How many GPUs torch sees here; skips where there is none."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("this machine has no NVIDIA GPU")
    code = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    count = int(done.stdout.strip() or 0) if done.returncode == 0 else 0
    if not count:
        pytest.skip(f"torch sees no GPU here: {done.stderr.strip()[-300:]}")
    return count


def test_the_ring_passes_over_nccl(gpus: int) -> None:
    ended = check(seconds=120).is_whole()
    assert ended.value("probe.ring.outcome") == "passed"
    assert ended.value("probe.ring.backend") == "nccl"
    assert ended.value("probe.ring.ranks") == gpus
    if gpus > 1:
        assert ended.value("probe.ring.bus_bandwidth_bytes_per_second") > 1e9


def test_every_pair_is_measured(gpus: int) -> None:
    if gpus < 2:
        pytest.skip("one GPU has no pair")
    ended = check("--probes", "full", seconds=500).is_whole()
    assert ended.value("probe.ring_edges.outcome") == "passed"
    assert len(ended.value("probe.ring_edges.pairs")) == gpus * (gpus - 1) // 2
    assert min(ended.value("probe.ring_edges.bandwidths")) > 1e9


def test_a_variable_that_breaks_nccl_is_named(gpus: int) -> None:
    if gpus < 2:
        pytest.skip("one GPU needs no interface")
    ended = check(seconds=120, env={"NCCL_SOCKET_IFNAME": "eth999"})
    assert ended.value("probe.ring.blamed_variables") == ["NCCL_SOCKET_IFNAME"]


def test_the_ring_of_torchrun_takes_every_gpu(gpus: int) -> None:
    if gpus < 2:
        pytest.skip("one GPU makes no ring")
    words = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}", "-m", "gpudoctor", "ring"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert f"The ring of {gpus} ranks" in done.stdout
    assert "over nccl" in done.stdout
