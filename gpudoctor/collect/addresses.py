"""Reads the kernel's own tables of addresses and routes in /proc/net, and hosts files, without asking any network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Union

from gpudoctor.model.record import record

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@record
class Route:
    """One IPv4 route: the network it leads to and the interface."""

    network: ipaddress.IPv4Network
    interface: str


def parse_fib_trie(text: str) -> tuple[ipaddress.IPv4Address, ...]:
    """Our own IPv4 addresses in /proc/net/fib_trie, sorted. Other lines are left out."""
    found = set()
    last = ""
    for line in text.splitlines():
        leaf = re.match(r"\s*\|-- (\d{1,3}(?:\.\d{1,3}){3})\s*$", line)
        if leaf is not None:
            last = leaf[1]
        elif last and re.match(r"\s*/32 host LOCAL\b", line):
            found.add(last)
    return tuple(sorted(address for address in map(_ipv4, found) if address is not None))


def _ipv4(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


def parse_routes(text: str) -> tuple[Route, ...]:
    """The routes of /proc/net/route; lines of another shape are left out."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 8 or not re.fullmatch(r"[0-9A-Fa-f]{8}", fields[1] + "") or len(fields[7]) != 8:
            continue
        try:
            base = ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(fields[1]), "little"))
            mask = ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(fields[7]), "little"))
            found.append(Route(ipaddress.IPv4Network(f"{base}/{mask}", strict=False), fields[0]))
        except ValueError:
            continue
    return tuple(found)


def interface_of(address: ipaddress.IPv4Address, routes: Sequence[Route]) -> str:
    """The interface whose own network holds an address; empty when no route tells."""
    if address.is_loopback:
        return "lo"
    near = [route for route in routes if address in route.network and route.network.prefixlen]
    return max(near, key=lambda route: route.network.prefixlen).interface if near else ""


def parse_if_inet6(text: str) -> tuple[tuple[str, ipaddress.IPv6Address], ...]:
    """Interfaces and IPv6 addresses of /proc/net/if_inet6; lines of another shape are left out."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 6 and re.fullmatch(r"[0-9a-fA-F]{32}", fields[0]):
            found.append((fields[5], ipaddress.IPv6Address(int(fields[0], 16))))
    return tuple(sorted(found))


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """The addresses of every name of a hosts file, in the file's order; what is no address is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) < 2 or as_address(fields[0]) is None:
            continue
        for name in fields[1:]:
            found[name.lower()] = (*found.get(name.lower(), ()), fields[0])
    return found


def as_address(text: str) -> Address | None:
    """A text as an IP address, None when it is none."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def parse_listeners(text: str) -> tuple[tuple[Address, int], ...]:
    """Address and port of each listening socket of /proc/net/tcp or tcp6; other lines are left out."""
    found = set()
    for line in text.splitlines():
        match = re.match(r"\s*\d{1,9}: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A ", line)
        if match is not None:
            found.add((_kernel_address(match[1]), int(match[2], 16)))
    return tuple(sorted(found, key=lambda one: (one[1], str(one[0]))))


def _kernel_address(digits: str) -> Address:
    # The kernel prints each 32-bit word in the machine's own byte order, and all machines with these GPUs are little.
    words = [bytes.fromhex(digits[start : start + 8])[::-1] for start in range(0, len(digits), 8)]
    packed = b"".join(words)
    return ipaddress.IPv4Address(packed) if len(packed) == 4 else ipaddress.IPv6Address(packed)
