"""A real torch with one thing broken: each fault is named rightly, within its limit, and nothing is left running."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import broken_torch
from gpudoctor.diagnose import CheckSettings, prove
from gpudoctor.judging import Result
from gpudoctor.model.finding import Kind
from gpudoctor.model.record import replace
from gpudoctor.probe import compile as compile_probe
from gpudoctor.probe import conv2d, spec
from gpudoctor.probe.spec import chosen
from left_over import left_over

pytestmark = pytest.mark.torch
Prove = Callable[..., Result]


@pytest.fixture
def proven(torch_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prove]:
    """`proven("conv2d", "matmul")`: run these probes; afterwards nothing may still run."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv("GPUDOCTOR_TEST_MARK", mark)
    monkeypatch.chdir(tmp_path)

    def run(*names: str, timeout: float = 55.0, level: str = "quick") -> Result:
        return prove(CheckSettings(python=torch_python, probes=level, timeout=timeout), names, "cpu")

    yield run
    time.sleep(0.2)
    assert left_over(mark) == []


def failing(result: Result) -> dict[str, str]:
    """Check and cause of what failed on probes."""
    return {
        one.check: one.cause
        for one in result.diagnosis.findings
        if one.kind is Kind.FAIL and any(item.source.startswith("probe.") for item in one.evidence)
    }


@pytest.mark.parametrize(
    ("way", "outcome", "check", "words"),
    [
        ("raises", "failed", "operation-fails", "CUDNN_STATUS_EXECUTION_FAILED"),
        ("segfaults", "crashed", "operation-crashes", "SIGSEGV"),
        ("exits", "crashed", "operation-crashes", "conv2d"),
        ("wrong", "wrong_result", "cpu-gives-wrong-numbers", "convolution"),
        ("nan", "wrong_result", "cpu-gives-wrong-numbers", "not finite"),
        ("hangs", "timed_out", "operation-hangs", "conv2d"),
    ],
)
def test_a_broken_convolution_is_named_and_costs_no_other_probe(
    proven: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, outcome: str, check: str, words: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(broken_torch.write(tmp_path / "site", way)))
    if way == "hangs":
        monkeypatch.setattr(conv2d, "PROBE", spec.ProbeSpec("conv2d", "quick", "convolution", limit_s=3.0, order=30))
    result = proven("matmul", "conv2d", "attention", "amp")
    facts = result.diagnosis.facts
    assert facts["probe.conv2d.outcome"] == outcome
    assert [facts[f"probe.{name}.outcome"] for name in ("matmul", "attention", "amp")] == ["passed"] * 3
    assert check in failing(result)
    (finding,) = [one for one in result.diagnosis.findings if one.check == check]
    assert words in finding.message
    assert finding.remedies


def test_a_healthy_torch_passes_everything_quick(proven: Prove) -> None:
    result = proven()
    outcomes = {one.name: result.diagnosis.facts[f"probe.{one.name}.outcome"] for one in chosen("quick")}
    assert outcomes.pop("peers") == "not_applicable"
    assert set(outcomes.values()) == {"passed"}
    assert failing(result) == {}


@pytest.mark.rig
@pytest.mark.slow
def test_everything_full_passes_where_a_compiler_is(
    rig_requires: Callable[..., None], torch_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig_requires("g++")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    result = prove(CheckSettings(python=torch_python, probes="full", timeout=280.0), (), "cpu")
    facts = result.diagnosis.facts
    outcomes = {one.name: facts[f"probe.{one.name}.outcome"] for one in chosen("full")}
    assert outcomes.pop("peers") == "not_applicable"
    assert set(outcomes.values()) == {"passed"}, outcomes
    assert facts["probe.compile.compiler"]
    assert failing(result) == {}
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "outcome", "words"),
    [
        ("TORCHDYNAMO_DISABLE", "1", "not_applicable", "switches torch.compile off"),
        ("TORCHDYNAMO_SUPPRESS_ERRORS", "1", "failed", "compile"),
    ],
)
def test_what_was_not_compiled_does_not_pass(
    proven: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, outcome: str, words: str
) -> None:
    """A compiler that always fails, and a variable with which torch goes on without it."""
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv(name, value)
    facts = proven("compile", level="full").diagnosis.facts
    assert facts["probe.compile.outcome"] == outcome
    assert words in str(facts["probe.compile.said"]).lower()


@pytest.mark.slow
def test_the_rank_that_stopped_sharding_says_why(
    proven: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first rank only hears that its neighbour is gone."""
    folder = broken_torch.write(tmp_path / "site", "second", "torch.nn.functional", "linear")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    facts = proven("sharding", level="full").diagnosis.facts
    assert facts["probe.sharding.outcome"] == "failed"
    assert "only this rank" in str(facts["probe.sharding.output"])


@pytest.mark.slow
def test_full_probes_without_a_compiler(proven: Prove, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = proven("compile", "sharding", "dataloader", "fingerprint", level="full")
    facts = result.diagnosis.facts
    assert facts["probe.compile.outcome"] == "not_applicable"
    assert "compiler" in str(facts["probe.compile.said"])
    for name in ("sharding", "dataloader", "fingerprint"):
        assert facts[f"probe.{name}.outcome"] == "passed", facts[f"probe.{name}.said"]
    assert facts["probe.fingerprint.unstable"] == ()
    assert failing(result) == {}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["hangs", "interrupted"])
def test_a_compile_that_never_ends_leaves_no_folder(
    torch_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A compiler that was asked and never answers, ended by the probe's limit, or by Ctrl-C at gpudoctor."""
    mark, temporary, programs = uuid.uuid4().hex, tmp_path / "tmp", tmp_path / "bin"
    temporary.mkdir()
    programs.mkdir()
    compiler = programs / "g++"
    compiler.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexec sleep 600\n")
    compiler.chmod(0o755)
    for name, value in (("GPUDOCTOR_TEST_MARK", mark), ("TMPDIR", str(temporary)), ("CXX", str(compiler))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    if way == "hangs":
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(compile_probe, "PROBE", replace(compile_probe.PROBE, limit_s=20.0))
        result = prove(CheckSettings(python=torch_python, probes="full", timeout=100.0), ["compile"], "cpu")
        assert result.diagnosis.facts["probe.compile.outcome"] == "timed_out"
    else:
        words = [sys.executable, "-m", "gpudoctor", "probe", "compile", "--python", torch_python, "--device", "cpu"]
        # A suite that runs in the background hands an ignored SIGINT down, and what is ignored stays ignored.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(words, preexec_fn=heeding, **quiet) as started:
            until = time.monotonic() + 60
            while not (tmp_path / "asked").exists() and time.monotonic() < until and started.poll() is None:
                time.sleep(0.1)
            assert list(temporary.iterdir()), "the folder of the compiler is there while it works"
            started.send_signal(signal.SIGINT)
            started.wait(timeout=30)
    assert (tmp_path / "asked").exists(), "the compiler was asked"
    time.sleep(0.2)
    assert left_over(mark) == []
    assert list(temporary.iterdir()) == []


def test_a_device_that_is_not_there_does_not_apply(proven: Prove, torch_python: str) -> None:
    result = prove(CheckSettings(python=torch_python, timeout=50.0), ["matmul"], "cuda:7")
    assert result.diagnosis.facts["probe.matmul.outcome"] == "not_applicable"
    assert "cuda:7" in str(result.diagnosis.facts["probe.matmul.said"])


@pytest.mark.rig
@pytest.mark.slow
def test_a_small_dev_shm_is_named(rig_requires: Callable[..., None], torch_python: str, tmp_path: Path) -> None:
    """Sixteen MiB of /dev/shm, as a container with a small --shm-size has, in a mount namespace of its own."""
    import json

    rig_requires("unshare", "mount", root=True)
    gpudoctor = f"{torch_python} -m gpudoctor probe dataloader --json"
    script = f"mount -t tmpfs -o size=16m tmpfs /dev/shm && exec {gpudoctor}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env={**os.environ},
    )
    report = json.loads(done.stdout)
    assert report["facts"]["probe.dataloader.outcome"]["value"] in ("failed", "crashed")
    assert "memory.shm_too_small.dataloader" in [one["cause"] for one in report["findings"] if one["kind"] == "fail"]
    assert done.returncode == 1
