"""Holds what is said of RDMA devices and their ports."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import rdma
from gpudoctor.model.fact import Unknown
from memory_host import MemoryHost

PORT = "/sys/class/infiniband/mlx5_0/ports/1"


def test_two_devices():
    files = {
        f"{PORT}/state": "4: ACTIVE\n",
        f"{PORT}/phys_state": "5: LinkUp\n",
        f"{PORT}/link_layer": "InfiniBand\n",
        f"{PORT}/rate": "400 Gb/sec (4X NDR)\n",
        "/sys/class/infiniband/mlx5_1/ports/1/state": "1: DOWN\n",
        "/dev/infiniband/uverbs0": "",
        "/sys/module/nvidia_peermem/initstate": "live\n",
    }
    facts = collected(rdma, MemoryHost(files))
    assert facts["rdma.devices"] == ("mlx5_0", "mlx5_1")
    assert facts["rdma.ports"] == ("mlx5_0/1", "mlx5_1/1")
    assert facts["rdma.port_states"] == ("ACTIVE", "DOWN")
    assert facts["rdma.port_physical_states"][0] == "LinkUp"
    assert isinstance(facts["rdma.port_physical_states"][1], Unknown)
    assert facts["rdma.port_rates"][0] == "400 Gb/sec (4X NDR)"
    assert facts["rdma.device_nodes"] == ("uverbs0",)
    assert facts["rdma.gpu_direct_module"] == "nvidia_peermem"


def test_none():
    facts = collected(rdma, MemoryHost())
    assert facts["rdma.devices"] == facts["rdma.ports"] == ()
    assert facts["rdma.gpu_direct_module"] == "none"
