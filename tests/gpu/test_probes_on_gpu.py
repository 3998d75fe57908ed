"""On a machine with a GPU: every quick probe passes there, and its rates agree with torch's own stop-watch."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.diagnose import CheckSettings, prove, record
from gpudoctor.model.fact import Facts
from gpudoctor.probe.spec import chosen

pytestmark = [pytest.mark.gpu, pytest.mark.torch]
MEASURE = """
import json, torch
from torch.utils.benchmark import Timer
n = 4096
a = torch.ones(n, n, device="cuda").uniform_(-1, 1).half()
b = torch.ones(n, n, device="cuda").uniform_(-1, 1).half()
matmul = Timer("a @ b", globals={"a": a, "b": b}).blocked_autorange(min_run_time=1).median
host = torch.zeros(16 << 20, dtype=torch.int32).pin_memory()
there = host.cuda()
copy = Timer("there.copy_(host)", globals={"there": there, "host": host}).blocked_autorange(min_run_time=1).median
print(json.dumps({"matmul": 2 * n ** 3 / matmul, "copy": 4 * (16 << 20) / copy}))
"""


@pytest.fixture(scope="module")
def facts() -> Facts:
    """The quick probes on the first GPU."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed in this environment")
    asked = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.cuda.is_available())"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if asked.stdout.strip() != "True":
        pytest.skip("this machine has no GPU that torch can use")
    return prove(CheckSettings(python=sys.executable, probes="quick", timeout=120.0)).diagnosis.facts


@pytest.fixture(scope="module")
def measured(facts: Facts) -> dict[str, Any]:
    """The same operations by torch.utils.benchmark, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_quick_probe_passes_on_the_gpu(facts: Facts) -> None:
    for one in chosen("quick"):
        alone = one.name == "peers" and facts["torch.device_count"] == 1
        wanted = "not_applicable" if alone else "passed"
        assert facts[f"probe.{one.name}.outcome"] == wanted, facts[f"probe.{one.name}.said"]


def test_the_convolution_ran_by_cudnn(facts: Facts) -> None:
    assert facts["probe.conv2d.engine"] == "cudnn"
    assert facts.elements("probe.conv2d.cudnn_files")


def test_the_rate_of_the_matrix_product_is_torchs_own(facts: Facts, measured: dict[str, Any]) -> None:
    assert facts["probe.matmul.fp16_flops_per_second"] == pytest.approx(measured["matmul"], rel=0.15)


def test_the_rate_of_pinned_copies_is_torchs_own(facts: Facts, measured: dict[str, Any]) -> None:
    assert facts["probe.copies.pinned_to_device_bytes_per_second"] == pytest.approx(measured["copy"], rel=0.15)


def test_a_machine_with_a_gpu_can_be_recorded(facts: Facts, tmp_path: Path) -> None:
    folder = tmp_path / "host"
    settings = CheckSettings(python=sys.executable, probes="quick", timeout=120.0)
    record(settings, folder, lambda _facts, _specs: str)
    again = prove(CheckSettings(source=str(folder))).diagnosis.facts
    assert again["probe.matmul.outcome"] == "passed"
