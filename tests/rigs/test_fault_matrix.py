"""End to end: whatever is sick, `gpudoctor check --json` gives a complete report that names it, in time, and leaves
nothing running.

A sample runs always; the whole matrix is marked `slow`.
"""

from __future__ import annotations

import pytest

import fault_matrix
import faults
from command import Ended
from fake_driver import FakeDriver
from fault_matrix import GRACE_SECONDS, Case, Matrix, Tongue, is_said, texts

pytestmark = pytest.mark.rig

SAMPLE = (
    "nvmlInitWithFlags-9 nvmlInitWithFlags-18 nvmlInitWithFlags-999 cuInit-100 cuInit-802 cuInit-803 cuInit-999 "
    "nvmlDeviceGetMemoryInfo-all-codes cuDeviceGetName-all-codes nvmlDeviceGetP2PStatus-15 "
    "nvmlInitWithFlags-segv cuInit-segv nvmlDeviceGetHandleByIndex_v2-segv cuGetErrorName-segv "
    "cuInit-hang nvmlDeviceGetHandleByIndex_v2-hang nvmlDeviceGetTemperature-hang "
    "nvmlDeviceGetName-missing nvmlInitWithFlags-missing cuDeviceGetName-missing cuInit-missing "
    "nvmlDeviceGetHandleByIndex_v2-lost nvmlDeviceGetPowerUsage-lost "
    "torch-segfault torch-hang_with_child torch-nvjitlink torch-binary_noise torch-os_exit"
).split()


class AnyTongue(Tongue):
    """For collecting: the names of the cases do not depend on the libraries, which are built later."""

    def __init__(self) -> None:
        pass

    def nvml(self, code: int) -> str:
        return str(code)

    def cuda(self, code: int) -> tuple[str, ...]:
        return (str(code),)


NAMES = [case.id for case in fault_matrix.cases(AnyTongue())]


@pytest.fixture(scope="session")
def cases(fake_driver: FakeDriver, matrix: Matrix, request: pytest.FixtureRequest) -> dict[str, Case]:
    """All cases by name; those that this session has chosen are on their way from here on."""
    found = {case.id: case for case in fault_matrix.cases(Tongue(fake_driver))}
    wanted = [item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")]
    matrix.start([found[name] for name in wanted if name in found])
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.slow) for name in NAMES]
)
def test_a_fault_is_named_in_a_whole_report(cases: dict[str, Case], matrix: Matrix, name: str) -> None:
    case = cases[name]
    ended = matrix.result(case).is_whole()
    assert ended.seconds < case.timeout + GRACE_SECONDS
    said = list(texts(ended.document))
    for words in case.said:
        assert any(is_said(words, text) for text in said), words
    if case.kind == "error code" and "gpus" in case.settings and case.count > 1:
        every_gpu_says_its_own(case, ended)
    if case.kind == "one GPU of eight lost":
        assert ended.value("nvml.device_count") == 8
        assert ended.value("gpu.nvml_error_codes") == [0, 0, 0, fault_matrix.LOST, 0, 0, 0, 0]
        assert "gpu-lost" in [found["check"] for found in ended.document["findings"] if found["kind"] == "fail"]


def every_gpu_says_its_own(case: Case, ended: Ended) -> None:
    """GPU 0 is well; in each fact that the function gives, the others are unknown with the code of each."""
    function = case.id[: -len("-all-codes")]
    codes = {int(key[3 : key.index(".")]): value for key, value in case.settings.items() if ".fail." in key}
    for key in fault_matrix.costs(function):
        values = ended.value(key)
        assert not isinstance(values[0], dict), key
        for gpu, code in codes.items():
            assert f"error {code}," in values[gpu]["detail"], (key, gpu)


def test_the_matrix_has_every_function_every_code_and_every_sick_torch() -> None:
    found = list(fault_matrix.cases(AnyTongue()))
    assert len(NAMES) == len(set(NAMES))
    assert set(SAMPLE) <= set(NAMES)
    assert sum(case.count for case in found) >= 150
    for kind in ("segfault", "hang", "missing symbol"):
        assert sum(case.count for case in found if case.kind == kind) == len(set(fault_matrix.EVERY_FUNCTION))
    assert {case.torch for case in found if case.torch} == set(fault_matrix.TORCH_SAID)
    for codes, start in ((faults.NVML_CODES, "nvmlInitWithFlags"), (faults.CUDA_CODES, "cuInit")):
        assert {f"{start}-{code}" for code in codes} <= set(NAMES)
