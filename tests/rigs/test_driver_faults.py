"""The NVML and libcuda collectors against a driver that is sick in every way that the fake driver knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import faults
from collecting import collected
from fake_driver import DRIVER, FakeDriver
from faults import Fault
from gpudoctor.collect import driver_libraries, libcuda, nvml
from gpudoctor.host.local import LocalHost
from gpudoctor.model.fact import Reason, Unknown, Value
from gpudoctor.model.record import replace

pytestmark = pytest.mark.rig

Values = Mapping[str, "Value | Unknown"]
Examine = Callable[..., Values]

# The ways to die other than a segmentation fault are tried on these: each vital step, and one of every shape.
DIE_IN_ALL_WAYS = {
    *faults.NVML_VITAL,
    *faults.CUDA_VITAL,
    *("nvmlSystemGetDriverVersion", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetMemoryInfo"),
    *("nvmlDeviceGetNvLinkState", "nvmlDeviceGetUUID", "nvmlDeviceGetTotalEccErrors", "cuDeviceGet", "cuDeviceGetName"),
}
# Fields that the fake driver has only where they are set.
UNASKED = {"gpu.recovery_actions", "gpu.temperature_memory_celsius"}
HANG_LIMIT = 0.25  # seconds; nothing in the fake driver takes as long unless it hangs
NOT_ABOUT_FAULTS = {
    "nvml.sick_calls",
    "nvml.stderr",
    "nvml.load_error",
    "nvml.outcome",
    "gpu.nvml_error_codes",
    "gpu.nvml_error_texts",
    "cuda.stderr",
    "cuda.sick_calls",
    "cuda.init_outcome",
    "libcuda.load_error",
}


@pytest.fixture
def examine(fake_driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run one collector with the fake driver in front of the loader."""

    def run(module: ModuleType, settings: Mapping[str, object], driver: FakeDriver = fake_driver) -> Values:
        for name, value in driver.env(settings).items():
            monkeypatch.setenv(name, value)
        if module is not driver_libraries:
            limited = replace(module.PLAN, step_seconds=HANG_LIMIT, slow_seconds=HANG_LIMIT)
            monkeypatch.setattr(module, "PLAN", limited)
        with LocalHost() as host:
            return collected(module, host)

    return run


def module_of(fault: Fault) -> ModuleType:
    return libcuda if fault.function.startswith("cu") else nvml


def lost(facts: Values, gpu: int | None = None) -> set[str]:
    """The facts that are unknown: as a whole, or those of one GPU."""
    found = set()
    of_one = per_device(nvml) | per_device(libcuda)
    for key, value in facts.items():
        if key in NOT_ABOUT_FAULTS or (gpu is not None and isinstance(value, tuple) and key not in of_one):
            continue
        one = value[gpu] if gpu is not None and isinstance(value, tuple) and len(value) > gpu else value
        if isinstance(one, Unknown):
            found.add(key)
    return found


def per_device(module: ModuleType) -> set[str]:
    cuda = {spec.key for spec in libcuda.FACTS if spec.key.startswith("cuda.device_") and spec.type.is_list}
    return {spec.key for spec in module.FACTS if spec.per_device} - NOT_ABOUT_FAULTS if module is nvml else cuda


def test_a_healthy_driver_leaves_nothing_unknown(examine: Examine) -> None:
    for module in (nvml, libcuda):
        facts = examine(module, {"gpus": 3, **faults.RICH})
        assert [lost(facts, gpu) for gpu in range(3)] == [set()] * 3
        assert facts[f"{'nvml' if module is nvml else 'cuda'}.sick_calls"] == ()
    assert facts["cuda.init_outcome"] == "ok"


def test_the_lists_of_faults_name_exactly_the_functions_that_the_children_call(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "trace"
    monkeypatch.setenv("FAKE_NV_TRACE", str(trace))
    for module in (nvml, libcuda):
        examine(module, {"gpus": 2, "fail.nvmlDeviceGetSerial": 3, **faults.RICH})
    called = {line.split()[1] for line in trace.read_text().splitlines()}
    nvml_functions = {*faults.NVML_SYSTEM, *faults.NVML_VITAL, *faults.NVML_DEVICE, *faults.NVML_PAIR}
    cuda_functions = {*faults.CUDA_SYSTEM, *faults.CUDA_VITAL, *faults.CUDA_DEVICE, *faults.CUDA_WORDS}
    assert called == nvml_functions | cuda_functions | {faults.NVML_HANDLE, faults.CUDA_HANDLE, "nvmlErrorString"}


@pytest.mark.parametrize("fault", faults.refusals(), ids=lambda fault: fault.id)
def test_a_refusal_of_the_machine(examine: Examine, fault: Fault) -> None:
    module = module_of(fault)
    facts = examine(module, {"gpus": 2, **faults.RICH, **fault.settings})
    unknown = lost(facts)
    if fault.function in faults.HAVE_ANOTHER_WAY and fault.value == 13:
        assert unknown == set()
    elif fault.function == "nvmlInitWithFlags":
        assert (facts["nvml.outcome"], facts["nvml.init_code"]) == ("error", fault.value)
        assert facts["nvml.init_text"] == nvml_words(fault.value)
        assert unknown >= per_device(nvml)
    elif fault.function == "cuInit":
        assert (facts["cuda.init_outcome"], facts["cuda.init_code"]) == ("error", fault.value)
        nameless = Unknown(Reason.NO_DATA, f"the library has no name for CUDA error {fault.value}")
        assert facts["cuda.init_name"] in (faults.CUDA_NAMES.get(fault.value), nameless)
        assert str(facts["cuda.driver_api_version"]) == "12.2"
    elif fault.function in (*faults.NVML_VITAL, *faults.CUDA_VITAL):
        assert unknown >= per_device(module)
        assert str(facts["nvml.driver_version" if module is nvml else "cuda.driver_api_version"]) in (
            "535.104.05",
            "12.2",
        )
    else:
        assert unknown == set(fault.costs)
    for key in unknown & set(fault.costs):
        value = facts[key]
        assert isinstance(value, Unknown)
        assert str(fault.value) in value.detail


def nvml_words(code: int) -> object:
    words = {
        4: "Insufficient Permissions",
        9: "Driver Not Loaded",
        15: "GPU is lost",
        18: "Driver/library version mismatch",
    }
    return words.get(code) or AnyText()


class AnyText:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)

    def __hash__(self) -> int:
        return 0


@pytest.fixture(scope="session")
def many_codes(fake_driver: FakeDriver) -> Callable[[str], Values]:
    """One run for each function: GPU 0 is well, and each of the others has another error code."""

    @cache
    def run(function: str) -> Values:
        module = libcuda if function.startswith("cu") else nvml
        codes = faults.CUDA_CODES if module is libcuda else faults.NVML_CODES
        settings = {f"gpu{gpu}.fail.{function}": code for gpu, code in enumerate(codes, start=1)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in fake_driver.env({"gpus": len(codes) + 1, **faults.RICH, **settings}).items():
                patch.setenv(name, value)
            with LocalHost() as host:
                return collected(module, host)

    return run


@pytest.mark.parametrize("fault", faults.device_refusals(), ids=lambda fault: fault.id)
def test_a_refusal_of_one_gpu_costs_only_its_own_facts(many_codes: Callable[[str], Values], fault: Fault) -> None:
    module = module_of(fault)
    codes = faults.CUDA_CODES if module is libcuda else faults.NVML_CODES
    facts = many_codes(fault.function)
    gpu = codes.index(fault.value) + 1
    assert lost(facts, 0) == set()
    other_way = fault.function in faults.HAVE_ANOTHER_WAY and fault.value == 13
    if other_way or (fault.function, fault.value) in faults.MEAN_NOTHING_WRONG:
        assert lost(facts, gpu) == set(faults.OTHER_WAY_LOSES.get(fault.function, ()))
    elif fault.function in (faults.NVML_HANDLE, faults.CUDA_HANDLE):
        assert lost(facts, gpu) == per_device(module)
    else:
        assert lost(facts, gpu) == set(fault.costs)
    for key in fault.costs:
        element = facts[key][gpu]
        if isinstance(element, Unknown):
            assert other_way or f"error {fault.value}," in element.detail


@pytest.mark.parametrize(("function", "keys"), faults.NVML_PAIR.items())
@pytest.mark.parametrize("code", [2, 3, 15, 999])
def test_a_refusal_between_two_gpus(examine: Examine, function: str, keys: tuple[str, ...], code: int) -> None:
    facts = examine(nvml, {"gpus": 3, f"gpu1.fail.{function}": code})
    for key in keys:
        assert [isinstance(element, Unknown) for element in facts[key]] == [False, False, True]
    assert lost(facts) <= UNASKED


@pytest.mark.parametrize("fault", faults.deaths(("segv",)), ids=lambda fault: fault.id)
def test_a_function_that_kills_or_hangs_costs_only_its_own_facts(examine: Examine, fault: Fault) -> None:
    check_death(examine, fault)


@pytest.mark.parametrize(
    "fault",
    [fault for fault in faults.deaths(("abort", "exit", "hang")) if fault.function in DIE_IN_ALL_WAYS],
    ids=lambda fault: fault.id,
)
def test_other_ways_to_die(examine: Examine, fault: Fault) -> None:
    check_death(examine, fault)


def check_death(examine: Examine, fault: Fault) -> None:
    module = module_of(fault)
    facts = examine(module, {"gpus": 2, **faults.RICH, **fault.settings})
    prefix, outcome = ("nvml", "nvml.outcome") if module is nvml else ("cuda", "cuda.init_outcome")
    assert facts[outcome] == ("timed_out" if fault.kind == "hang" else "crashed")
    calls = facts[f"{prefix}.sick_calls"]
    how = {"segv": "SIGSEGV", "abort": "SIGABRT", "exit": "exit status 3", "hang": "did not return"}[fault.kind]
    assert how in calls[0]
    reason = Reason.TIMED_OUT if fault.kind == "hang" else Reason.CRASHED
    vital = (*faults.NVML_VITAL, *faults.CUDA_VITAL)
    if fault.function in vital:
        assert lost(facts) >= per_device(module)
        return
    assert len(calls) == 1
    assert lost(facts, 0) == (set(fault.costs) if fault.gpu is None else set())
    if fault.gpu is not None:
        whole = fault.function in (faults.NVML_HANDLE, faults.CUDA_HANDLE)
        assert lost(facts, 1) == (per_device(module) if whole else set(fault.costs))
    for key in fault.costs:
        value = facts[key]
        sick = value if fault.gpu is None else value[1]
        assert isinstance(sick, Unknown)
        assert sick.reason is reason
        assert how in sick.detail


def test_a_function_that_kills_on_every_gpu_is_left_out_after_two_deaths(examine: Examine) -> None:
    facts = examine(nvml, {"gpus": 8, "segv.nvmlDeviceGetTemperature": 1})
    assert len(facts["nvml.sick_calls"]) == 2
    assert all(isinstance(element, Unknown) for element in facts["gpu.temperature_celsius"])
    assert lost(facts, 7) == {"gpu.temperature_celsius", *UNASKED}


def test_a_gpu_on_which_everything_hangs_is_left_out_after_two_hangs(examine: Examine) -> None:
    hanging = {f"gpu5.hang.{function}": 3600 for function in faults.NVML_DEVICE}
    facts = examine(nvml, {"gpus": 8, **hanging})
    assert len(facts["nvml.sick_calls"]) == 2
    assert lost(facts, 4) == UNASKED
    assert lost(facts, 5) == per_device(nvml)


def test_one_of_eight_gpus_that_fell_off_the_bus(examine: Examine) -> None:
    gone = {f"gpu3.fail.{function}": 15 for function in (*faults.NVML_DEVICE, faults.NVML_HANDLE)}
    facts = examine(nvml, {"gpus": 8, **gone})
    assert facts["nvml.device_count"] == 8
    assert facts["gpu.nvml_error_codes"] == (0, 0, 0, 15, 0, 0, 0, 0)
    assert facts["gpu.nvml_error_texts"][3] == "GPU is lost"
    assert [index for index, name in enumerate(facts["nvml.device_names"]) if isinstance(name, Unknown)] == [3]


MISSING = sorted({*faults.NVML_DEVICE, *faults.NVML_SYSTEM, *faults.CUDA_DEVICE, *faults.CUDA_SYSTEM})


@pytest.mark.parametrize("function", MISSING)
def test_an_older_driver_without_a_function(examine: Examine, fake_driver: FakeDriver, function: str) -> None:
    module = libcuda if function.startswith("cu") else nvml
    facts = examine(module, {"gpus": 2, **faults.RICH}, fake_driver.without(function))
    tables = (faults.NVML_DEVICE, faults.NVML_SYSTEM, faults.CUDA_DEVICE, faults.CUDA_SYSTEM)
    costs = {key for table in tables for key in table.get(function, ())}
    other_way = set(faults.OTHER_WAY_LOSES.get(function, ()))
    assert lost(facts, 1) == (other_way if function in faults.HAVE_ANOTHER_WAY else costs)


def test_a_library_without_any_function_to_start_it(examine: Examine, fake_driver: FakeDriver) -> None:
    facts = examine(nvml, {}, fake_driver.without("nvmlInitWithFlags"))
    assert (facts["nvml.outcome"], facts["nvml.init_code"]) == ("error", 13)
    facts = examine(libcuda, {}, fake_driver.without("cuInit"))
    assert facts["cuda.init_outcome"] == "error"


def test_no_library_at_all(examine: Examine, fake_driver: FakeDriver, tmp_path: Path) -> None:
    nothing = FakeDriver(tmp_path, fake_driver.compiler)
    facts = examine(nvml, {}, nothing)
    assert (facts["nvml.outcome"], facts["nvml.init_code"]) == ("error", 12)
    assert "libnvidia-ml.so.1" in facts["nvml.load_error"]
    assert facts["nvml.driver_version"].reason is Reason.NOT_INSTALLED
    facts = examine(libcuda, {}, nothing)
    assert facts["cuda.init_outcome"] == "error"
    assert "libcuda.so.1" in facts["libcuda.load_error"]
    assert facts["cuda.init_code"].reason is Reason.NOT_INSTALLED


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01" + b"\0" * 400])
def test_a_file_that_is_no_library(examine: Examine, fake_driver: FakeDriver, tmp_path: Path, content: bytes) -> None:
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        (tmp_path / name).write_bytes(content)
    broken = FakeDriver(tmp_path, fake_driver.compiler)
    assert "libnvidia-ml.so.1" in str(examine(nvml, {}, broken)["nvml.load_error"])
    facts = examine(libcuda, {}, broken)
    assert "libcuda.so.1" in str(facts["libcuda.load_error"])
    assert facts["cuda.init_outcome"] == "error"


def test_the_loader_takes_what_the_search_foretells(examine: Examine, fake_driver: FakeDriver) -> None:
    found = examine(driver_libraries, {}, fake_driver)
    loaded = {**examine(nvml, {}), **examine(libcuda, {})}
    assert (found["libcuda.kind"], found["libnvidia_ml.kind"]) == ("real", "real")
    assert str(found["libcuda.version"]) == DRIVER
    assert found["libcuda.real_path"] == loaded["libcuda.loaded_path"]
    assert found["libnvidia_ml.real_path"] == loaded["nvml.loaded_path"]


def test_a_library_that_floods_standard_output(examine: Examine) -> None:
    facts = examine(nvml, {"gpus": 2, "flood.nvmlDeviceGetName": 5_000_000})
    assert facts["nvml.outcome"] == "ok"
    assert len(facts["nvml.device_names"]) == 2


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"cuda": 13000}, "nvml.cuda_version", "13.0"),
        ({"throttle": "0x48"}, "gpu.clock_event_reasons", ("hw_slowdown,hw_thermal_slowdown",)),
        ({"throttle": "0"}, "gpu.clock_event_reasons", ("none",)),
        ({"throttle": "0x8000000"}, "gpu.clock_event_reasons", ("unknown_0x8000000",)),
        ({"remap.pending": 1}, "gpu.remapping_pending", (True,)),
        ({"remap.failure": 1}, "gpu.remapping_failed", (True,)),
        ({"ecc.vu": 3}, "gpu.ecc_volatile_uncorrected", (3,)),
        ({"nvlink2": 0}, "gpu.nvlinks_inactive", (1,)),
        ({"nvlink2.err3": 7}, "gpu.nvlink_error_counters", ("gpu:0 link 2 crc_data 7",)),
        ({"fabric.state": 2}, "gpu.fabric_states", ("in_progress",)),
        ({"fabric.health": "0x11"}, "gpu.fabric_health", ("degraded_bandwidth,route_unhealthy",)),
        ({"field230": 2}, "gpu.recovery_actions", ("node_reboot",)),
        ({"field82": 61}, "gpu.temperature_memory_celsius", (61,)),
        ({"sram.u": 5}, "gpu.sram_uncorrected", (5,)),
        ({"sram.exceeded": 1}, "gpu.sram_threshold_exceeded", (True,)),
        ({"repair.channel": 1}, "gpu.channel_repair_pending", (True,)),
        ({"repair.tpc": 1}, "gpu.tpc_repair_pending", (True,)),
        ({"fan": 78}, "gpu.fan_percent", (78,)),
        ({"bar1": 268435456}, "gpu.bar1_total_bytes", (268435456,)),
        ({"bar1.used": 4096}, "gpu.bar1_used_bytes", (4096,)),
        ({"c2c": 1}, "gpu.c2c_enabled", (True,)),
        ({"mig": 1, "mig.devices": 3}, "gpu.mig_device_counts", (3,)),
        ({"computemode": 2}, "gpu.compute_modes", ("prohibited",)),
        ({"procs": "77:5000,78:6000"}, "gpu.process_memory_bytes", (11000,)),
        ({"gprocs": "79:1"}, "gpu.processes", ("gpu:0 pid 79 graphics 1 bytes",)),
        ({"power": 123456}, "gpu.power_draw_watts", (123.456,)),
        ({"pcie.width": 4}, "gpu.pcie_widths", (4,)),
        ({"gpus": 2, "topo": 50}, "gpu.pair_topologies", ("0-1 system",)),
        ({"gpus": 2, "p2p": 1}, "gpu.pair_p2p_reads", ("0-1 chipset_not_supported",)),
        ({"gpus": 0}, "nvml.device_names", ()),
        ({"retired.dbe": 2}, "gpu.retired_pages_double_bit", (2,)),
    ],
)
def test_what_is_read_is_what_the_driver_says(
    examine: Examine, settings: Mapping[str, object], key: str, value: object
) -> None:
    facts = examine(nvml, settings)
    assert (str(facts[key]) if isinstance(value, str) else facts[key]) == value
