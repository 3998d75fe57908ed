"""Builds recorded machines from few parameters: the texts of /proc, /sys and /dev as kernels and engines write them.

`Machine` is a bare machine or a container without any GPU; `give_driver` adds what an NVIDIA driver shows of itself.
Whatever is not written does not exist there, so that a machine is exactly what its builder says.
"""

from __future__ import annotations

import base64
import json
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compose_texts

GIB = compose_texts.GIB
CONTAINER_ID = "4f1c" + "a9" * 30
MACHINES = {"x86_64": (62, "x86_64-linux-gnu"), "aarch64": (183, "aarch64-linux-gnu")}
CACHE_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
DEVICES = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()
UVM_MAJOR = 511
OS_RELEASES = {
    "22.04": ("Ubuntu 22.04.5 LTS", "ubuntu", "2.35"),
    "24.04": ("Ubuntu 24.04.1 LTS", "ubuntu", "2.39"),
}
LIMITS = {"nofile": 1_048_576, "memlock": -1, "stack": 8_388_608, "core": 0, "nproc": -1}
HARD = {**LIMITS, "stack": -1, "core": -1}


@dataclass
class Machine:
    """One machine or container; `save` writes it down in the format of recorded machines."""

    container: str = "docker"
    os_version: str = "22.04"
    processor: str = "x86_64"
    kernel: str = "6.8.0-45-generic"
    kernel_build: str = "#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024"
    cpus: int = 64
    memory_gib: int = 512
    shm_gib: float = 16
    hypervisor: bool = False
    python: str = "/opt/venv/bin/python"
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str | bytes] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    dirs: dict[str, list[str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    pieces: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    disk: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    children: dict[str, dict[str, Any]] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.triple = MACHINES[self.processor][1]
        prefix = self.python.rpartition("/bin/")[0]
        home = "/root" if self.container != "none" else "/home/ada"
        self.env = {
            "PATH": f"{prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": home,
            **({"VIRTUAL_ENV": prefix} if prefix != "/usr" else {}),
            **self.env,
        }
        self.nodes[self.python] = {"kind": "file", "mode": 0o100755, "size": 14_720}
        self.nodes["/usr/bin/gcc"] = {"kind": "file", "mode": 0o100755, "size": 1_023_104}
        self.dirs["/dev"] = [*DEVICES]
        self.dirs["/dev/shm"] = []
        self.dirs["/sys/module"] = ["kernel", "overlay", "tcp_cubic"]
        self._system()
        self._control_group()
        self._disks()

    def _system(self) -> None:
        name, short, _ = OS_RELEASES[self.os_version]
        self.files["/etc/os-release"] = (
            f'PRETTY_NAME="{name}"\nNAME="Ubuntu"\nVERSION_ID="{self.os_version}"\nID={short}\nID_LIKE=debian\n'
        )
        arm, inside = self.processor == "aarch64", self.container != "none"
        self.files |= compose_texts.of_kernel(self.cpus, self.memory_gib, self.kernel, arm, self.hypervisor)
        self.files |= compose_texts.of_process(self.cpus, inside, self.env)
        self.files |= compose_texts.of_network()
        self.errors["/dev/kmsg"] = {"read": "EPERM"}
        if not inside:
            self.errors["/proc/1/environ"] = {"read": "EACCES"}

    def _control_group(self) -> None:
        base = "/sys/fs/cgroup"
        limit = "max"
        self.mounts += [
            "32 25 0:23 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw",
            "33 25 0:24 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755",
            "34 33 0:25 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw",
            "35 25 0:26 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro",
            f"36 35 0:27 / {base} ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw",
        ]
        if self.container == "docker":
            layers = "/var/lib/docker/overlay2"
            root = f"25 1 0:55 / / rw,relatime - overlay overlay rw,lowerdir={layers}/l/AB,upperdir={layers}/cd/diff"
            point = f"/var/lib/docker/containers/{CONTAINER_ID}"
            self.mounts.insert(0, root)
            self.mounts.append(f"37 25 8:1 {point}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw")
            self.files["/.dockerenv"] = ""
            own, self.files["/proc/self/cgroup"] = base, "0::/\n"
        else:
            self.mounts.insert(0, "25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw")
            own = f"{base}/user.slice/user-1000.slice/session-2.scope"
            self.files["/proc/self/cgroup"] = own[len(base) :].join(("0::", "\n"))
        self.files |= {
            f"{own}/cgroup.controllers": "cpuset cpu io memory pids\n",
            f"{own}/memory.max": f"{limit}\n",
            f"{own}/memory.high": "max\n",
            f"{own}/memory.swap.max": "max\n",
            f"{own}/memory.current": "1288490188\n",
            f"{own}/memory.peak": "3221225472\n",
            f"{own}/memory.stat": "anon 734003200\nfile 419430400\nshmem 0\ninactive_file 209715200\n",
            f"{own}/memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
            f"{own}/memory.oom.group": "0\n",
            f"{own}/pids.max": "629145\n",
            f"{own}/pids.current": "23\n",
            f"{own}/pids.events": "max 0\n",
            f"{own}/cpu.max": "max 100000\n",
            f"{own}/cpu.stat": "usage_usec 91321876\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            f"{own}/cpuset.cpus.effective": f"0-{self.cpus - 1}\n",
        }

    def _disks(self) -> None:
        root = {"total_bytes": 1900 * GIB, "free_bytes": 1200 * GIB, "total_inodes": 120_000_000}
        self.disk["/"] = {**root, "free_inodes": 110_000_000}
        shm = int(self.shm_gib * GIB)
        inodes = {"total_inodes": 65_000_000, "free_inodes": 64_999_000}
        self.disk["/dev/shm"] = {"total_bytes": shm, "free_bytes": shm, **inodes}

    def identity(self) -> dict[str, Any]:
        """What the machine says of the process that asked."""
        in_container = self.container != "none"
        glibc = OS_RELEASES[self.os_version][2]
        return {
            "uid": 0 if in_container else 1000,
            "gid": 0 if in_container else 1000,
            "pid": 412,
            "user": "root" if in_container else "ada",
            "hostname": compose_texts.HOST_NAME,
            "cwd": "/workspace" if in_container else "/home/ada/train",
            "executable": self.python,
            "prefix": self.python.rpartition("/bin/")[0],
            "base_prefix": "/usr",
            "python_version": "3.11.9",
            "implementation": "cpython",
            "byteorder": "little",
            "kernel_name": "Linux",
            "kernel_release": self.kernel,
            "kernel_version": self.kernel_build,
            "machine": self.processor,
            "libc": ["glibc", glibc],
            "cpu_count": self.cpus,
            "cpus_allowed": self.cpus,
            "memory_total_bytes": self.memory_gib * GIB,
            "memory_available_bytes": self.memory_gib * GIB * 9 // 10,
            "soft_limits": LIMITS,
            "hard_limits": HARD,
        }

    def add_library(self, path: str, size: int, links: tuple[str, ...] = (), machine: str = "") -> None:
        """A shared library as the loader sees it: the head of its file, its size, and links to it."""
        number = MACHINES[machine or self.processor][0]
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1" + bytes(9), 3, number, 1, 0, 64, size - 640, 0, 64,
                           56, 8, 64, 10, 9)  # fmt: skip
        self.nodes[path] = {"kind": "file", "mode": 0o100644, "size": size}
        self.pieces[path] = [{"offset": 0, "base64": base64.b64encode(head).decode(), "last": False}]
        for link in links:
            self.links[link] = path
        soname = (links or (path,))[0]
        if "/stubs/" not in path:
            self.libraries[soname.rpartition("/")[2]] = soname

    def _write_cache(self) -> None:
        """/etc/ld.so.cache in glibc's present format, with every library that is not in a folder of stubs."""
        names = {"libc.so.6": f"/usr/lib/{self.triple}/libc.so.6", **self.libraries}
        texts, entries = b"", b""
        start = 48 + 24 * len(names)
        for name, path in names.items():
            place = start + len(texts)
            entries += struct.pack("=iIIIQ", CACHE_FLAGS[self.processor], place, place + len(name) + 1, 0, 0)
            texts += f"{name}\0{path}\0".encode()
        head = struct.pack("20sII", b"glibc-ld.so.cache1.1", len(names), len(texts)).ljust(48, b"\0")
        data = base64.b64encode(head + entries + texts).decode()
        self.pieces["/etc/ld.so.cache"] = [{"offset": 0, "base64": data, "last": True}]

    def add_node(self, path: str, major: int, minor: int, errno: str = "") -> None:
        """A device node, and what opening it gives."""
        self.nodes[path] = {"kind": "char", "major": major, "minor": minor, "mode": 0o20666, "open_errno": errno}

    def add_program(self, path: str) -> None:
        """An executable file."""
        self.nodes[path] = {"kind": "file", "mode": 0o100755, "size": 1_000_000}

    def add_nvidia_smi(self, output: str, status: int = 0, path: str = "/usr/bin/nvidia-smi") -> None:
        """nvidia-smi, and what it prints when it is run without arguments."""
        self.add_program(path)
        end = {"argv": [path], "end": "exited", "stdout": output}
        self.commands.append({**end, "status": status} if status else end)

    def save(self, folder: Path) -> None:
        """Write the recording; an older one of the same name goes."""
        self._write_cache()
        if folder.exists():
            shutil.rmtree(folder)
        files = {**self.files, "/proc/self/mountinfo": "\n".join(self.mounts) + "\n"}
        for path, content in files.items():
            target = folder / "files" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        index = {
            "format": 1,
            "default": "absent",
            "env": self.env,
            "identity": self.identity(),
            "nodes": self.nodes,
            "dirs": self.dirs,
            "links": self.links,
            "pieces": self.pieces,
            "disk": self.disk,
            "errors": self.errors,
            "commands": self.commands,
            "children": self.children,
        }
        text = json.dumps({key: part for key, part in index.items() if part}, indent=1, sort_keys=True)
        (folder / "host.json").write_text(text + "\n")


@dataclass(frozen=True)
class Gpu:
    """A GPU model as the driver names it; `memory` in bytes, `capability` times ten."""

    name: str
    capability: int
    memory: int
    device_id: str = "0x2330"
    geforce: bool = False


def give_driver(machine: Machine, version: str, gpus: list[Gpu], *, kind: str = "proprietary", errno: str = "") -> None:
    """What a loaded kernel driver and its device nodes show; opening the GPUs' nodes gives `errno`."""
    words = "Open Kernel Module for x86_64" if kind == "open" else "x86_64 Kernel Module"
    words = words.replace("x86_64", machine.processor)
    machine.files["/proc/driver/nvidia/version"] = (
        f"NVRM version: NVIDIA UNIX {words}  {version}  Tue Aug 26 18:51:00 UTC 2025\n"
        "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
    )
    machine.files["/proc/driver/nvidia/params"] = "ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\n"
    modules = ("nvidia", "nvidia_uvm", "nvidia_modeset")
    machine.dirs["/sys/module"] += list(modules)
    for module in modules:
        machine.files[f"/sys/module/{module}/version"] = f"{version}\n"
    devices = machine.files["/proc/devices"]
    assert isinstance(devices, str)
    registered = f"195 nvidia-frontend\n{UVM_MAJOR} nvidia-uvm\n"
    machine.files["/proc/devices"] = devices.replace("136 pts\n", f"136 pts\n{registered}")
    machine.add_node("/dev/nvidiactl", 195, 255, errno)
    machine.add_node("/dev/nvidia-uvm", UVM_MAJOR, 0, errno)
    machine.add_node("/dev/nvidia-uvm-tools", UVM_MAJOR, 1, errno)
    for number, gpu in enumerate(gpus):
        _add_gpu(machine, number, gpu, version, errno)


def _add_gpu(machine: Machine, number: int, gpu: Gpu, version: str, errno: str) -> None:
    slot = f"0000:{0x10 + number:02x}:00.0"
    machine.add_node(f"/dev/nvidia{number}", 195, number, errno)
    machine.files[f"/proc/driver/nvidia/gpus/{slot}/information"] = (
        f"Model: \t\t {gpu.name}\nIRQ:   \t\t {120 + number}\n"
        f"GPU UUID: \t GPU-fa4e0000-0000-0000-0000-0000000000{number:02d}\n"
        f"Video BIOS: \t 96.00.74.00.01\nBus Type: \t PCIe\nBus Location: \t {slot}\nDevice Minor: \t {number}\n"
        f"GPU Firmware: \t {version}\nGPU Excluded:\t No\n"
    )
    folder = f"/sys/bus/pci/devices/{slot}"
    machine.files |= {
        f"{folder}/class": "0x030200\n",
        f"{folder}/vendor": "0x10de\n",
        f"{folder}/device": f"{gpu.device_id}\n",
        f"{folder}/numa_node": "0\n",
        f"{folder}/current_link_speed": "16.0 GT/s PCIe\n",
        f"{folder}/max_link_speed": "16.0 GT/s PCIe\n",
        f"{folder}/current_link_width": "16\n",
        f"{folder}/max_link_width": "16\n",
        f"{folder}/power_state": "D0\n",
    }
    machine.nodes[f"{folder}/driver"] = {
        "kind": "link",
        "mode": 0o120777,
        "link_target": "../../../bus/pci/drivers/nvidia",
    }


def give_libraries(machine: Machine, version: str, *, nvml: bool = True, cuda: bool = True, folder: str = "") -> None:
    """The driver's libraries, under the names and with the links that its installer makes."""
    folder = folder or f"/usr/lib/{machine.triple}"
    sizes = {"libcuda": 28_000_000, "libnvidia-ml": 2_100_000, "libnvidia-ptxjitcompiler": 38_000_000}
    wanted = {"libcuda": cuda, "libnvidia-ml": nvml, "libnvidia-ptxjitcompiler": cuda}
    for name, size in sizes.items():
        if not wanted[name]:
            continue
        path = f"{folder}/{name}.so.{version}"
        machine.add_library(path, size, (f"{folder}/{name}.so.1",))
        if machine.container == "docker":
            machine.mounts.append(f"40 25 8:1 {path} {path} ro,nosuid,nodev,relatime - ext4 /dev/sda1 rw")
