"""The NVIDIA driver as the kernel shows it: module version and kind, modules loaded, the GPUs that it has bound.

All of it is text below /proc and /sys, which containers see too. It is read before anything loads a driver library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.version import Version

PROC = "/proc/driver/nvidia"
MODULES = "/sys/module"
TEXT_LIMIT = 65536
# Modules that drive an NVIDIA GPU, stand in the driver's way or serve it.
MODULE_NAMES = frozenset(
    "nvidia nvidia_uvm nvidia_modeset nvidia_drm nvidia_peermem nvidia_fs nvidia_vgpu_vfio nvidia_cspmu nouveau"
    " nova_core gdrdrv nv_peer_mem nvgpu nvmap host1x tegra_drm dxgkrnl vfio_pci amdgpu".split()
)
_VERSION = re.compile(r"Kernel Module(?:\s+for\s+\S+)?\s+(\d{2,4}(?:\.\d{1,4}){1,3})\b")
_OPEN = re.compile(r"\bOpen Kernel Module\b")
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9 ]{0,40}?):\s*(.*?)\s*$", re.MULTILINE)

FACTS: tuple[FactSpec, ...] = (
    FactSpec("driver.kernel_module_version", FactType.VERSION, "Version of the nvidia kernel module that is loaded."),
    FactSpec("driver.kernel_module_text", FactType.TEXT, "What the module says of itself, verbatim."),
    FactSpec("driver.module_kind", FactType.TEXT, "Whether its source is open or proprietary."),
    FactSpec("driver.modules_loaded", FactType.TEXT_LIST, "Loaded kernel modules that concern NVIDIA GPUs."),
    FactSpec("driver.module_versions", FactType.TEXT_LIST, "Their versions, as `nvidia_uvm 535.104.05`."),
    FactSpec("driver.gpu_count", FactType.INTEGER, "GPUs that the kernel driver has bound."),
    FactSpec("driver.gpu_bus_ids", FactType.TEXT_LIST, "Their PCI bus ids."),
    FactSpec("driver.gpu_models", FactType.TEXT_LIST, "Their names, as the kernel driver gives them."),
    FactSpec(
        "driver.gpu_uuids", FactType.TEXT_LIST, "Their UUIDs; question marks until a GPU was woken.", private=True
    ),
    FactSpec("driver.gpu_minor_numbers", FactType.INTEGER_LIST, "Their device nodes: 0 is /dev/nvidia0."),
    FactSpec("driver.gpu_firmware_versions", FactType.TEXT_LIST, "Firmware on their system processors."),
    FactSpec("driver.gpus_excluded", FactType.TEXT_LIST, "Bus ids of GPUs that the driver was told to leave alone."),
    FactSpec("driver.parameters", FactType.TEXT_LIST, "Parameters of the kernel module, as `EnableMSI=1`."),
    FactSpec("driver.registered_majors", FactType.TEXT_LIST, "NVIDIA's character devices, as `195 nvidia-frontend`."),
)


def collect(host: Host) -> Iterable[Fact]:
    """Read the texts; each file that is missing costs its own facts."""
    yield from _module(host, _version_text(host))
    yield from _modules(host)
    yield from _gpus(host)
    parameters = attempt(lambda: host.read_text(f"{PROC}/params", TEXT_LIMIT))
    yield Fact("driver.parameters", parameters if isinstance(parameters, Unknown) else _assignments(parameters))
    devices = attempt(lambda: host.read_text("/proc/devices", TEXT_LIMIT))
    majors = devices if isinstance(devices, Unknown) else tuple(f"{n} {name}" for n, name in character_majors(devices))
    yield Fact("driver.registered_majors", majors)


def module_version(text: str) -> Version:
    """The version in /proc/driver/nvidia/version, old format or new; ValueError when there is none."""
    match = _VERSION.search(text)
    if match is None:
        raise ValueError(f"no module version in {text[:200]!r}")
    return Version.parse(match[1])


def module_kind(text: str) -> str:
    """`open` or `proprietary`; ValueError when the text is of something else."""
    module_version(text)
    return "open" if _OPEN.search(text) else "proprietary"


def character_majors(devices: str) -> Iterator[tuple[int, str]]:
    """NVIDIA's entries among the character devices of /proc/devices."""
    section = devices.partition("Character devices:")[2].partition("Block devices:")[0]
    for line in section.splitlines():
        number, _, name = line.strip().partition(" ")
        if number.isdigit() and len(number) < 6 and name.strip().startswith("nvidia"):
            yield int(number), name.strip()


def _version_text(host: Host) -> str | Unknown:
    """The module's text; where /proc can be read and has no such file, no module is loaded."""
    try:
        return host.read_text(f"{PROC}/version", TEXT_LIMIT)
    except HostError as error:
        loaded = attempt(lambda: host.stat(f"{MODULES}/nvidia"))
        if (
            error.absent
            and isinstance(loaded, Unknown)
            and not isinstance(attempt(lambda: host.stat("/proc")), Unknown)
        ):
            return Unknown(Reason.NOT_INSTALLED, f"no nvidia kernel module is loaded: there is no {PROC}/version")
        return error.unknown()


def _module(host: Host, text: str | Unknown) -> Iterator[Fact]:
    yield Fact("driver.kernel_module_text", text if isinstance(text, Unknown) else text.strip())
    version = text if isinstance(text, Unknown) else attempt(lambda: module_version(text))
    if isinstance(version, Unknown):
        short = attempt(lambda: Version.parse(host.read_text(f"{MODULES}/nvidia/version", 200)))
        version = version if isinstance(short, Unknown) else short
    yield Fact("driver.kernel_module_version", version)
    yield Fact("driver.module_kind", text if isinstance(text, Unknown) else attempt(lambda: module_kind(text)))


def _modules(host: Host) -> Iterator[Fact]:
    names = attempt(lambda: host.list_dir(MODULES))
    if isinstance(names, Unknown):
        yield Fact("driver.modules_loaded", names)
        yield Fact("driver.module_versions", names)
        return
    loaded = tuple(name for name in names if name in MODULE_NAMES)
    yield Fact("driver.modules_loaded", loaded)
    versions = []
    for name in loaded:
        version = attempt(partial(host.read_text, f"{MODULES}/{name}/version", 200))
        if not isinstance(version, Unknown):
            versions.append(f"{name} {version.strip()}")
    yield Fact("driver.module_versions", tuple(versions))


def _gpus(host: Host) -> Iterator[Fact]:
    keys = [spec.key for spec in FACTS if spec.key.startswith("driver.gpu")]
    try:
        slots = host.list_dir(f"{PROC}/gpus")
    except HostError as error:
        for key in keys:
            yield Fact(key, error.unknown())
        return
    found = [_information(host, slot) for slot in slots]
    columns: dict[str, Value] = {
        "driver.gpu_count": len(slots),
        "driver.gpu_bus_ids": tuple(slots),
        "driver.gpu_models": _column(found, "Model"),
        "driver.gpu_uuids": _column(found, "GPU UUID"),
        "driver.gpu_minor_numbers": tuple(_integer(element) for element in _column(found, "Device Minor")),
        "driver.gpu_firmware_versions": _column(found, "GPU Firmware", "Firmware"),
        "driver.gpus_excluded": tuple(
            slot
            for slot, fields in zip(slots, found)
            if not isinstance(fields, Unknown) and fields.get("GPU Excluded", "").lower() == "yes"
        ),
    }
    yield from (Fact(key, columns[key]) for key in keys)


def _information(host: Host, slot: str) -> dict[str, str] | Unknown:
    text = attempt(lambda: host.read_text(f"{PROC}/gpus/{slot}/information", TEXT_LIMIT))
    return text if isinstance(text, Unknown) else dict(_FIELD.findall(text))


def _column(found: Iterable[dict[str, str] | Unknown], *names: str) -> tuple[Element, ...]:
    """One field of every GPU, by the first of its names that is there."""
    return tuple(fields if isinstance(fields, Unknown) else _field(fields, names) for fields in found)


def _field(fields: dict[str, str], names: tuple[str, ...]) -> Element:
    for name in names:
        if fields.get(name):
            return fields[name]
    return Unknown(Reason.NO_DATA, f"the driver shows no {names[0]}")


def _integer(element: Element) -> Element:
    if isinstance(element, Unknown):
        return element
    return attempt(lambda: int(str(element)))


def _assignments(text: str) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in _FIELD.findall(text))
