"""The sockets beneath a ring: every answer within its limit, and nobody else taken for the rank that was meant."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gpudoctor.probe
from scripts_alone import load

SCRIPTS = Path(gpudoctor.probe.__file__).parent / "scripts"
network = load(SCRIPTS / "ring_network.py")
watch = load(SCRIPTS / "ring_watch.py")
KNOWN = [("docker0", "172.17.0.1"), ("eth0", "10.0.0.5"), ("ib0", "10.1.0.5"), ("lo", "127.0.0.1")]


@pytest.fixture
def doorman() -> Iterator[object]:
    one = network.Doorman(watch.die_with_parent)
    yield one
    one.dismiss()


def test_the_right_one_answers(doorman) -> None:
    door = {"address": "127.0.0.1", "port": doorman.port, "token": doorman.token}
    wrong = {**door, "token": "0" * 16}
    right, other = network.try_all([door, wrong], 3.0)
    assert "error" not in right
    assert right["from"] == "127.0.0.1"
    assert other["error"] == "somebody_else"


def test_nobody_listens() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        began = time.monotonic()
        found = network.reach("127.0.0.1", port, 1.0)
    assert found["error"] == "refused"
    assert time.monotonic() - began < 5


def test_a_listener_that_comes_later_is_waited_for(doorman) -> None:
    assert "error" not in network.reach("localhost", doorman.port, 3.0)


def test_a_name_without_an_address() -> None:
    found = network.reach("no-such-host.invalid", 29500, 2.0)
    assert found["error"] == "unresolved"
    assert found["detail"]


def test_a_name_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), threading.Event()

    def slow(*_given: object, **_named: object) -> list[object]:
        answer.wait(30)
        asked.set()
        return []

    monkeypatch.setattr(network.socket, "getaddrinfo", slow)
    assert network.resolved("anything", 0.2) == ([], "no name server answered within 0.2 s")
    answer.set()
    assert asked.wait(10)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        assert network.check_port(holder.getsockname()[1]) == "EADDRINUSE"


def test_interfaces_of_this_machine() -> None:
    assert ("lo", "127.0.0.1") in network.interfaces()


def test_what_gloo_announces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth0,ib0")
    assert network.gloo_announces(KNOWN) == {"interface": "eth0", "address": "10.0.0.5", "by": "GLOO_SOCKET_IFNAME"}
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "eth9")
    assert network.gloo_announces(KNOWN)["missing"] == "eth9"
    monkeypatch.delenv("GLOO_SOCKET_IFNAME")
    for resolved in ([], ["203.0.113.9"], ["127.0.1.1"]):  # no name, an address of another machine, Debian's habit
        monkeypatch.setattr(network, "resolved", lambda _name, resolved=resolved: (resolved, ""))
        found = network.gloo_announces(KNOWN)
        assert found["interface"] == "lo"
        assert found["address"].startswith("127.")


@pytest.mark.parametrize(
    ("setting", "interface"),
    [("", "ib0"), ("eth", "eth0"), ("=eth0", "eth0"), ("^docker,lo,ib", "eth0"), ("^=ib0,lo,docker0", "eth0")],
)
def test_what_nccl_announces(monkeypatch: pytest.MonkeyPatch, setting: str, interface: str) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", setting)
    assert network.nccl_announces(KNOWN)["interface"] == interface


def test_what_nccl_announces_where_little_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "ens")
    assert network.nccl_announces(KNOWN)["missing"] == "ens"
    monkeypatch.delenv("NCCL_SOCKET_IFNAME")
    assert network.nccl_announces([KNOWN[0], KNOWN[3]])["interface"] == "docker0"
    assert network.nccl_announces([KNOWN[3]])["interface"] == "lo"
