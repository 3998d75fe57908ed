from __future__ import annotations

from typing import Any

import pytest

from collecting import collected
from gpudoctor.collect import nvml
from gpudoctor.collect.nvml_decode import clock_events, cuda_version, fabric_health
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

M = -1


def value(step: str, found: Any, gpu: int = M) -> dict[str, Any]:
    return {"step": step, "gpu": gpu, "call": f"call-{step}", "value": found}


def refused(step: str, code: int, gpu: int = M) -> dict[str, Any]:
    return {"step": step, "gpu": gpu, "call": f"call-{step}", "code": code}


def started(count: int) -> list[dict[str, Any]]:
    lines = [value("load", "/usr/lib/libnvidia-ml.so.1"), value("init", 0), value("driver_version", "550.54.14")]
    lines += [value("cuda_version", 12040), value("count", count)]
    return lines + [value("handle", True, gpu) for gpu in range(count)]


def facts_of(lines: list[dict[str, Any]], **end: Any) -> Any:
    child = ChildEnd(**{"end": End.EXITED, "lines": tuple(lines), **end})
    return collected(nvml, MemoryHost(children={"nvml": child}))


def test_a_refused_start_keeps_the_librarys_own_words() -> None:
    words = value("error_text.18", "Driver/library version mismatch")
    facts = facts_of([value("load", "/usr/lib/libnvidia-ml.so.1"), refused("init", 18), words])
    assert facts["nvml.outcome"] == "error"
    assert (facts["nvml.init_code"], facts["nvml.init_text"]) == (18, "Driver/library version mismatch")
    assert "Driver/library version mismatch" in facts["gpu.memory_total_bytes"].detail


def test_without_the_librarys_words_the_header_name_serves() -> None:
    facts = facts_of([value("load", ""), refused("init", 15)])
    assert facts["nvml.init_text"] == "NVML_ERROR_GPU_IS_LOST"
    assert facts["nvml.loaded_path"].reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (3, Reason.NOT_APPLICABLE),
        (4, Reason.PERMISSION_DENIED),
        (10, Reason.TIMED_OUT),
        (13, Reason.NOT_APPLICABLE),
        (15, Reason.NO_DATA),
        (999, Reason.NO_DATA),
        (12345, Reason.NO_DATA),
    ],
)
def test_each_code_is_a_reason_for_one_gpu_only(code: int, reason: Reason) -> None:
    facts = facts_of([*started(2), value("temperature", 40, 0), refused("temperature", code, 1)])
    good, bad = facts["gpu.temperature_celsius"]
    assert good == 40
    assert bad.reason is reason
    assert str(code) in bad.detail


def test_the_worst_code_of_a_gpu_is_kept_and_harmless_ones_are_not() -> None:
    lines = [*started(3), refused("pci", 999, 1), refused("vbios", 15, 1), refused("fabric", 3, 2)]
    lines += [refused("serial", 4, 2), value("error_text.15", "GPU is lost")]
    facts = facts_of(lines)
    assert facts["gpu.nvml_error_codes"] == (0, 15, 0)
    assert facts["gpu.nvml_error_texts"] == ("", "GPU is lost", "")


JUNK = [None, "x", -5, 1.5, [], {}, [None, None, None], ["a"], True, "\ud800", 10**30, [[1]], [[None, None]]]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_in_any_step_never_breaks_the_collector(junk: Any) -> None:
    steps = {one.step for one in nvml.READ_OUTS} | {"mig_devices", "nvlink_errors", "topology.1", "p2p_read.1"}
    lines = [*started(2), *(value(step, junk, 0) for step in steps if step != "nvlink_errors")]
    facts = facts_of([*lines, value("error_text.x", junk), {"step": 4}, {"gpu": "a"}, {}])
    assert facts["nvml.device_count"] == 2


@pytest.mark.parametrize("junk", [None, "x", -5, 1.5, [], 10**9])
def test_junk_in_place_of_the_number_of_gpus(junk: Any) -> None:
    facts = facts_of([*started(0)[:-1], value("count", junk)])
    if isinstance(junk, float):
        assert facts["nvml.device_count"] == 1
    else:
        assert facts["nvml.device_names"].reason is Reason.UNPARSEABLE


def test_junk_in_a_list_of_lists_never_breaks_the_collector() -> None:
    for junk in JUNK:
        facts = facts_of([*started(1), value("nvlink_errors", junk, 0), value("processes_graphics", junk, 0)])
        assert facts["nvml.device_count"] == 1


def test_a_child_that_was_never_started() -> None:
    facts = collected(nvml, MemoryHost())
    assert facts["nvml.outcome"] == "not_started"
    assert facts["nvml.init_code"].reason is Reason.NO_DATA
    assert "no such child" in facts["nvml.init_code"].detail


def test_a_broken_pynvml_is_no_verdict_on_the_driver() -> None:
    facts = facts_of([{"step": "import", "gpu": M, "error": "ModuleNotFoundError: No module named 'pynvml'"}])
    assert facts["nvml.outcome"] == "error"
    assert "pynvml" in facts["nvml.init_code"].detail
    assert facts["nvml.load_error"].reason is Reason.NOT_INSTALLED


def test_processes_whose_memory_is_not_told() -> None:
    facts = facts_of([*started(1), value("processes_compute", [[7, None], [8, 100]], 0)])
    assert facts["gpu.process_counts"] == (2,)
    assert isinstance(facts["gpu.process_memory_bytes"][0], Unknown)
    assert facts["gpu.processes"] == ("gpu:0 pid 7 compute memory not told", "gpu:0 pid 8 compute 100 bytes")


def test_the_words_for_bits() -> None:
    assert clock_events(0) == "none"
    assert clock_events(0x60) == "sw_thermal_slowdown,hw_thermal_slowdown"
    assert clock_events(1 << 40 | 4) == "sw_power_cap,unknown_0x10000000000"
    assert fabric_health(0) == "none"
    assert fabric_health(0x2AA) == "incorrect_system_guid"
    assert (
        fabric_health(0x555)
        == "degraded_bandwidth,route_recovery,route_unhealthy,access_timeout_recovery,insufficient_nvlinks"
    )


@pytest.mark.parametrize(("packed", "version"), [(12020, "12.2"), (12100, "12.10"), (13000, "13.0"), (9020, "9.2")])
def test_cuda_versions_are_unpacked(packed: int, version: str) -> None:
    assert str(cuda_version(packed)) == version


@pytest.mark.parametrize("junk", [0, -1, 42, 999])
def test_what_cannot_be_a_cuda_version_is_refused(junk: int) -> None:
    with pytest.raises(ValueError, match="CUDA"):
        cuda_version(junk)
