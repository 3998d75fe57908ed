"""Network interfaces and names as this container sees them: a distributed job meets here, or never."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from gpudoctor.collect.addresses import (
    as_address,
    interface_of,
    parse_fib_trie,
    parse_hosts,
    parse_if_inet6,
    parse_routes,
)
from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import NOT_SET, fact, printable, read_clean, read_integer, read_line
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

_TEXTS = FactType.TEXT_LIST
FACTS = (
    FactSpec("network.interfaces", _TEXTS, "Network interfaces; the lists of states and sizes run parallel to it."),
    FactSpec("network.interface_states", _TEXTS, "The state of each: up, down, unknown (as loopback says), ..."),
    FactSpec("network.interface_mtus", FactType.INTEGER_LIST, "The largest packet of each.", "bytes"),
    FactSpec("network.interface_speeds", FactType.INTEGER_LIST, "The speed of each link.", "megabits per second"),
    FactSpec("network.addresses", _TEXTS, "Addresses as `interface address`.", private=True),
    FactSpec("network.usable_interfaces", _TEXTS, "Interfaces other than loopback that are not down and have one."),
    FactSpec("network.has_ipv6", FactType.BOOLEAN, "Whether there is an IPv6 address beyond this link."),
    FactSpec("network.has_default_route", FactType.BOOLEAN, "Whether IPv4 packets find a way out."),
    FactSpec("network.host_name", FactType.TEXT, "The name of this host.", private=True),
    FactSpec("network.host_name_addresses", _TEXTS, "What /etc/hosts says the host name is.", private=True),
    FactSpec(
        "network.host_name_is_loopback",
        FactType.BOOLEAN,
        "Whether /etc/hosts gives the host name loopback addresses only.",
    ),
    FactSpec("network.nccl_interfaces", _TEXTS, "Interfaces that NCCL_SOCKET_IFNAME leaves to NCCL."),
    FactSpec("network.gloo_interfaces", _TEXTS, "Interfaces of GLOO_SOCKET_IFNAME that exist."),
    FactSpec("network.name_servers", _TEXTS, "Name servers of /etc/resolv.conf.", private=True),
)


def nccl_choice(setting: str, interfaces: Sequence[str]) -> tuple[str, ...]:
    """The interfaces that a value of NCCL_SOCKET_IFNAME leaves: prefixes, `=` exact names, `^` all but these.

    Without `^=` or names that begin so, NCCL itself leaves out loopback and docker bridges only when nothing is set.
    """
    exclude = setting.startswith("^")
    rest = setting[1:] if exclude else setting
    exact = rest.startswith("=")
    names = [name for name in (rest[1:] if exact else rest).split(",") if name]
    # A name in the list may carry a port, as in `eth0:8000`.
    names = [name.partition(":")[0] for name in names]

    def named(interface: str) -> bool:
        return any(interface == name if exact else interface.startswith(name) for name in names)

    return tuple(interface for interface in interfaces if named(interface) != exclude)


def _addresses(host: Host) -> list[tuple[str, str]]:
    routes = parse_routes(read_clean(host, "/proc/net/route"))
    four = parse_fib_trie(read_clean(host, "/proc/net/fib_trie"))
    found = [(interface_of(address, routes) or "?", str(address)) for address in four]
    six = attempt(lambda: parse_if_inet6(read_clean(host, "/proc/net/if_inet6")))
    return found + [(name, str(address)) for name, address in (() if isinstance(six, Unknown) else six)]


def _interfaces(host: Host) -> list[str]:
    try:
        names = host.list_dir("/sys/class/net")
    except HostError:
        text = read_clean(host, "/proc/net/dev")
        return sorted(line.partition(":")[0].strip() for line in text.splitlines() if ":" in line)
    return [name for name in names if name != "bonding_masters"]


def _global_ipv6(addresses: Iterable[tuple[str, str]]) -> bool:
    found = (as_address(address) for _, address in addresses)
    return any(isinstance(one, ipaddress.IPv6Address) and not (one.is_loopback or one.is_link_local) for one in found)


def collect(host: Host) -> Iterable[Fact]:
    """The network.* facts."""
    env = host.env()
    names = attempt(lambda: _interfaces(host))
    addresses = attempt(lambda: _addresses(host))
    states: list[str | Unknown] = []
    if isinstance(names, list):
        states = [attempt(partial(read_line, host, f"/sys/class/net/{name}/operstate")) for name in names]
        yield Fact("network.interfaces", tuple(printable(name, 40) for name in names))
        yield Fact("network.interface_states", tuple(states))
        yield from _numbers(host, names)
    else:
        for key in ("interfaces", "interface_states", "interface_mtus", "interface_speeds"):
            yield Fact(f"network.{key}", names)
    for key, variable, choose in _CHOICES:
        yield Fact(f"network.{key}", _chosen(env.get(variable), names, choose))
    if isinstance(addresses, Unknown):
        for key in ("addresses", "usable_interfaces", "has_ipv6"):
            yield Fact(f"network.{key}", addresses)
    else:
        down = {name for name, state in zip(names, states) if state == "down"} if isinstance(names, list) else set()
        usable = sorted({name for name, address in addresses if name not in ("lo", "?") and name not in down})
        yield Fact("network.addresses", tuple(printable(f"{name} {address}") for name, address in addresses))
        yield Fact("network.usable_interfaces", tuple(printable(name, 40) for name in usable))
        yield Fact("network.has_ipv6", _global_ipv6(addresses))
    yield fact("network.has_default_route", lambda: _has_default_route(host))
    yield from _names(host)


def _gloo_choice(setting: str, interfaces: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in setting.split(",") if name in interfaces)


_CHOICES: tuple[tuple[str, str, Callable[[str, Sequence[str]], tuple[str, ...]]], ...] = (
    ("nccl_interfaces", "NCCL_SOCKET_IFNAME", nccl_choice),
    ("gloo_interfaces", "GLOO_SOCKET_IFNAME", _gloo_choice),
)


def _chosen(
    setting: str | None, names: list[str] | Unknown, choose: Callable[[str, Sequence[str]], tuple[str, ...]]
) -> tuple[str, ...] | Unknown:
    if not setting:
        return NOT_SET
    return names if isinstance(names, Unknown) else tuple(printable(name, 40) for name in choose(setting, names))


def _numbers(host: Host, names: Sequence[str]) -> Iterable[Fact]:
    for key, file in (("mtus", "mtu"), ("speeds", "speed")):
        found = tuple(attempt(partial(read_integer, host, f"/sys/class/net/{name}/{file}")) for name in names)
        yield Fact(f"network.interface_{key}", found)


def _has_default_route(host: Host) -> bool:
    return any(route.network.prefixlen == 0 for route in parse_routes(read_clean(host, "/proc/net/route")))


def _names(host: Host) -> Iterable[Fact]:
    name = printable(str(host.identity().get("hostname") or ""), 255)
    unsaid = Unknown(Reason.NO_DATA, "the system does not say")
    yield Fact("network.host_name", name or unsaid)
    table = attempt(lambda: parse_hosts(read_clean(host, "/etc/hosts")))
    found = table if isinstance(table, Unknown) else table.get(name.lower(), ())
    yield Fact("network.host_name_addresses", found)
    if isinstance(found, Unknown) or not found:
        missing = Unknown(Reason.NO_DATA, "/etc/hosts does not hold the host name")
        yield Fact("network.host_name_is_loopback", found if isinstance(found, Unknown) else missing)
    else:
        parsed = [as_address(one) for one in found]
        yield Fact("network.host_name_is_loopback", all(one is not None and one.is_loopback for one in parsed))
    yield fact("network.name_servers", lambda: _name_servers(read_clean(host, "/etc/resolv.conf", 65536)))


def _name_servers(text: str) -> tuple[str, ...]:
    lines = [line.split() for line in text.splitlines()]
    return tuple(line[1] for line in lines if len(line) > 1 and line[0] == "nameserver")
