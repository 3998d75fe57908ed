"""Holds what the PCI bus tells of NVIDIA devices, IOMMU and ACS."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import pci
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

ROOT = "/sys/bus/pci/devices"


def device(address, kind, vendor="0x10de", **more):
    files = {"class": kind, "vendor": vendor, **more}
    return {f"{ROOT}/{address}/{name}": text + "\n" for name, text in files.items()}


def config(control: int) -> bytes:
    head = bytes(0x100)
    first = (0x140 << 20 | 1 << 16 | 0x0001).to_bytes(4, "little")
    acs = (0x000 << 20 | 1 << 16 | 0x000D).to_bytes(4, "little") + b"\x1f\x00" + control.to_bytes(2, "little")
    return head + first + bytes(0x3C) + acs + bytes(64)


GPU = {"device": "0x2330", "current_link_speed": "16.0 GT/s PCIe", "max_link_speed": "32.0 GT/s PCIe"}
GPU.update({"current_link_width": "8", "max_link_width": "16", "numa_node": "-1", "power_state": "D0"})


def test_two_gpus_one_of_them_held_by_another_driver():
    files = {
        **device("0000:41:00.0", "0x030200", **GPU),
        **device("0000:81:00.0", "0x030000", device="0x2684"),
        **device("0000:81:00.1", "0x040300"),
        **device("0000:05:00.0", "0x068000"),
        **device("0000:00:02.0", "0x030000", vendor="0x8086"),
        "/proc/cmdline": "ro intel_iommu=on iommu=pt quiet\n",
        "/sys/kernel/iommu_groups/0/type": "DMA\n",
        "/sys/kernel/iommu_groups/1/type": "DMA\n",
    }
    links = {f"{ROOT}/0000:41:00.0/driver": "../../../bus/pci/drivers/nvidia"}
    facts = collected(pci, MemoryHost(files, links=links))
    assert facts["pci.nvidia_gpu_count"] == 2
    assert facts["pci.nvidia_addresses"] == ("0000:41:00.0", "0000:81:00.0")
    assert facts["pci.nvidia_drivers"] == ("nvidia", "none")
    assert facts["pci.nvidia_device_ids"] == ("0x2330", "0x2684")
    assert facts["pci.nvidia_link_speeds"][0] == "16.0 GT/s PCIe"
    assert isinstance(facts["pci.nvidia_link_speeds"][1], Unknown)
    assert (facts["pci.nvidia_link_widths"][0], facts["pci.nvidia_max_link_widths"][0]) == (8, 16)
    assert facts["pci.nvidia_numa_nodes"][0] == -1
    assert facts["pci.nvswitch_count"] == 1
    assert facts["pci.iommu_group_count"] == 2
    assert facts["pci.iommu_arguments"] == ("intel_iommu=on", "iommu=pt")


def test_acs():
    files = {
        **device("0000:00:01.0", "0x060400", vendor="0x8086"),
        **device("0000:00:02.0", "0x060400", vendor="0x8086"),
    }
    files[f"{ROOT}/0000:00:01.0/config"] = config(0x1D)
    files[f"{ROOT}/0000:00:02.0/config"] = config(0x00)
    assert collected(pci, MemoryHost(files))["pci.acs_bridges"] == ("0000:00:01.0",)
    files[f"{ROOT}/0000:00:01.0/config"] = files[f"{ROOT}/0000:00:02.0/config"] = bytes(64)
    assert collected(pci, MemoryHost(files))["pci.acs_bridges"].reason is Reason.PERMISSION_DENIED


def test_acs_registers():
    assert pci.parse_acs(config(0x5F)) == 0x5F
    assert pci.parse_acs(bytes(4096)) is None
    circle = bytes(0x100) + (0x104 << 20 | 1).to_bytes(4, "little") + (0x104 << 20 | 1).to_bytes(4, "little")
    assert pci.parse_acs(circle) is None
    with pytest.raises(ValueError):
        pci.parse_acs(bytes(64))


def test_no_sys():
    facts = collected(pci, MemoryHost())
    assert isinstance(facts["pci.nvidia_gpu_count"], Unknown)
