"""On a machine with a GPU: every quick probe passes there, and its rates agree with torch's own stop-watch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.diagnose import CheckSettings, Result, diagnose, prove, record_machine
from gpudoctor.model.fact import Facts
from gpudoctor.model.finding import Kind
from gpudoctor.probe import zygote
from gpudoctor.probe.spec import chosen

pytestmark = [pytest.mark.gpu, pytest.mark.torch]
# The best of short pieces, as the probes take it: a large GPU meets its power limit within a second and slows down. For
# the sustained probe the median of some seconds.
MEASURE = """
import json, torch
from torch.utils.benchmark import Timer
def timed(statement, seconds, **names):
    timer = Timer(statement, globals=names)
    timer.blocked_autorange(min_run_time=0.2)
    return timer.blocked_autorange(min_run_time=seconds)
def halves(n):
    return torch.empty(n, n, device="cuda", dtype=torch.float16).uniform_(-1, 1)
n, m = 4096, %d
a, b, c, d = halves(n), halves(n), halves(m), halves(m)
host = torch.zeros(16 << 20, dtype=torch.int32).pin_memory()
there = host.cuda()
matmul = min(timed("a @ b", 0.2, a=a, b=b).times)
copy = min(timed("there.copy_(host)", 0.2, there=there, host=host).times)
long = timed("torch.matmul(c, c, out=d)", 4.0, c=c, d=d, torch=torch).median
print(json.dumps({"matmul": 2 * n**3 / matmul, "copy": 4 * (16 << 20) / copy, "sustained": 2 * m**3 / long}))
"""
# What torch's allocator held at most during each probe, in one process: the scripts themselves, without the harness.
PEAKS = """
import importlib.util, json, os, sys, torch
def load(name):
    spec = importlib.util.spec_from_file_location("alone_" + name[:-3], os.path.join(sys.argv[1], name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
peaks = {}
for name in sys.argv[2:]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    load("bench.py").Bench(torch, {}, lambda line: None, load).run(load("step_%s.py" % name).probe)
    peaks[name] = torch.cuda.max_memory_reserved()
print(json.dumps(peaks))
"""
FULL = ("sustained", "compile", "sharding", "dataloader", "fingerprint", "ring_edges")
KEEP = "GPUDOCTOR_KEEP_RECORDED_HOST"


@pytest.fixture(scope="module", autouse=True)
def one_node() -> Iterator[None]:
    """Stay on the processors of one node: pinned memory of another one is reached at another rate."""
    allowed = os.sched_getaffinity(0)
    near = next((node for node in map(processors_of, NODES) if min(allowed) in node), allowed)
    os.sched_setaffinity(0, allowed & near)
    yield
    os.sched_setaffinity(0, allowed)


NODES = sorted(Path("/sys/devices/system/node").glob("node*/cpulist"))


def processors_of(file: Path) -> set[int]:
    """`0-3,8` as numbers."""
    found: set[int] = set()
    for part in filter(None, file.read_text().strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.fixture(scope="module")
def there() -> None:
    """A GPU that torch can use, or a skip."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed in this environment")
    code = "import torch; print(torch.cuda.is_available())"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if asked.stdout.strip() != "True":
        pytest.skip("this machine has no GPU that torch can use")


@pytest.fixture(scope="module")
def facts(there: None) -> Facts:
    """The quick probes on the first GPU."""
    return prove(CheckSettings(python=sys.executable, probes="quick", timeout=120.0)).diagnosis.facts


@pytest.fixture(scope="module")
def full(there: None) -> Result:
    """The full ones, with all that the driver tells, without which no rate is judged."""
    return diagnose(CheckSettings(python=sys.executable, probes="full", timeout=590.0))


@pytest.fixture(scope="module")
def measured(full: Result) -> dict[str, Any]:
    """The same operations by torch.utils.benchmark, in a process of its own."""
    side = int(full.diagnosis.facts.number("probe.sustained.size") or 4096)
    code = MEASURE % side
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
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


def test_the_full_probes_pass_too(full: Result) -> None:
    facts = full.diagnosis.facts
    for name in FULL:
        alone = name == "ring_edges" and facts["torch.device_count"] == 1
        allowed = ("not_applicable",) if alone else ("passed", "not_applicable") if name == "compile" else ("passed",)
        assert facts[f"probe.{name}.outcome"] in allowed, facts[f"probe.{name}.said"]
    assert facts.elements("probe.sustained.clocks_mhz"), "nobody asked the driver meanwhile"
    assert facts.number("probe.sustained.pinned_to_device_bytes_per_second") > 1e9


def test_the_rate_that_holds_is_torchs_own(full: Result, measured: dict[str, Any]) -> None:
    rate = full.diagnosis.facts["probe.sustained.flops_per_second"]
    assert rate == pytest.approx(measured["sustained"], rel=0.15)


def test_a_healthy_gpu_is_not_called_slow(full: Result) -> None:
    slow = {"gpu-below-half-of-its-rate", "pcie-copies-below-half-of-link", "ring-below-its-link"}
    found = [one.message for one in full.diagnosis.findings if one.kind is Kind.FAIL and one.check in slow]
    assert found == []
    # Nothing that cannot be judged may pass for healthy: where a table has the GPU, the answer is that nothing is slow.
    peaks = full.diagnosis.facts["probe.below_half_of_peak"]
    assert peaks == () or "table" in getattr(peaks, "detail", ""), peaks


def test_no_quick_probe_takes_more_than_half_a_gibibyte(there: None) -> None:
    names = [one.name for one in chosen("quick") if one.name != "ring"]
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, zygote.SCRIPTS, *names], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    peaks = json.loads(done.stdout)
    assert sorted(peaks) == sorted(names)
    assert {name: peak for name, peak in peaks.items() if peak > 512 << 20} == {}
    assert peaks["matmul"] > 1 << 20, "nothing was measured"


def test_a_machine_with_a_gpu_can_be_recorded(there: None, tmp_path: Path) -> None:
    """With GPUDOCTOR_KEEP_RECORDED_HOST=FOLDER the recording stays, for tests/hosts."""
    folder = Path(os.environ[KEEP]) if os.environ.get(KEEP) else tmp_path / "host"
    settings = CheckSettings(python=sys.executable, probes="quick", timeout=120.0)
    record_machine(settings, folder, lambda _facts, _specs: str)
    again = prove(CheckSettings(source=str(folder))).diagnosis.facts
    assert again["probe.matmul.outcome"] == "passed"
