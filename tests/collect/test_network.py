"""Holds what is said of interfaces and names, and which interfaces NCCL may choose from."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import network
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost
from proc_net import FIB, ROUTES

FILES = {
    "/proc/net/fib_trie": FIB,
    "/proc/net/route": ROUTES,
    "/proc/net/if_inet6": "fd000000000000000000000000000002 04 40 00 82     eth0\n",
    "/sys/class/net/eth0/operstate": "up\n",
    "/sys/class/net/eth0/mtu": "9000\n",
    "/sys/class/net/eth0/speed": "100000\n",
    "/sys/class/net/ib0/operstate": "down\n",
    "/sys/class/net/ib0/mtu": "4092\n",
    "/sys/class/net/lo/operstate": "unknown\n",
    "/sys/class/net/lo/mtu": "65536\n",
    "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 trainer-0\n",
    "/etc/resolv.conf": "search example.com\nnameserver 10.0.0.2\n",
}


def test_a_node():
    facts = collected(network, MemoryHost(FILES, env={"NCCL_SOCKET_IFNAME": "ens", "GLOO_SOCKET_IFNAME": "eth0"}))
    assert facts["network.interfaces"] == ("eth0", "ib0", "lo")
    assert facts["network.interface_states"] == ("up", "down", "unknown")
    assert facts["network.interface_mtus"] == (9000, 4092, 65536)
    assert facts["network.interface_speeds"][0] == 100000
    assert isinstance(facts["network.interface_speeds"][1], Unknown)
    assert facts["network.addresses"] == ("eth0 10.0.4.17", "lo 127.0.0.1", "eth0 fd00::2")
    assert facts["network.usable_interfaces"] == ("eth0",)
    assert facts["network.has_ipv6"] is True
    assert facts["network.has_default_route"] is True
    assert facts["network.host_name"] == "trainer-0"
    assert facts["network.host_name_addresses"] == ("127.0.1.1",)
    assert facts["network.host_name_is_loopback"] is True
    assert facts["network.nccl_interfaces"] == ()
    assert facts["network.gloo_interfaces"] == ("eth0",)
    assert facts["network.name_servers"] == ("10.0.0.2",)


def test_a_host_name_that_hosts_does_not_hold():
    facts = collected(network, MemoryHost({"/etc/hosts": "127.0.0.1 localhost\n"}))
    assert facts["network.host_name_addresses"] == ()
    assert facts["network.host_name_is_loopback"].reason is Reason.NO_DATA
    assert facts["network.nccl_interfaces"] == Unknown(Reason.NOT_APPLICABLE, "not set")


def test_without_sys_the_names_come_from_proc():
    text = "Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n"
    facts = collected(network, MemoryHost({"/proc/net/dev": text}))
    assert facts["network.interfaces"] == ("eth0", "lo")


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        ("eth", ("eth0", "eth1")),
        ("=eth", ()),
        ("=eth1,ib0", ("eth1", "ib0")),
        ("^docker,lo", ("eth0", "eth1", "ib0")),
        ("^=eth0", ("docker0", "eth1", "ib0", "lo")),
        ("eth1:8000", ("eth1",)),
        ("bond", ()),
    ],
)
def test_nccls_choice(setting, left):
    assert network.nccl_choice(setting, ("docker0", "eth0", "eth1", "ib0", "lo")) == left
