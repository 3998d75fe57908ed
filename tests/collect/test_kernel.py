"""Holds the recognition of WSL, Jetson boards and hypervisors."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import kernel
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

WSL = "5.15.167.4-microsoft-standard-WSL2"
CPU_BARE = "processor\t: 0\nflags\t\t: fpu vme sse2 avx\n"
CPU_GUEST = "processor\t: 0\nflags\t\t: fpu vme hypervisor avx\n"


def test_wsl():
    facts = collected(kernel, MemoryHost(identity={"kernel_release": WSL}))
    assert facts["os.is_wsl"] is True
    assert facts["os.virtualisation"] == "wsl"
    assert facts["kernel.release"] == WSL


def test_a_plain_server():
    files = {"/proc/cpuinfo": CPU_BARE, "/sys/class/dmi/id/sys_vendor": "Supermicro\n", "/proc/cmdline": "ro quiet\n"}
    files["/sys/class/dmi/id/product_name"] = "SYS-421GE-TNRT\n"
    facts = collected(kernel, MemoryHost(files))
    assert facts["os.is_wsl"] is False
    assert facts["os.is_jetson"] is False
    assert facts["os.virtualisation"] == "none"
    assert facts["os.board_model"] == "Supermicro SYS-421GE-TNRT"
    assert facts["kernel.command_line"] == "ro quiet"
    assert facts["os.l4t_release"] == Unknown(Reason.NOT_APPLICABLE, "no /etc/nv_tegra_release: not a Jetson")


def test_a_jetson():
    files = {
        "/etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n",
        "/proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\x00",
    }
    facts = collected(kernel, MemoryHost(files, identity={"machine": "aarch64"}))
    assert facts["os.is_jetson"] is True
    assert facts["os.l4t_release"] == "R35.4.1"
    assert facts["os.board_model"] == "NVIDIA Jetson AGX Orin Developer Kit"


def test_a_jetson_container_without_the_release_file():
    facts = collected(kernel, MemoryHost({"/proc/device-tree/compatible": "nvidia,p3737\x00nvidia,tegra234\x00"}))
    assert facts["os.is_jetson"] is True


@pytest.mark.parametrize(
    ("vendor", "product", "kind"),
    [
        ("Amazon EC2", "p5.48xlarge", "amazon"),
        ("Google", "Google Compute Engine", "google"),
        ("Microsoft Corporation", "Virtual Machine", "hyperv"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("VMware, Inc.", "VMware Virtual Platform", "vmware"),
        ("Dell Inc.", "PowerEdge XE9680", ""),
    ],
)
def test_vendors(vendor, product, kind):
    assert kernel.vendor_kind(f"{vendor} {product}") == kind


def test_a_hypervisor_without_a_name():
    assert collected(kernel, MemoryHost({"/proc/cpuinfo": CPU_GUEST}))["os.virtualisation"] == "unnamed_hypervisor"


def test_gvisor():
    told = {"kernel_release": "4.4.0", "kernel_version": "#1 SMP Sun Jan 10 15:06:54 PST 2016"}
    assert collected(kernel, MemoryHost(identity=told))["os.virtualisation"] == "gvisor"


def test_an_arm_machine_that_tells_nothing_is_not_called_bare_metal():
    facts = collected(kernel, MemoryHost({"/proc/cpuinfo": "processor : 0\nFeatures : fp asimd\n"}))
    assert isinstance(facts["os.virtualisation"], Unknown)
