"""The whole command on a machine whose driver libraries are our stand-ins."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import fake_torch
from commands import left_behind

H100S = {"gpus": 2, "name": "NVIDIA H100 80GB HBM3", "cc": 90, "driver": "580.82.07", "cuda": 13000, "nvlinks": 18}


def facts_of(report) -> dict[str, object]:
    """The known facts."""
    return {key: fact["value"] for key, fact in report["facts"].items() if "value" in fact}


@pytest.mark.rig
@pytest.mark.torch
def test_the_cpu_torch_beside_two_h100s_is_the_primary_cause(run, fake_driver, torch_python: str) -> None:
    ended = run("check", "--json", "--python", torch_python, env=fake_driver.env(H100S))
    report = ended.json
    assert (ended.code, report["summary"]["primary"]) == (1, "wheel.cpu_only_build")
    facts = facts_of(report)
    assert (facts["gpu.count"], facts["torch.build"]) == (2, "cpu")
    installed = str(facts["torch.version"]).partition("+")[0]
    command = report["findings"][0]["remedies"][0]["command"]
    assert command.startswith("pip uninstall -y torch torchvision torchaudio && pip install ")
    assert f"torch=={installed} " in command
    assert re.search(r" --index-url https://download\.pytorch\.org/whl/cu13\d$", command)


@pytest.mark.rig
def test_two_gpus_and_a_torch_that_sees_them(run, fake_driver, tmp_path: Path) -> None:
    folder = fake_torch.write(tmp_path / "torches", is_available="return True", count=2, arch_list="sm_80 sm_90")
    env = {**fake_driver.env(H100S), "PYTHONPATH": str(folder)}
    # This torch has no arithmetic, which probes would rightly find broken.
    report = run("check", "--json", "--no-redact", "--no-probes", env=env).json
    facts = facts_of(report)
    assert facts["gpu.names"] == ["NVIDIA H100 80GB HBM3"] * 2
    assert facts["cuda.init_outcome"] == facts["nvml.outcome"] == "ok"
    failed = [one["cause"] for one in report["findings"] if one["kind"] == "fail" and one["severity"] == "error"]
    assert failed == []


@pytest.mark.rig
@pytest.mark.parametrize(
    ("sickness", "key", "outcome"),
    [
        ({"segv.cuInit": 1}, "cuda.init_outcome", "crashed"),
        ({"abort.cuInit": 1}, "cuda.init_outcome", "crashed"),
        ({"exit.cuInit": 3}, "cuda.init_outcome", "crashed"),
        ({"hang.cuInit": 600}, "cuda.init_outcome", "timed_out"),
        ({"flood.cuInit": 5_000_000}, "cuda.init_outcome", "ok"),
        ({"segv.nvmlInit_v2": 1, "segv.nvmlInitWithFlags": 1}, "nvml.outcome", "crashed"),
        ({"hang.nvmlDeviceGetName": 600}, "nvml.outcome", "timed_out"),
        ({"fail.cuInit": 802}, "cuda.init_outcome", "error"),
    ],
)
def test_a_sick_driver_takes_nobody_with_it(
    run, fake_driver, tmp_path: Path, sickness: dict[str, int], key: str, outcome: str
) -> None:
    mark = str(tmp_path)
    env = {**fake_driver.env({**sickness, **H100S}), "GPUDOCTOR_TEST_MARK": mark}
    ended = run("check", "--json", "--timeout", "12", env=env)
    facts = facts_of(ended.json)
    assert facts[key] == outcome
    assert ended.code == ended.json["summary"]["exit_code"]
    assert ended.code in (0, 1)
    assert "Traceback" not in ended.err
    assert left_behind(mark) == []
    if outcome in ("crashed", "timed_out"):
        causes = {one["cause"] for one in ended.json["findings"] if one["kind"] == "fail"}
        assert causes & {"driver.library_crashes", "driver.call_hangs"}


@pytest.mark.rig
def test_asking_for_more_gpus_than_there_are(run, fake_driver) -> None:
    ended = run("check", "--json", "--expect-gpus", "8", "--python", sys.executable, env=fake_driver.env(H100S))
    causes = {one["cause"] for one in ended.json["findings"] if one["kind"] == "fail"}
    assert "container.fewer_gpus_than_expected" in causes
    assert ended.code == 1
