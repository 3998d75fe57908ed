"""The fake driver itself: where its settings come from, and that each kind of fault is the real thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fake_driver import FakeDriver

pytestmark = pytest.mark.rig

NAMES = (
    "import pynvml as n; n.nvmlInit(); print([n.nvmlDeviceGetName(n.nvmlDeviceGetHandleByIndex(i)) for i in range(2)])"
)
START = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"


def run(code: str, env: dict[str, str], timeout: float = 30) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_a_setting_of_one_gpu_beats_that_of_all(fake_driver: FakeDriver) -> None:
    done = run(NAMES, fake_driver.env({"gpus": 2, "name": "all", "gpu1.name": "one"}))
    assert done.stdout.strip() == "['all', 'one']"


def test_settings_come_from_a_file_too_and_the_variable_goes_first(fake_driver: FakeDriver, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.write_text("gpus=2\nname=of the file\ngpu0.name=first of the file\n")
    env = {**fake_driver.env({"gpu0.name": "of the variable"}), "FAKE_NV_CONF": str(conf)}
    assert run(NAMES, env).stdout.strip() == "['of the variable', 'of the file']"


def test_the_trace_tells_process_function_and_device(fake_driver: FakeDriver, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    run(NAMES, {**fake_driver.env(gpus=2), "FAKE_NV_TRACE": str(trace)})
    lines = [line.split() for line in trace.read_text().splitlines()]
    assert len({pid for pid, _, _ in lines}) == 1
    assert [[function, device] for _, function, device in lines][-1] == ["nvmlDeviceGetName", "1"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("segv.cuInit=1", -signal.SIGSEGV),
        ("abort.cuInit=1", -signal.SIGABRT),
        ("exit.cuInit=7", 7),
    ],
)
def test_a_death_is_the_death_of_the_whole_process(fake_driver: FakeDriver, fault: str, status: int) -> None:
    assert run(START, {**fake_driver.env(), "FAKE_NV": fault}).returncode == status


def test_a_hang_hangs_and_a_short_one_goes_on(fake_driver: FakeDriver) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run(START, fake_driver.env({"hang.cuInit": 3600}), timeout=1)
    assert run(START, fake_driver.env({"hang.cuInit": 0.05})).stdout.strip() == "0"


def test_a_flood_and_an_error_code(fake_driver: FakeDriver) -> None:
    done = run(START, fake_driver.env({"flood.cuInit": 100_000, "fail.cuInit": 802}))
    assert len(done.stdout) > 100_000
    assert done.stdout.endswith("802\n")


def test_a_missing_function_is_missing_and_the_others_are_not(fake_driver: FakeDriver) -> None:
    done = run(START, fake_driver.without("cuInit").env())
    assert "undefined symbol: cuInit" in done.stderr
    assert run(NAMES, fake_driver.without("cuInit").env(gpus=2)).returncode == 0


def test_one_library_without_the_other(fake_driver: FakeDriver, tmp_path: Path) -> None:
    alone = fake_driver.only("nvml", into=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["libnvidia-ml.so.1", "libnvidia-ml.so.535.104.05"]
    assert run(NAMES, alone.env(gpus=2)).returncode == 0
