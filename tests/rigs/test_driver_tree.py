"""The kernel's side of the driver on a live machine: false /proc, /sys and /dev in a private mount namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.rig

Tree = Callable[..., "dict[str, Any]"]

# What runs inside the namespace: two collectors on the real LocalHost, their facts as JSON.
LOOK = """
import json, sys
from gpudoctor.collect import device_nodes, driver_kernel
from gpudoctor.host.local import LocalHost
from gpudoctor.model.fact import Unknown

def plain(value):
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if isinstance(value, Unknown):
        return {"unknown": value.reason.value, "detail": value.detail}
    return value if isinstance(value, (int, str)) else str(value)

with LocalHost() as host:
    facts = [fact for module in (driver_kernel, device_nodes) for fact in module.collect(host)]
print(json.dumps({fact.key: plain(fact.value) for fact in facts}))
"""
SETUP = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /proc/driver
mkdir -p {room}/module {room}/dev
mount -t tmpfs tmpfs {room}
mkdir -p {room}/module {room}/dev
mknod {room}/dev/null c 1 3
{lines}
mount --bind {room}/module /sys/module
mount --bind {room}/dev /dev
exec {prefix} "$0" -c "$1"
"""
VERSION = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (b@c)  Thu Jan 23 2025"
# Root may open everything; without these two it is an owner like any other.
NO_OVERRIDE = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search"


@pytest.fixture
def tree(rig_requires: Callable[..., None], tmp_path: Path, repository: Path) -> Tree:
    """Run the collectors on a machine that the lines make; `{room}` in them is where /dev and /sys/module are built."""
    rig_requires("unshare", "mount", "mknod", "setpriv", root=True)

    def run(*lines: str, prefix: str = "") -> dict[str, Any]:
        room = tmp_path / "room"
        room.mkdir()
        script = SETUP.format(room=room, lines="\n".join(lines).replace("{room}", str(room)), prefix=prefix)
        command = ["unshare", "--mount", "sh", "-c", script, sys.executable, LOOK]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=repository)
        assert done.returncode == 0, done.stderr
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts

    return run


def node(name: str, major: int = 1, minor: int = 3, mode: str = "666") -> str:
    """A node in the false /dev; without numbers it is one that opens, like /dev/null."""
    return f"mknod -m {mode} {{room}}/dev/{name} c {major} {minor}"


def test_a_driver_with_all_its_nodes(tree: Tree) -> None:
    facts = tree(
        "mkdir -p /proc/driver/nvidia/gpus/0000:1b:00.0 {room}/module/nvidia {room}/module/nvidia_uvm",
        f"echo '{VERSION}' > /proc/driver/nvidia/version",
        "echo 570.86.15 > {room}/module/nvidia/version",
        "printf 'Model: \\t NVIDIA L4\\nDevice Minor: \\t 0\\n' > /proc/driver/nvidia/gpus/0000:1b:00.0/information",
        *(node(name) for name in ("nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1")),
    )
    assert facts["driver.kernel_module_version"] == "570.86.15"
    assert facts["driver.module_kind"] == "open"
    assert facts["driver.modules_loaded"] == ["nvidia", "nvidia_uvm"]
    assert facts["driver.module_versions"] == ["nvidia 570.86.15"]
    assert facts["driver.gpu_models"] == ["NVIDIA L4"]
    assert facts["device.node_paths"] == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1"]
    assert facts["device.node_errnos"] == [""] * 4
    assert facts["device.gpu_nodes_open_count"] == 2
    assert facts["device.uvm_node_major"] == 1


def test_no_driver_and_no_nodes(tree: Tree) -> None:
    facts = tree()
    assert facts["driver.kernel_module_version"]["unknown"] == "not_installed"
    assert facts["driver.modules_loaded"] == []
    assert facts["device.control_node_errno"] == facts["device.uvm_node_errno"] == "ENOENT"
    assert facts["device.gpu_node_count"] == 0
    assert facts["device.dxg_present"] is False


def test_nodes_without_a_driver_behind_them(tree: Tree) -> None:
    facts = tree(node("nvidiactl", 195, 255), node("nvidia0", 195, 0))
    assert facts["device.control_node_errno"] == "ENXIO"
    assert facts["device.gpu_node_errnos"] == ["ENXIO"]
    assert facts["device.gpu_nodes_open_count"] == 0
    assert facts["device.node_details"][0].startswith("char 195:255 mode 0666")


def test_a_driver_without_its_uvm_node(tree: Tree) -> None:
    facts = tree("mkdir -p {room}/module/nvidia", node("nvidiactl"), node("nvidia0"))
    assert facts["device.control_node_errno"] == ""
    assert facts["device.uvm_node_errno"] == "ENOENT"
    assert facts["device.uvm_node_major"]["unknown"] == "no_data"


def test_nodes_that_nobody_may_open(tree: Tree) -> None:
    facts = tree(node("nvidiactl", mode="000"), node("nvidia-uvm"), node("nvidia0", mode="000"), prefix=NO_OVERRIDE)
    assert facts["device.control_node_errno"] == "EACCES"
    assert facts["device.uvm_node_errno"] == ""
    assert facts["device.gpu_node_errnos"] == ["EACCES"]


def test_a_fifo_in_the_place_of_a_node_does_not_hang(tree: Tree) -> None:
    facts = tree("mkfifo {room}/dev/nvidia0", "ln -s /nowhere {room}/dev/nvidiactl")
    assert facts["device.node_details"][1].startswith("fifo ")
    assert facts["device.control_node_errno"] == "ENOENT"


def test_a_proc_file_of_junk(tree: Tree) -> None:
    facts = tree("mkdir /proc/driver/nvidia", "head -c 300000 /dev/urandom > /proc/driver/nvidia/version")
    assert facts["driver.kernel_module_version"]["unknown"] == "unparseable"
    assert facts["driver.module_kind"]["unknown"] == "unparseable"


def test_kernel_module_and_user_library_of_different_versions(tree: Tree) -> None:
    facts = tree("mkdir -p {room}/module/nvidia {room}/module/nouveau", "echo 580.65.06 > {room}/module/nvidia/version")
    assert facts["driver.kernel_module_version"] == "580.65.06"
    assert facts["driver.modules_loaded"] == ["nouveau", "nvidia"]
