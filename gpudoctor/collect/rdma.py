"""RDMA devices (InfiniBand, RoCE): NCCL prefers them, and falls back to slow sockets when they are down or hidden."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, names_in, present, printable, read_line
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Unknown
from gpudoctor.model.record import record

_FOLDER = "/sys/class/infiniband"
_TEXTS = FactType.TEXT_LIST
FACTS = (
    FactSpec("rdma.devices", _TEXTS, "RDMA devices, as in `mlx5_0`."),
    FactSpec("rdma.ports", _TEXTS, "Their ports, as in `mlx5_0/1`; the lists below run parallel to this one."),
    FactSpec("rdma.port_states", _TEXTS, "The logical state of each port: DOWN, INIT, ARMED or ACTIVE."),
    FactSpec("rdma.port_physical_states", _TEXTS, "The physical state of each port, as in `LinkUp`."),
    FactSpec("rdma.port_link_layers", _TEXTS, "What each port speaks: InfiniBand or Ethernet (RoCE)."),
    FactSpec("rdma.port_rates", _TEXTS, "The rate of each port, as in `400 Gb/sec (4X NDR)`."),
    FactSpec("rdma.device_nodes", _TEXTS, "Names in /dev/infiniband; without uverbs nodes RDMA cannot be used."),
    FactSpec("rdma.gpu_direct_module", FactType.TEXT, "The peer memory module: nvidia_peermem, nv_peer_mem or none."),
)


@record
class Port:
    """One port: its name and its folder in /sys."""

    name: str
    folder: str


def state_word(text: str) -> str:
    """`ACTIVE` of `4: ACTIVE`. ValueError when there is no word."""
    word = text.partition(":")[2].strip() or text.strip()
    if not word:
        raise ValueError("the state is empty")
    return printable(word, 60)


def _ports(host: Host) -> list[Port]:
    return [
        Port(f"{device}/{port}", f"{_FOLDER}/{device}/ports/{port}")
        for device in names_in(host, _FOLDER)[:64]
        for port in names_in(host, f"{_FOLDER}/{device}/ports")[:16]
    ]


def _state(host: Host, path: str) -> str:
    return state_word(read_line(host, path))


def collect(host: Host) -> Iterable[Fact]:
    """The rdma.* facts."""
    yield fact("rdma.devices", lambda: tuple(printable(name, 80) for name in names_in(host, _FOLDER)))
    yield fact("rdma.device_nodes", lambda: tuple(printable(name, 80) for name in names_in(host, "/dev/infiniband")))
    yield fact("rdma.gpu_direct_module", lambda: _peer_memory(host))
    ports = attempt(lambda: _ports(host))
    if isinstance(ports, Unknown):
        for spec in FACTS:
            if spec.key.startswith("rdma.port"):
                yield Fact(spec.key, ports)
        return
    yield Fact("rdma.ports", tuple(printable(port.name, 80) for port in ports))
    for key, name in (("states", "state"), ("physical_states", "phys_state")):
        found = tuple(attempt(partial(_state, host, f"{port.folder}/{name}")) for port in ports)
        yield Fact(f"rdma.port_{key}", found)
    for key, name in (("link_layers", "link_layer"), ("rates", "rate")):
        found = tuple(attempt(partial(read_line, host, f"{port.folder}/{name}")) for port in ports)
        yield Fact(f"rdma.port_{key}", found)


def _peer_memory(host: Host) -> str:
    modules = ("nvidia_peermem", "nv_peer_mem")
    return next((module for module in modules if present(host, f"/sys/module/{module}")), "none")
