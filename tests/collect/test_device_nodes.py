from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import device_nodes
from gpudoctor.host.base import FileInfo
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

DEVICES = "Character devices:\n195 nvidia-frontend\n510 nvidia-uvm\n\nBlock devices:\n  8 sd\n"


def char(major: int, minor: int, mode: int = 0o666) -> FileInfo:
    return FileInfo("char", mode=0o020000 | mode, major=major, minor=minor)


def nodes(gpus: int) -> dict[str, FileInfo]:
    return {
        "/dev/nvidiactl": char(195, 255),
        "/dev/nvidia-uvm": char(510, 0),
        "/dev/nvidia-uvm-tools": char(510, 1),
        "/dev/null": char(1, 3),
        **{f"/dev/nvidia{number}": char(195, number) for number in range(gpus)},
    }


def test_a_healthy_machine_with_twelve_gpus() -> None:
    facts = collected(device_nodes, MemoryHost({"/proc/devices": DEVICES}, nodes=nodes(12)))
    paths = facts["device.node_paths"]
    assert paths[:4] == ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1")
    assert paths[-2:] == ("/dev/nvidia11", "/dev/nvidia-uvm-tools")
    assert facts["device.node_errnos"] == ("",) * 15
    assert facts["device.gpu_node_count"] == facts["device.gpu_nodes_open_count"] == 12
    assert facts["device.gpu_node_numbers"] == tuple(range(12))
    assert facts["device.control_node_errno"] == facts["device.uvm_node_errno"] == ""
    assert facts["device.uvm_node_major"] == facts["device.uvm_registered_major"] == 510
    assert facts["device.dxg_present"] is False
    assert facts["device.node_details"][0] == "char 195:255 mode 0666 owner 0:0"


def test_no_nodes_at_all() -> None:
    facts = collected(device_nodes, MemoryHost(nodes={"/dev/null": char(1, 3)}))
    assert facts["device.node_paths"] == ()
    assert facts["device.gpu_node_count"] == 0
    assert facts["device.control_node_errno"] == facts["device.uvm_node_errno"] == "ENOENT"
    assert facts["device.uvm_registered_major"].reason is Reason.NO_DATA


@pytest.mark.parametrize("errno_name", ["EPERM", "EACCES", "ENXIO", "ENODEV", "EIO"])
def test_nodes_that_are_there_and_refuse(errno_name: str) -> None:
    host = MemoryHost(nodes=nodes(2), open_errnos={"/dev/nvidiactl": errno_name, "/dev/nvidia1": errno_name})
    facts = collected(device_nodes, host)
    assert facts["device.control_node_errno"] == errno_name
    assert facts["device.gpu_node_errnos"] == ("", errno_name)
    assert facts["device.gpu_nodes_open_count"] == 1
    assert facts["device.gpu_node_count"] == 2


def test_a_uvm_node_of_another_number_than_the_kernels() -> None:
    stale = {**nodes(1), "/dev/nvidia-uvm": char(235, 0)}
    facts = collected(device_nodes, MemoryHost({"/proc/devices": DEVICES}, nodes=stale))
    assert (facts["device.uvm_node_major"], facts["device.uvm_registered_major"]) == (235, 510)


def test_a_plain_file_in_the_place_of_a_node() -> None:
    facts = collected(device_nodes, MemoryHost({"/dev/nvidia-uvm": "", "/dev/nvidia0": ""}))
    assert facts["device.uvm_node_major"].reason is Reason.UNPARSEABLE
    assert facts["device.node_details"][0].startswith("file ")


def test_wsl_and_jetson() -> None:
    wsl = collected(device_nodes, MemoryHost(nodes={"/dev/dxg": char(10, 125)}))
    assert wsl["device.dxg_present"] is True
    assert wsl["device.dxg_errno"] == ""
    assert wsl["device.node_paths"] == ("/dev/dxg",)
    tegra = MemoryHost(
        nodes={"/dev/nvmap": char(10, 60), "/dev/nvhost-ctrl": char(505, 0), "/dev/nvhost-gpu": char(505, 1)}
    )
    facts = collected(device_nodes, tegra)
    assert facts["device.jetson_node_paths"] == ("/dev/nvhost-ctrl", "/dev/nvhost-gpu", "/dev/nvmap")
    assert facts["device.gpu_node_count"] == 0


def test_mig_capabilities_and_imex_channels_are_counted() -> None:
    more = {f"/dev/nvidia-caps/nvidia-cap{number}": char(237, number, 0o444) for number in (1, 2, 30)}
    more["/dev/nvidia-caps-imex-channels/channel0"] = char(500, 0)
    facts = collected(device_nodes, MemoryHost(nodes={**nodes(1), **more}))
    assert facts["device.mig_capability_count"] == 3
    assert facts["device.imex_channel_count"] == 1
    assert not any("caps" in path for path in facts["device.node_paths"])


def test_a_dev_that_cannot_be_listed_says_nothing_about_the_gpus() -> None:
    facts = collected(device_nodes, MemoryHost(nodes=nodes(1), errors={"/dev": "EACCES"}))
    for key in ("device.node_paths", "device.gpu_node_count", "device.dxg_present", "device.mig_capability_count"):
        assert facts[key].reason is Reason.PERMISSION_DENIED


def test_a_machine_without_the_limit_of_names() -> None:
    facts = collected(device_nodes, MemoryHost(nodes={f"/dev/nvidia{number}": char(195, 0) for number in range(2000)}))
    assert facts["device.gpu_node_count"] == 2000
    assert len(facts["device.node_paths"]) == device_nodes.MAXIMUM_NODES
