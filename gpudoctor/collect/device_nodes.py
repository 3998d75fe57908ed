"""The device nodes that a CUDA program opens, and what the kernel answers when this process opens them.

A node can be there and still refuse: EPERM from the container's device rules, EACCES from its mode, ENXIO when no
driver stands behind it, ENODEV for a GPU that is gone. WSL and Jetson have nodes of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.driver_kernel import TEXT_LIMIT, character_majors
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown, Value

CONTROL = "/dev/nvidiactl"
UVM = "/dev/nvidia-uvm"
WSL = "/dev/dxg"
MIG_CAPS = "/dev/nvidia-caps"
IMEX_CHANNELS = "/dev/nvidia-caps-imex-channels"
MAXIMUM_NODES = 600
_GPU = re.compile(r"nvidia(\d{1,4})$")
_OTHERS = re.compile(r"nvidia-uvm-tools$|nvidia-modeset$|nvhost-(?:ctrl|as|gpu|ctrl-gpu|prof)(?:-gpu)?$|nvmap$|nvgpu$")
_JETSON = re.compile(r"nvhost-|nvmap$|nvgpu$")

FACTS: tuple[FactSpec, ...] = (
    FactSpec("device.node_paths", FactType.TEXT_LIST, "Device nodes of NVIDIA GPUs that CUDA programs open."),
    FactSpec(
        "device.node_errnos",
        FactType.TEXT_LIST,
        "What opening each of them gives, in the same order: empty when it opens, else the errno's name.",
    ),
    FactSpec("device.node_details", FactType.TEXT_LIST, "Kind, numbers and mode of each of them."),
    FactSpec("device.control_node_errno", FactType.TEXT, "Opening /dev/nvidiactl: empty when it opens, ENOENT, ..."),
    FactSpec("device.uvm_node_errno", FactType.TEXT, "Opening /dev/nvidia-uvm: empty when it opens, ENOENT, ..."),
    FactSpec("device.gpu_node_count", FactType.INTEGER, "Nodes /dev/nvidia0, /dev/nvidia1, ..."),
    FactSpec("device.gpu_node_numbers", FactType.INTEGER_LIST, "Their numbers."),
    FactSpec("device.gpu_node_errnos", FactType.TEXT_LIST, "What opening them gives, in the same order."),
    FactSpec("device.gpu_nodes_open_count", FactType.INTEGER, "How many of them open."),
    FactSpec("device.dxg_present", FactType.BOOLEAN, "Whether WSL's /dev/dxg is there."),
    FactSpec("device.dxg_errno", FactType.TEXT, "Opening /dev/dxg: empty when it opens, ENOENT, ..."),
    FactSpec("device.jetson_node_paths", FactType.TEXT_LIST, "Nodes of a Tegra system: nvmap, nvhost-*, nvgpu."),
    FactSpec("device.uvm_node_major", FactType.INTEGER, "Major number of the node /dev/nvidia-uvm."),
    FactSpec("device.uvm_registered_major", FactType.INTEGER, "Major number that the kernel gave to nvidia-uvm."),
    FactSpec("device.mig_capability_count", FactType.INTEGER, "Nodes in /dev/nvidia-caps, which MIG devices need."),
    FactSpec("device.imex_channel_count", FactType.INTEGER, "Nodes in /dev/nvidia-caps-imex-channels."),
)


def collect(host: Host) -> Iterable[Fact]:
    """List the nodes, open each once without waiting, and compare the numbers."""
    names = attempt(lambda: host.list_dir("/dev"))
    yield from _all_nodes(host, names)
    for key, path in (("control_node", CONTROL), ("uvm_node", UVM), ("dxg", WSL)):
        yield Fact(f"device.{key}_errno", attempt(partial(host.open_errno, path)))
    yield Fact("device.dxg_present", attempt(lambda: _is_there(host, WSL)))
    yield from _majors(host)
    yield Fact("device.mig_capability_count", attempt(lambda: _count(host, MIG_CAPS, "nvidia-cap")))
    yield Fact("device.imex_channel_count", attempt(lambda: _count(host, IMEX_CHANNELS, "channel")))


def _all_nodes(host: Host, names: tuple[str, ...] | Unknown) -> Iterator[Fact]:
    if isinstance(names, Unknown):
        for spec in FACTS:
            if spec.type.is_list or spec.key in ("device.gpu_node_count", "device.gpu_nodes_open_count"):
                yield Fact(spec.key, names)
        return
    numbers = sorted(int(match[1]) for match in map(_GPU.match, names) if match)
    gpus = [f"/dev/nvidia{number}" for number in numbers]
    others = [f"/dev/{name}" for name in names if _OTHERS.match(name)]
    singles = [path for path in (CONTROL, UVM, WSL) if path.rpartition("/")[2] in names]
    paths = [*singles, *gpus, *others][:MAXIMUM_NODES]
    errnos: dict[str, Element] = {path: attempt(partial(host.open_errno, path)) for path in paths}
    of_gpus = tuple(errnos[path] for path in gpus if path in errnos)
    unknown = next((one for one in of_gpus if isinstance(one, Unknown)), None)
    lists: dict[str, Value | Unknown] = {
        "node_paths": tuple(paths),
        "node_errnos": tuple(errnos[path] for path in paths),
        "node_details": tuple(attempt(partial(_detail, host, path)) for path in paths),
        "gpu_node_count": len(gpus),
        "gpu_node_numbers": tuple(numbers),
        "gpu_node_errnos": of_gpus,
        "gpu_nodes_open_count": sum(one == "" for one in of_gpus) if unknown is None else unknown,
        "jetson_node_paths": tuple(f"/dev/{name}" for name in names if _JETSON.match(name)),
    }
    yield from (Fact(f"device.{key}", value) for key, value in lists.items())


def _detail(host: Host, path: str) -> str:
    info = host.stat(path)
    if info.kind in ("char", "block"):
        return f"{info.kind} {info.major}:{info.minor} mode {info.mode & 0o7777:04o} owner {info.uid}:{info.gid}"
    return f"{info.kind} mode {info.mode & 0o7777:04o} owner {info.uid}:{info.gid}"


def _is_there(host: Host, path: str) -> bool:
    try:
        host.stat(path)
    except HostError as error:
        if error.absent:
            return False
        raise
    return True


def _majors(host: Host) -> Iterator[Fact]:
    info = attempt(lambda: host.stat(UVM))
    major: int | Unknown
    if isinstance(info, Unknown):
        major = info
    elif info.kind == "char":
        major = info.major
    else:
        major = Unknown(Reason.UNPARSEABLE, f"{UVM} is a {info.kind}, not a character device")
    yield Fact("device.uvm_node_major", major)
    devices = attempt(lambda: host.read_text("/proc/devices", TEXT_LIMIT))
    registered: int | Unknown
    if isinstance(devices, Unknown):
        registered = devices
    else:
        found = [number for number, name in character_majors(devices) if name == "nvidia-uvm"]
        missing = Unknown(Reason.NO_DATA, "/proc/devices does not list nvidia-uvm: its module is not loaded")
        registered = found[0] if found else missing
    yield Fact("device.uvm_registered_major", registered)


def _count(host: Host, folder: str, prefix: str) -> int:
    try:
        return sum(name.startswith(prefix) for name in host.list_dir(folder))
    except HostError as error:
        if error.absent:
            return 0
        raise
