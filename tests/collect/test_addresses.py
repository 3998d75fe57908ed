"""Holds the reading of the kernel's tables of addresses, routes and sockets."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from gpudoctor.collect import addresses
from proc_net import FIB, ROUTES


def test_addresses_and_their_interfaces():
    assert addresses.parse_fib_trie(FIB) == (IPv4Address("10.0.4.17"), IPv4Address("127.0.0.1"))
    routes = addresses.parse_routes(ROUTES)
    assert [str(route.network) for route in routes] == ["0.0.0.0/0", "10.0.4.0/24", "10.0.0.0/8"]
    assert addresses.interface_of(IPv4Address("10.0.4.17"), routes) == "eth0"
    assert addresses.interface_of(IPv4Address("10.9.0.1"), routes) == "ib0"
    assert addresses.interface_of(IPv4Address("127.0.0.1"), routes) == "lo"
    assert addresses.interface_of(IPv4Address("192.0.2.1"), routes) == ""


def test_ipv6():
    text = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n" + "0" * 31 + "1 01 80 10 80       lo\nrubbish\n"
    assert addresses.parse_if_inet6(text) == (("eth0", IPv6Address("fe80::fc:ff:fe00:1")), ("lo", IPv6Address("::1")))


def test_hosts():
    text = "127.0.0.1 localhost Node-7 # note\n::1 localhost\n10.0.0.7 node-7 n7\nnonsense here\n"
    table = addresses.parse_hosts(text)
    assert table["node-7"] == ("127.0.0.1", "10.0.0.7")
    assert table["localhost"] == ("127.0.0.1", "::1")
    assert "here" not in table


def test_listeners():
    four = (
        "  sl  local_address rem_address   st tx_queue\n"
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n"
        "   1: 00000000:22B8 00000000:0000 0A 00000000:00000000\n"
        "   2: 1104000A:C350 0204000A:01BB 01 00000000:00000000\n"
    )
    found = addresses.parse_listeners(four)
    assert found == ((IPv4Address("127.0.0.1"), 8080), (IPv4Address("0.0.0.0"), 8888))
    six = "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0\n"
    assert addresses.parse_listeners(six) == ((IPv6Address("::1"), 22),)
