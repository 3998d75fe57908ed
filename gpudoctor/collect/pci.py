"""NVIDIA devices as the PCI bus shows them: they are there even when no driver is, or when another one holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, names_in, read_line, whole_number
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.record import record

_FOLDER = "/sys/bus/pci/devices"
_TEXTS = FactType.TEXT_LIST
FACTS = (
    FactSpec("pci.nvidia_gpu_count", FactType.INTEGER, "NVIDIA display and 3D controllers on the PCI bus."),
    FactSpec("pci.nvidia_addresses", _TEXTS, "Their bus addresses; the lists below run parallel to this one."),
    FactSpec("pci.nvidia_device_ids", _TEXTS, "Their PCI device ids, as in `0x2330`."),
    FactSpec("pci.nvidia_drivers", _TEXTS, "The kernel driver that holds each: nvidia, nouveau, vfio-pci, none."),
    FactSpec("pci.nvidia_link_speeds", _TEXTS, "The speed of each link now, as in `16.0 GT/s PCIe`."),
    FactSpec("pci.nvidia_link_widths", FactType.INTEGER_LIST, "The lanes of each link now."),
    FactSpec("pci.nvidia_max_link_speeds", _TEXTS, "The speed that each device could run at."),
    FactSpec("pci.nvidia_max_link_widths", FactType.INTEGER_LIST, "The lanes that each device has."),
    FactSpec("pci.nvidia_numa_nodes", FactType.INTEGER_LIST, "The NUMA node that each device hangs on; -1 for none."),
    FactSpec("pci.nvidia_power_states", _TEXTS, "The power state of each, as in `D0`."),
    FactSpec("pci.nvswitch_count", FactType.INTEGER, "NVSwitch devices on the PCI bus: they need the fabric manager."),
    FactSpec("pci.iommu_group_count", FactType.INTEGER, "IOMMU groups; more than none means that the IOMMU is on."),
    FactSpec("pci.iommu_arguments", _TEXTS, "What the kernel command line says about IOMMU and ACS."),
    FactSpec("pci.acs_bridges", _TEXTS, "Bridges that redirect peer-to-peer traffic (ACS), which slows NCCL down."),
)
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ACS_CAPABILITY = 0x000D
_ACS_REDIRECTS = 0x0C  # request redirect and completion redirect (PCI Express base specification, 7.7.8.3)


@record
class Device:
    """One PCI function: its address, class and ids as numbers."""

    address: str
    kind: int
    vendor: int

    @property
    def is_gpu(self) -> bool:
        """An NVIDIA VGA or 3D controller."""
        return self.vendor == 0x10DE and self.kind >> 16 == 0x03

    @property
    def is_nvswitch(self) -> bool:
        """An NVIDIA bridge of class `other`."""
        return self.vendor == 0x10DE and self.kind >> 8 == 0x0680


def parse_acs(config: bytes) -> int | None:
    """The ACS control register in a device's configuration space, None where it has no ACS.

    ValueError when the extended part is not there, which is all that users other than root get.
    """
    if len(config) < 0x104:
        raise ValueError("only root may read the extended PCI configuration")
    offset = 0x100
    for _ in range(64):
        header = int.from_bytes(config[offset : offset + 4], "little")
        if header & 0xFFFF == _ACS_CAPABILITY and offset + 8 <= len(config):
            return int.from_bytes(config[offset + 6 : offset + 8], "little")
        offset = header >> 20
        if offset < 0x104 or offset + 4 > len(config):
            return None
    return None


def _device(host: Host, address: str) -> Device:
    kind = int(read_line(host, f"{_FOLDER}/{address}/class"), 16)
    return Device(address, kind, int(read_line(host, f"{_FOLDER}/{address}/vendor"), 16))


def _devices(host: Host) -> list[Device]:
    found = [attempt(partial(_device, host, name)) for name in host.list_dir(_FOLDER) if _ADDRESS.fullmatch(name)]
    return [device for device in found if isinstance(device, Device)]


def _driver(host: Host, address: str) -> str:
    try:
        return host.stat(f"{_FOLDER}/{address}/driver", follow=False).link_target.rpartition("/")[2] or "none"
    except HostError as error:
        if error.absent:
            return "none"
        raise


def _number(host: Host, path: str) -> int:
    return whole_number(read_line(host, path), path)


def collect(host: Host) -> Iterable[Fact]:
    """The pci.* facts."""
    yield fact("pci.iommu_group_count", lambda: len(names_in(host, "/sys/kernel/iommu_groups")))
    yield fact("pci.iommu_arguments", lambda: _iommu_arguments(host))
    devices = attempt(lambda: _devices(host))
    if isinstance(devices, Unknown):
        for spec in FACTS:
            if not spec.key.startswith("pci.iommu_"):
                yield Fact(spec.key, devices)
        return
    gpus = [device.address for device in devices if device.is_gpu]
    yield Fact("pci.nvidia_gpu_count", len(gpus))
    yield Fact("pci.nvidia_addresses", tuple(gpus))
    yield Fact("pci.nvidia_drivers", tuple(attempt(partial(_driver, host, address)) for address in gpus))
    for key, name in (
        ("device_ids", "device"),
        ("link_speeds", "current_link_speed"),
        ("max_link_speeds", "max_link_speed"),
        ("power_states", "power_state"),
    ):
        yield Fact(f"pci.nvidia_{key}", tuple(attempt(partial(read_line, host, f"{_FOLDER}/{a}/{name}")) for a in gpus))
    for key, name in (
        ("link_widths", "current_link_width"),
        ("max_link_widths", "max_link_width"),
        ("numa_nodes", "numa_node"),
    ):
        yield Fact(f"pci.nvidia_{key}", tuple(attempt(partial(_number, host, f"{_FOLDER}/{a}/{name}")) for a in gpus))
    yield Fact("pci.nvswitch_count", sum(device.is_nvswitch for device in devices))
    yield Fact("pci.acs_bridges", _acs(host, devices))


def _acs(host: Host, devices: Iterable[Device]) -> tuple[Element, ...] | Unknown:
    bridges = [device.address for device in devices if device.kind >> 8 == 0x0604]
    answers = [(bridge, attempt(partial(_control, host, bridge))) for bridge in bridges]
    refused = [answer for _, answer in answers if isinstance(answer, Unknown)]
    if refused and len(refused) == len(answers):
        return Unknown(Reason.PERMISSION_DENIED, refused[0].detail)
    return tuple(bridge for bridge, answer in answers if isinstance(answer, int) and answer & _ACS_REDIRECTS)


def _control(host: Host, address: str) -> int:
    return parse_acs(host.read_bytes(f"{_FOLDER}/{address}/config", 4096)) or 0


def _iommu_arguments(host: Host) -> tuple[str, ...]:
    words = read_line(host, "/proc/cmdline").split()
    return tuple(word for word in words if re.match(r"(?:intel_|amd_)?iommu[.=]|iommu\.|pcie_acs|pci=", word))
