"""Derived facts, each from the few facts that decide it."""

from __future__ import annotations

from typing import Any

import pytest

from derived import derived
from gpudoctor.model.fact import Reason, Unknown

H100 = "NVIDIA H100 80GB HBM3"


def value(key: str, **given: Any) -> Any:
    """One derived fact; dots of keys are written as two underscores."""
    found = derived({name.replace("__", "."): one for name, one in given.items()})[key]
    if isinstance(found, tuple):
        return [str(one) if not isinstance(one, (bool, int, Unknown)) else one for one in found]
    return found if isinstance(found, (bool, int, Unknown)) else str(found)


def reason(key: str, **given: Any) -> Reason:
    """Why a derived fact is not known."""
    found = value(key, **given)
    assert isinstance(found, Unknown), found
    return found.reason


class TestDriver:
    def test_the_kernel_module_goes_before_nvml(self) -> None:
        given = {"driver__kernel_module_version": "580.95.05", "nvml__driver_version": "570.124.06"}
        assert value("driver.version", **given) == "580.95.05"
        assert value("driver.branch", **given) == 580

    def test_a_stub_tells_nothing_about_the_driver(self) -> None:
        assert reason("driver.version", libcuda__kind="stub", libcuda__version="535.1") is Reason.NOT_INSTALLED
        assert value("driver.version", libcuda__kind="real", libcuda__version="535.104.05") == "535.104.05"

    def test_cuda_version_from_whoever_tells(self) -> None:
        assert value("driver.cuda_version", driver__version="535.104.05") == "12.2"
        assert value("driver.cuda_version", driver__version="535.104.05", cuda__driver_api_version="12.4") == "12.4"
        assert reason("driver.cuda_version", driver__version="999.1") is Reason.NO_DATA

    def test_a_document_states_it_outright(self) -> None:
        assert value("driver.version", driver__version="470.57.02") == "470.57.02"
        assert value("driver.branch_ended", driver__version="470.57.02") is True

    def test_halves(self) -> None:
        module = {"driver__kernel_module_version": "580.95.05"}
        assert value("driver.halves_agree", **module, libcuda__kind="real", libcuda__version="580.95.05") is True
        assert value("driver.halves_agree", **module, libcuda__kind="real", libcuda__version="570.1") is False
        assert (
            reason("driver.halves_agree", **module, libcuda__kind="compat", libcuda__version="570.1") is Reason.NO_DATA
        )
        wsl = {"os__is_wsl": True, "libcuda__kind": "real", "libcuda__version": "570.1"}
        assert reason("driver.halves_agree", **module, **wsl) is Reason.NOT_APPLICABLE


class TestGpus:
    def test_names_give_count_and_capability(self) -> None:
        given = {"gpu__names": [H100, "NVIDIA GeForce RTX 4090"]}
        assert value("gpu.count", **given) == 2
        assert value("gpu.capabilities", **given) == ["9.0", "8.9"]
        assert value("gpu.kinds", **given) == ["datacenter", "geforce"]

    def test_nvml_goes_before_cuda_and_the_table(self) -> None:
        given = {"nvml__device_names": [H100], "gpu__compute_capabilities": ["8.0"]}
        assert value("gpu.capabilities", **given, cuda__device_compute_capabilities=["9.0"]) == ["8.0"]

    def test_an_unknown_model_leaves_its_neighbour_alone(self) -> None:
        first, second = value("gpu.capabilities", gpu__names=[H100, "NVIDIA Something New"])
        assert first == "9.0"
        assert isinstance(second, Unknown)

    def test_cuda_is_asked_where_nvml_is_silent(self) -> None:
        given = {"cuda__device_count": 1, "cuda__device_names": ["Orin"], "cuda__device_compute_capabilities": ["8.7"]}
        assert value("gpu.count", **given) == 1
        assert value("gpu.capabilities", **given) == ["8.7"]

    def test_no_node_and_no_library_is_no_gpu(self) -> None:
        assert value("gpu.count", device__gpu_node_count=0, libcuda__kind="absent") == 0
        assert value("gpu.count", nvml__device_count=0) == 0
        assert reason("gpu.count") is Reason.NO_DATA
        assert reason("gpu.count", device__gpu_node_count=0, device__dxg_present=True) is Reason.NO_DATA


class TestExpectation:
    @pytest.mark.parametrize(
        ("given", "because"),
        [
            ({"expect__gpus": "4"}, "asked"),
            ({"driver__kernel_module_version": "580.1"}, "driver"),
            ({"nvml__init_code": 18}, "driver"),
            ({"cuda__init_code": 802}, "driver"),
            ({"device__gpu_node_count": 2}, "device_nodes"),
            ({"container__nvidia_visible_devices": "all"}, "container"),
            ({"torch__build": "cuda"}, "cuda_build"),
            ({"torch__build": "cpu"}, "none"),
            ({"container__nvidia_visible_devices": "void", "torch__build": "cpu"}, "none"),
            ({"cuda__init_code": 100, "nvml__init_code": 12}, "none"),
            ({"expect__gpus": "none", "driver__version": "580.1"}, "none"),
            ({}, "none"),
        ],
    )
    def test_signs(self, given: dict[str, Any], because: str) -> None:
        assert value("gpu.expected_because", **given) == because
        assert value("gpu.expected", **given) is (because != "none")

    def test_what_could_not_be_looked_at_leaves_it_open(self) -> None:
        hidden = {"unknown": "permission_denied"}
        assert reason("gpu.expected", driver__kernel_module_version=hidden) is Reason.NO_DATA

    def test_number(self) -> None:
        assert value("expect.gpu_count", expect__gpus="8") == 8
        assert reason("expect.gpu_count", expect__gpus="any") is Reason.NOT_APPLICABLE


class TestCudaFloor:
    def test_by_version_and_by_cuda(self) -> None:
        assert value("driver.serves_torch", driver__version="535.104.05", torch__cuda_version="12.8") is True
        assert value("driver.serves_torch", driver__version="470.1", torch__cuda_version="12.1") is False
        assert value("driver.serves_torch", cuda__driver_api_version="12.7", torch__cuda_version="13.0") is False

    def test_success_outranks_the_table(self) -> None:
        given = {"driver__version": "470.161.03", "torch__cuda_version": "12.1"}
        assert value("driver.serves_torch", **given, torch__cuda_available=True) is True

    def test_jetson_and_wsl(self) -> None:
        jetson = {"os__is_jetson": True, "torch__cuda_version": "12.6", "cuda__driver_api_version": "12.6"}
        assert reason("cuda.min_driver", **jetson) is Reason.NOT_APPLICABLE
        assert value("driver.serves_torch", **jetson) is True
        assert value("cuda.min_driver", os__is_wsl=True, torch__cuda_version="12.4") == "527.41"

    def test_a_cpu_build_needs_no_driver(self) -> None:
        cpu = {"torch__cuda_version": {"unknown": "not_applicable"}}
        assert reason("cuda.min_driver", **cpu) is Reason.NOT_APPLICABLE


class TestArch:
    def test_the_observed_list_goes_before_the_table(self) -> None:
        given = {
            "gpu__names": ["NVIDIA GeForce RTX 5090"],
            "torch__version": "2.5.1+cu124",
            "torch__cuda_version": "12.4",
        }
        assert value("gpu.covered_by_wheel", **given) == [False]
        assert value("gpu.covered_by_wheel", **given, torch__arch_list=["sm_90", "sm_120"]) == [True]

    def test_conda_and_own_builds_stay_open(self) -> None:
        given = {"gpu__names": ["Tesla K40c"], "torch__version": "1.12.1", "torch__cuda_version": "11.3"}
        assert value("gpu.covered_by_wheel", **given) == [False]
        assert isinstance(value("gpu.covered_by_wheel", **given, python__environment="conda")[0], Unknown)
        own = {"gpu__names": [H100], "torch__version": "2.1.0a0+29c30b1", "torch__cuda_version": "12.2"}
        assert reason("gpu.covered_by_wheel", **own) is Reason.NO_DATA

    def test_ptx_of_a_newer_toolkit_is_not_counted_on(self) -> None:
        given = {"gpu__compute_capabilities": ["12.0"], "torch__arch_list": ["sm_80", "compute_90"]}
        old = {"torch__cuda_version": "12.8", "driver__version": "535.104.05"}
        assert value("gpu.covered_by_wheel", **given) == [True]
        assert isinstance(value("gpu.covered_by_wheel", **given, **old)[0], Unknown)

    def test_another_kind_of_build(self) -> None:
        assert reason("gpu.covered_by_wheel", torch__build="cpu", gpu__names=[H100]) is Reason.NOT_APPLICABLE


class TestPartners:
    @pytest.mark.parametrize(
        ("torch", "package", "version", "fits"),
        [
            ("2.9.1+cu128", "torchvision", "0.24.1", True),
            ("2.9.1+cu128", "torchvision", "0.24.0", True),
            ("2.9.1+cu128", "torchvision", "0.23.0", False),
            ("2.15.0+cu132", "torchvision", "0.29.2", True),
            ("2.14.0+cu130", "torchvision", "0.29.2", True),
            ("2.13.0+cu130", "torchvision", "0.29.2", False),
            ("2.10.0+cu128", "torchaudio", "2.11.0", False),
            ("2.13.0+cu130", "torchaudio", "2.11.0", True),
            ("2.9.1+cu128", "triton", "3.5.0", True),
            ("2.9.1+cu128", "triton", "3.2.0", False),
        ],
    )
    def test_fits(self, torch: str, package: str, version: str, fits: bool) -> None:
        assert value(f"{package}.fits_torch", **{"torch__version": torch, f"{package}__version": version}) is fits

    def test_pre_releases_are_left_alone(self) -> None:
        given = {"torch__version": "2.9.0.dev20250901+cu128", "torchvision__version": "0.24.0.dev20250901"}
        assert reason("torchvision.fits_torch", **given) is Reason.NO_DATA

    def test_numpy(self) -> None:
        assert value("numpy.fits_torch", torch__version="2.2.2", numpy__version="2.0.0") is False
        assert value("numpy.fits_torch", torch__version="2.3.0", numpy__version="2.0.0") is True
        assert value("numpy.fits_torch", torch__version="1.7.1", numpy__version="2.0.0") is False

    def test_pins(self) -> None:
        given = {"torch__version": "2.1.0+cu121", "xformers__version": "0.0.26.post1"}
        assert value("packages.extension_conflicts", **given) == [
            "xformers 0.0.26.post1 needs torch==2.3.0, and torch 2.1.0+cu121 is installed"
        ]


class TestWheelChoice:
    def test_only_for_a_machine_that_was_seen(self) -> None:
        assert reason("wheel.install_command") is Reason.NO_DATA
        assert (
            reason("wheel.install_command", driver__version="580.1", gpu__names=["NVIDIA Unheard Of"]) is Reason.NO_DATA
        )

    def test_an_installed_torch_goes_first(self) -> None:
        given = {"driver__version": "580.95.05", "gpu__names": [H100], "python__version": "3.11.9"}
        fresh = "pip install torch==2.14.1 torchvision==0.29.1 --index-url https://download.pytorch.org/whl/cu132"
        assert value("wheel.install_command", **given) == fresh
        replaced = value("wheel.install_command", **given, torch__installed=True)
        assert replaced == f"pip uninstall -y torch torchvision torchaudio && {fresh}"

    def test_the_installed_release_is_kept_where_one_of_its_builds_serves(self) -> None:
        given = {"gpu__names": [H100], "python__version": "3.11.9", "torch__version": "2.9.1+cpu"}
        assert "torch==2.9.1 " in value("wheel.install_command", **given, driver__version="580.95.05")
        assert value("wheel.best_variant", **given, driver__version="550.54.14") == "cu128"
        older = value("wheel.install_command", **given, driver__version="470.256.02")
        assert "torch==2.7.1 " in older
        assert older.endswith("/cu118")

    def test_jetson_has_builds_of_its_own(self) -> None:
        given = {"os__is_jetson": True, "cuda__device_names": ["Orin"], "cuda__device_count": 1}
        assert reason("wheel.install_command", **given) is Reason.NOT_APPLICABLE


class TestFailureCodes:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ("The NVIDIA driver on your system is too old (found version 12070).", 35),
            ("Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized", 802),
            ("CUDA unknown error - this may be due to an incorrectly set up environment", 999),
            ("Found no NVIDIA driver on your system.", 100),
        ],
    )
    def test_words_of_torch(self, words: str, code: int) -> None:
        assert value("cuda.failure_code", torch__cuda_warning=words, torch__cuda_available=False) == code

    def test_a_working_torch_settles_it(self) -> None:
        assert value("cuda.failure_code", cuda__init_code=999, torch__cuda_available=True) == 0

    def test_nvml(self) -> None:
        assert value("nvml.failure_code", nvml__init_text="Driver/library version mismatch") == 18
        assert value("nvml.failure_code", nvml__init_code=0, nvml__init_text="Success") == 0
        assert reason("nvml.failure_code", nvml__init_text="something else") is Reason.NO_DATA


class TestVisibility:
    @pytest.mark.parametrize("given", ["", "-1", "NoDevFiles", "-1,0"])
    def test_all_hidden(self, given: str) -> None:
        assert value("env.hides_all_gpus", env__cuda_visible_devices=given, gpu__count=2) is True

    @pytest.mark.parametrize(("given", "missing"), [("2", "2"), ("0,5,1", "5"), ("0,-1", "-1")])
    def test_missing(self, given: str, missing: str) -> None:
        assert value("env.first_missing_gpu", env__cuda_visible_devices=given, gpu__count=2) == missing

    @pytest.mark.parametrize("given", ["0", "1,0", "GPU-8932f937", "MIG-1,0"])
    def test_all_there(self, given: str) -> None:
        assert value("env.names_missing_gpu", env__cuda_visible_devices=given, gpu__count=2) is False


class TestDeviceHealth:
    def test_brakes(self) -> None:
        reasons = ["gpu_idle", "sw_power_cap", "hw_slowdown,hw_thermal_slowdown", {"unknown": "not_applicable"}]
        found = value("gpu.is_braked", gpu__clock_event_reasons=reasons)
        assert found[:3] == [False, False, True]
        assert isinstance(found[3], Unknown)

    def test_mig(self) -> None:
        given = {"gpu__mig_enabled": [True, True, False], "gpu__mig_device_counts": [0, 7, {"unknown": "no_data"}]}
        assert value("gpu.mig_without_slices", **given) == [True, False, False]

    def test_a_context_is_no_occupation(self) -> None:
        given = {"gpu__memory_used_bytes": [500 << 20, 40 << 30], "gpu__memory_total_bytes": [24 << 30, 80 << 30]}
        assert value("gpu.is_occupied", **given) == [False, True]

    def test_no_memory_size_is_no_crash(self) -> None:
        given = {"gpu__memory_used_bytes": [1], "gpu__memory_total_bytes": [0]}
        assert isinstance(value("gpu.memory_used_percent", **given)[0], Unknown)


class TestImportFailure:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (
                "libcudart.so.12: cannot open shared object file: No such file or directory",
                "missing_library",
            ),
            ("ImportError: /lib/libc.so.6: version `GLIBC_2.28' not found (required by x)", "glibc"),
            ("ImportError: x.so: undefined symbol: ncclMemFree", "nccl_symbol"),
            ("ImportError: x.so.12: undefined symbol: __nvJitLinkComplete_12_4", "shadowed_library"),
            ("ImportError: x.so: undefined symbol: _ZN3c104impl", "undefined_symbol"),
            ("ImportError: libcuda.so.1: file too short", "empty_library"),
            ("ImportError: numpy.core.multiarray failed to import", "numpy"),
            ("ModuleNotFoundError: No module named 'sympy'", "missing_module"),
            ("RuntimeError: whatever", "other"),
        ],
    )
    def test_kinds(self, error: str, kind: str) -> None:
        given = {"torch__import_outcome": "import_error", "torch__import_error": error}
        assert value("torch.import_failure", **given) == kind

    def test_no_failure(self) -> None:
        assert value("torch.import_failure", torch__import_outcome="imported") == "none"
        left = {"torch__import_outcome": "exited", "torch__import_error": "SystemExit: 3"}
        assert value("torch.import_failure", **left) == "none"
        assert reason("torch.import_failure") is Reason.NO_DATA


class TestLibraries:
    def test_doubles(self) -> None:
        listed = [
            "nvidia-nccl-cu12==2.27.5",
            "nvidia-nccl-cu13==2.28.9",
            "nvidia-cublas-cu12==12.8.4.1",
            "torch==2.9.1",
        ]
        found = value("packages.doubled_cuda_wheels", packages__names_versions=listed)
        assert found == ["nvidia-nccl-cu12==2.27.5, nvidia-nccl-cu13==2.28.9"]

    def test_a_bad_release(self) -> None:
        assert value("nccl.known_bad", nccl__version="2.29.2") is True
        assert value("nccl.fixed_in", nccl__version="2.29.2") == "2.29.3"
        assert value("nccl.known_bad", nccl__version="2.99.1") is False


def test_the_kernels_names_serve_where_nvml_is_broken() -> None:
    given = {"driver__kernel_module_version": "580.95.05", "driver__gpu_models": [H100], "python__version": "3.12.1"}
    assert value("wheel.best_variant", **given) == "cu132"
    assert reason("gpu.count", **given) is Reason.NO_DATA
