from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import driver_kernel
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

GCC = "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n" + GCC
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (builder@host-7)  "
    "Thu Jan 23 23:26:14 UTC 2025\n" + GCC
)
TEGRA = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.3.0  Release Build  (b@c)  Tue Sep 24 2024\n"
OLD = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022\n"
INFORMATION = (
    "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 121\nGPU UUID: \t GPU-11111111-2222-3333-4444-55555555550{n}\n"
    "Video BIOS: \t 96.00.74.00.01\nBus Type: \t PCIe\nDMA Size: \t 52 bits\nBus Location: \t 0000:{bus}:00.0\n"
    "Device Minor: \t {n}\nGPU Firmware: \t 570.86.15\nGPU Excluded:\t {excluded}\n"
)
DEVICES = (
    "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n234 nvidia-caps\n509 nvidia-uvm\n\n"
    "Block devices:\n259 nvidia-not-really\n"
)


@pytest.mark.parametrize(
    ("text", "version", "kind"),
    [
        (PROPRIETARY, "535.104.05", "proprietary"),
        (OPEN, "570.86.15", "open"),
        (TEGRA, "540.3.0", "open"),
        (OLD, "390.157", "proprietary"),
    ],
)
def test_the_module_says_its_version_and_kind(text: str, version: str, kind: str) -> None:
    facts = collected(driver_kernel, MemoryHost({"/proc/driver/nvidia/version": text}))
    assert str(facts["driver.kernel_module_version"]) == version
    assert facts["driver.module_kind"] == kind
    assert facts["driver.kernel_module_text"] == text.strip()


@pytest.mark.parametrize("text", ["", "\0\xff" * 500, "NVRM version: soon\n", "Kernel Module  999999.99"])
def test_junk_is_unparseable_and_kept(text: str) -> None:
    facts = collected(driver_kernel, MemoryHost({"/proc/driver/nvidia/version": text}))
    for key in ("driver.kernel_module_version", "driver.module_kind"):
        assert isinstance(facts[key], Unknown)
        assert facts[key].reason is Reason.UNPARSEABLE


def test_without_its_text_the_version_comes_from_sys() -> None:
    host = MemoryHost({"/sys/module/nvidia/version": "550.54.14\n", "/sys/module/nvidia_uvm/version": "550.54.14\n"})
    facts = collected(driver_kernel, host)
    assert str(facts["driver.kernel_module_version"]) == "550.54.14"
    assert facts["driver.module_kind"].reason is Reason.NO_DATA
    assert facts["driver.module_versions"] == ("nvidia 550.54.14", "nvidia_uvm 550.54.14")


def test_a_machine_without_the_driver() -> None:
    facts = collected(
        driver_kernel, MemoryHost({"/proc/devices": "Character devices:\n  1 mem\n"}, dirs=["/sys/module/ext4"])
    )
    assert facts["driver.kernel_module_version"].reason is Reason.NOT_INSTALLED
    assert facts["driver.modules_loaded"] == ()
    assert facts["driver.registered_majors"] == ()
    assert facts["driver.gpu_count"].reason is Reason.NO_DATA


def test_a_hidden_proc_is_no_proof_of_absence() -> None:
    host = MemoryHost({"/proc/cpuinfo": ""}, errors={"/proc/driver": "EACCES", "/sys/module": "EACCES"})
    facts = collected(driver_kernel, host)
    assert facts["driver.kernel_module_version"].reason is Reason.PERMISSION_DENIED
    assert facts["driver.modules_loaded"].reason is Reason.PERMISSION_DENIED


def test_nouveau_beside_the_driver_is_seen() -> None:
    facts = collected(driver_kernel, MemoryHost(dirs=["/sys/module/nouveau", "/sys/module/nvidia", "/sys/module/xfs"]))
    assert facts["driver.modules_loaded"] == ("nouveau", "nvidia")


def test_the_gpus_that_the_kernel_driver_has_bound() -> None:
    files = {
        f"/proc/driver/nvidia/gpus/0000:{bus}:00.0/information": INFORMATION.format(n=n, bus=bus, excluded=excluded)
        for n, (bus, excluded) in enumerate([("1b", "No"), ("43", "Yes")])
    }
    facts = collected(driver_kernel, MemoryHost({**files, "/proc/devices": DEVICES}))
    assert facts["driver.gpu_count"] == 2
    assert facts["driver.gpu_bus_ids"] == ("0000:1b:00.0", "0000:43:00.0")
    assert facts["driver.gpu_models"] == ("NVIDIA H100 80GB HBM3",) * 2
    assert facts["driver.gpu_minor_numbers"] == (0, 1)
    assert facts["driver.gpu_firmware_versions"] == ("570.86.15",) * 2
    assert facts["driver.gpus_excluded"] == ("0000:43:00.0",)
    assert facts["driver.registered_majors"] == ("195 nvidia", "195 nvidiactl", "234 nvidia-caps", "509 nvidia-uvm")


def test_one_gpu_whose_text_cannot_be_read_is_one_unknown() -> None:
    folder = "/proc/driver/nvidia/gpus"
    files = {f"{folder}/a/information": INFORMATION.format(n=0, bus="1b", excluded="No"), f"{folder}/b/information": ""}
    facts = collected(driver_kernel, MemoryHost(files, errors={f"{folder}/b/information": "EIO"}))
    assert facts["driver.gpu_models"][0] == "NVIDIA H100 80GB HBM3"
    assert facts["driver.gpu_models"][1].reason is Reason.NO_DATA


def test_parameters() -> None:
    host = MemoryHost({"/proc/driver/nvidia/params": 'EnableMSI: 1\nRegistryDwords: ""\nModifyDeviceFiles: 1\n'})
    expected = ("EnableMSI=1", 'RegistryDwords=""', "ModifyDeviceFiles=1")
    assert collected(driver_kernel, host)["driver.parameters"] == expected
