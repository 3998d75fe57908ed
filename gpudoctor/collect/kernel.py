"""The kernel and the machine under it: WSL, Jetson boards and virtual machines each have their own GPU rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, present, printable, read_clean, read_line
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("kernel.name", FactType.TEXT, "The operating system kernel, as in `Linux`."),
    FactSpec("kernel.release", FactType.TEXT, "The kernel's release, as in `6.8.0-45-generic`."),
    FactSpec("kernel.version", FactType.TEXT, "The kernel's build, as `uname -v` prints it."),
    FactSpec("kernel.machine", FactType.TEXT, "The processor architecture, as in `x86_64` or `aarch64`."),
    FactSpec("kernel.command_line", FactType.TEXT, "What the kernel was booted with.", private=True),
    FactSpec("os.is_wsl", FactType.BOOLEAN, "Whether this is Windows Subsystem for Linux."),
    FactSpec("os.is_jetson", FactType.BOOLEAN, "Whether this is an NVIDIA Jetson (Tegra) board."),
    FactSpec("os.l4t_release", FactType.TEXT, "The Jetson Linux release, as in `R36.4.0`."),
    FactSpec("os.board_model", FactType.TEXT, "The board or computer model by device tree or DMI."),
    FactSpec(
        "os.virtualisation",
        FactType.TEXT,
        "What the machine runs on: none, kvm, qemu, vmware, virtualbox, hyperv, xen, amazon, google, wsl, gvisor, ...",
    ),
)
# What vendors write into DMI, in the order in which the more telling one comes first.
_VENDORS = (
    ("amazon ec2", "amazon"),
    ("google", "google"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("microsoft corporation virtual machine", "hyperv"),
    ("xen", "xen"),
    ("bochs", "qemu"),
    ("qemu", "qemu"),
    ("kvm", "kvm"),
    ("openstack", "kvm"),
    ("ovirt", "kvm"),
    ("rhev", "kvm"),
    ("alibaba", "kvm"),
    ("tencent", "kvm"),
    ("digitalocean", "kvm"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
    ("nutanix", "nutanix"),
)
# gVisor gives every sandbox this one build string (its source: pkg/sentry/syscalls/linux/linux64.go).
_GVISOR_VERSION = "#1 SMP Sun Jan 10 15:06:54 PST 2016"


def vendor_kind(dmi: str) -> str:
    """The kind of hypervisor that DMI strings tell of; empty for real hardware or an unknown vendor."""
    low = " ".join(dmi.lower().split())
    return next((kind for words, kind in _VENDORS if words in low), "")


def parse_l4t(text: str) -> str:
    """`R35.4.1` from the first line of /etc/nv_tegra_release; ValueError when it says something else."""
    match = re.search(r"#\s*(R\d{1,3})\s*\(release\),\s*REVISION:\s*([0-9.]{1,20})", text)
    if match is None:
        raise ValueError("nv_tegra_release does not name a release")
    return f"{match[1]}.{match[2]}"


def is_wsl_kernel(release: str) -> bool:
    """Whether a kernel release is one that Microsoft builds for WSL (`...-microsoft-standard-WSL2`)."""
    return "microsoft" in release.lower() or "wsl" in release.lower()


def _board(host: Host) -> str:
    tree = attempt(lambda: host.read_text("/proc/device-tree/model", 400))
    if isinstance(tree, str):
        return printable(tree.strip("\x00\n "))
    vendor = read_line(host, "/sys/class/dmi/id/sys_vendor")
    return f"{vendor} {read_line(host, '/sys/class/dmi/id/product_name')}"


def _is_jetson(host: Host) -> bool:
    if present(host, "/etc/nv_tegra_release"):
        return True
    board = attempt(lambda: _board(host))
    if isinstance(board, str) and ("jetson" in board.lower() or "tegra" in board.lower()):
        return True
    compatible = attempt(lambda: host.read_text("/proc/device-tree/compatible", 1000))
    return isinstance(compatible, str) and "nvidia,tegra" in compatible


def _virtualisation(host: Host, release: str, version: str) -> str | Unknown:
    if is_wsl_kernel(release):
        return "wsl"
    if version == _GVISOR_VERSION:
        return "gvisor"
    names = ("sys_vendor", "product_name", "bios_vendor", "chassis_vendor")
    fields = [attempt(partial(read_line, host, f"/sys/class/dmi/id/{name}")) for name in names]
    kind = vendor_kind(" ".join(field for field in fields if isinstance(field, str)))
    if kind:
        return kind
    hypervisor = attempt(lambda: read_line(host, "/sys/hypervisor/type"))
    if isinstance(hypervisor, str):
        return hypervisor
    cpuinfo = attempt(lambda: read_clean(host, "/proc/cpuinfo", 65536))
    if isinstance(cpuinfo, Unknown):
        return cpuinfo
    if re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE):
        return "unnamed_hypervisor"
    if any(isinstance(field, str) for field in fields) or "flags" in cpuinfo:
        return "none"
    return Unknown(Reason.NO_DATA, "neither DMI nor /proc/cpuinfo tells of a hypervisor on this architecture")


def collect(host: Host) -> Iterable[Fact]:
    """The kernel.* facts, and what lies under the kernel."""
    who = host.identity()
    silent = Unknown(Reason.NO_DATA, "the system does not say")
    release, version = str(who.get("kernel_release", "")), str(who.get("kernel_version", ""))
    yield Fact("kernel.name", printable(str(who.get("kernel_name", ""))) or silent)
    yield Fact("kernel.release", printable(release) or silent)
    yield Fact("kernel.version", printable(version) or silent)
    yield Fact("kernel.machine", printable(str(who.get("machine", ""))) or silent)
    yield fact("kernel.command_line", lambda: read_line(host, "/proc/cmdline"))
    yield fact("os.is_wsl", lambda: is_wsl_kernel(release) or present(host, "/proc/sys/fs/binfmt_misc/WSLInterop"))
    yield fact("os.is_jetson", lambda: _is_jetson(host))
    yield fact("os.l4t_release", lambda: _l4t(host))
    yield fact("os.board_model", lambda: _board(host))
    yield fact("os.virtualisation", lambda: _virtualisation(host, release, version))


def _l4t(host: Host) -> str | Unknown:
    if not present(host, "/etc/nv_tegra_release"):
        return Unknown(Reason.NOT_APPLICABLE, "no /etc/nv_tegra_release: not a Jetson")
    return parse_l4t(read_clean(host, "/etc/nv_tegra_release", 4096))
