"""What rank 0 decides for all: who knocks where, which backend, who is to blame, and what to try next.

Nothing here touches the network or torch: it is judgement over what the ranks told.
"""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VARIABLE = {"gloo": "GLOO_SOCKET_IFNAME", "nccl": "NCCL_SOCKET_IFNAME"}
TRANSPORTS = ("IB", "P2P", "SHM")
FROM_OUTSIDE = (int(signal.SIGKILL), int(signal.SIGTERM), int(signal.SIGINT), int(signal.SIGHUP))
MOST_TRIES = 5


def leaders(members: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lowest rank of each host; ranks on one host share its network."""
    found: dict[str, dict[str, Any]] = {}
    for member in members:
        found.setdefault(member["key"], member)
    return list(found.values())


def doors(mine: dict[str, Any], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every address of every other host, and those that its ranks would announce."""
    found = []
    for other in others:
        if other["key"] == mine["key"]:
            continue
        pairs = {own: name for name, own in other["interfaces"] if not own.startswith("127.")}
        for backend in ("gloo", "nccl"):
            address = other[backend].get("address", "")
            if address:
                pairs.setdefault(address, other[backend]["interface"])
        for address, name in pairs.items():
            door = {"from_rank": mine["rank"], "to_rank": other["rank"], "from_host": mine["host"]}
            door.update(to_host=other["host"], address=address, interface=name, **other["door"])
            found.append(door)
    return found


def backend(members: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """NCCL where every rank has a GPU and NCCL, else gloo, and why."""
    without = [member["rank"] for member in members if not member["gpus"]]
    if without:
        return "gloo", "no GPU at rank %s" % ", ".join(str(rank) for rank in without[:8])
    lacking = [member["rank"] for member in members if not member["has_nccl"]]
    if lacking:
        return "gloo", "no NCCL at rank %s" % ", ".join(str(rank) for rank in lacking[:8])
    return "nccl", "every rank has a GPU"


def verdict(judge: Any, members: Sequence[dict[str, Any]], ends: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The judgement over all ranks; one whose end was never told counts as gone."""
    by_rank = {member["rank"]: member for member in members}
    told = [ends[number] for number in sorted(ends)]
    silent = [number for number in by_rank if number not in ends]
    found = dict(judge.judge(told)) if told else {"outcome": "timed_out", "phase": "start", "failed_ranks": []}
    if silent and found.get("signal") is None:
        found.update(outcome="crashed", failed_ranks=silent, error="the process of this rank is gone")
        found.pop("exit_status", None)
    found.update(judge.read_log(told))
    found.update(measured=judge.measured(told), unsupported=judge.unsupported(told))
    found["failed_hosts"] = sorted({by_rank[number]["host"] for number in found["failed_ranks"] if number in by_rank})
    if found["outcome"] == "passed":
        found.pop("log_tail", None)
    return found


def better_interfaces(
    kind: str, members: Sequence[dict[str, Any]], reached: Sequence[dict[str, Any]]
) -> dict[str, dict[str, str]]:
    """For each host the variable that names an interface at which all other hosts reach it; empty where one host has
    none, or where what the hosts would announce is reached already."""
    hosts = leaders(members)
    found: dict[str, dict[str, str]] = {}
    changed = False
    for host in hosts:
        at_host = [row for row in reached if row["to_rank"] == host["rank"]]
        good = [
            (address, rows[0]["interface"])
            for address, rows in by_address(at_host).items()
            if len(rows) == len(hosts) - 1 and not any("error" in row for row in rows)
        ]
        if not good:
            return {}
        announced = host[kind].get("address", "")
        changed = changed or announced not in [address for address, _ in good]
        interface = next((name for address, name in good if address == announced), good[0][1])
        found[host["key"]] = {VARIABLE[kind]: ("=" if kind == "nccl" else "") + interface}
    return found if changed and len(hosts) > 1 else {}


def by_address(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows by the address that was knocked at."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["address"], []).append(row)
    return found


def next_try(
    kind: str, members: Sequence[dict[str, Any]], reached: Sequence[dict[str, Any]], tries: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What to try after these tries; empty where nothing more would tell anything."""
    last = tries[-1]
    if last["outcome"] == "passed" or tries[0].get("signal") in FROM_OUTSIDE or len(tries) > MOST_TRIES:
        return {}
    hosts = {member["key"] for member in members}
    wanted: list[tuple[str, dict[str, dict[str, str]]]] = []
    better = better_interfaces(kind, members, reached)
    if better:
        wanted.append(("other interfaces", better))
    if kind == "nccl" and tries[0]["phase"] != "device":
        for name in TRANSPORTS:
            variable = "NCCL_%s_DISABLE" % name
            wanted.append((variable + "=1", {key: {variable: "1"} for key in hosts}))
    done = [one["what"] for one in tries]
    for what, by_host in wanted:
        if what not in done:
            return {"number": len(tries), "what": what, "by_host": by_host}
    return {}
