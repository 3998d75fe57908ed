"""The sustained probe: on the CPU as it is, and its work for a GPU with stand-ins for the device and nvidia-smi."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpudoctor.diagnose import CheckSettings, prove
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts
from gpudoctor.probe import spec, sustained, zygote
from scripts_alone import load

pytestmark = pytest.mark.torch
PROGRAM = Path(__file__).resolve().parents[1] / "support" / "gpu_stand_in.py"
NEW_DRIVER = "*clocks_event_reasons*) echo '1410, 66, 0x0000000000000004';; *gpucurrent*) echo '4, 16';;"
OLD_DRIVER = "*clocks_throttle_reasons*) echo '1380, 70, 0x0000000000000048';; *gen.current*) echo '3, 8';;"


@pytest.fixture
def work(torch_python: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`work(cases)`: run the probe's part for a GPU, small; nvidia-smi answers by these cases of its arguments."""

    def run(cases: str, seconds: float = 0.0, lasting: float = 1.1) -> dict[str, Any]:
        program = tmp_path / "nvidia-smi"
        lines = (
            "#!/bin/sh",
            f'echo "$@" >> {tmp_path}/asked',
            f"sleep {seconds}",
            f'case "$*" in {cases} *) exit 2;; esac',
        )
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
        done = subprocess.run(
            [torch_python, str(PROGRAM), zygote.SCRIPTS, str(lasting)],
            env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_what_the_driver_says_meanwhile_is_kept(work: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    found = work(NEW_DRIVER)
    assert set(found["throttle_bits"]) == {4}
    assert set(found["clocks_mhz"]) == {1410}
    assert (found["pcie_generation"], found["pcie_width"]) == (4, 16)
    for name in ("flops", "best_flops", "memory_bytes", "pinned_to_device_bytes", "device_to_pinned_bytes"):
        assert found[f"{name}_per_second"] > 0
    assert found["best_flops_per_second"] >= found["flops_per_second"]
    assert 0 < found["lowest_share"] <= 1
    assert "-i GPU-4d4d6b9e" in (tmp_path / "asked").read_text()


def test_an_older_driver_is_asked_by_its_own_names(work: Callable[..., dict[str, Any]]) -> None:
    found = work(OLD_DRIVER)
    assert set(found["throttle_bits"]) == {0x48}
    assert (found["pcie_generation"], found["pcie_width"]) == (3, 8)


def test_the_gpu_works_until_a_slow_answer_is_there(work: Callable[..., dict[str, Any]]) -> None:
    """Longer than an answer is waited for by a GPU that has nothing to do."""
    assert set(work(NEW_DRIVER, seconds=1.6, lasting=2.0)["clocks_mhz"]) == {1410}


@pytest.mark.parametrize(
    "script", ["echo '[N/A], [N/A], [N/A]'", "echo 'a, b'", "printf '1, 2, 3\\n4, 5, 6\\n'", "exit 9"]
)
def test_answers_that_say_nothing_are_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Not told, fewer values than asked for, the GPUs of a whole machine, a driver that is gone."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    watch = load(Path(zygote.SCRIPTS) / "gpu_watch.py")
    cuda = SimpleNamespace(get_device_properties=lambda _: SimpleNamespace(), device_count=lambda: 1)
    asked = watch.Watch(SimpleNamespace(on_gpu=True, device=None, torch=SimpleNamespace(cuda=cuda))).clocks()
    until = time.monotonic() + 20
    while not asked.done() and time.monotonic() < until:
        time.sleep(0.01)
    assert [value for one in asked.read() for value in one.values()] == []


def test_the_bits_become_words() -> None:
    plan = zygote.plan_for(10.0, True, spec.groups_for(spec.chosen("none", ["sustained"])))
    line = {"step": "sustained", "outcome": "completed", "verdict": "passed", "device": "cuda:0"}
    for bits, words in (([0, 4, 0x44], ("none", "sw_power_cap", "hw_thermal_slowdown")), (["x"], None), ([], None)):
        end = ChildEnd(End.EXITED, lines=({**line, "throttle_bits": bits},))
        facts = Facts(tuple(sustained.facts(end, plan)))
        value = facts["probe.sustained.throttle_reasons"]
        assert (value == words) if words else not isinstance(value, tuple)
        lasting = facts["probe.sustained.lasting_throttle_reasons"]
        assert (lasting == ("sw_power_cap",)) if words else not isinstance(lasting, tuple)
    once = ChildEnd(End.EXITED, lines=({**line, "throttle_bits": [8]},))
    assert not isinstance(Facts(tuple(sustained.facts(once, plan)))["probe.sustained.lasting_throttle_reasons"], tuple)


@pytest.mark.slow
def test_on_the_cpu_it_passes_and_nothing_is_judged(torch_python: str) -> None:
    result = prove(CheckSettings(python=torch_python, probes="full", timeout=90.0), ["sustained"], "cpu")
    facts = result.diagnosis.facts
    assert facts["probe.sustained.outcome"] == "passed", facts["probe.sustained.said"]
    assert facts.number("probe.sustained.flops_per_second") > 1e8
    assert facts["probe.sustained.precision"] == "fp32"
    assert [one.check for one in result.diagnosis.findings if "probe.sustained" in one.message] == []
