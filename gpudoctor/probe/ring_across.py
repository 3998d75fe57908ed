"""Facts about a ring across machines: who came, who reaches whom by which interface, and how the ring itself went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.exit_status import signal_name
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe import answers, ring
from gpudoctor.probe.answers import known_or, said, text, texts, why_step_failed

STEP = "ring_across"
PREFIX = "probe.ring_across."
FACTS = (
    FactSpec(PREFIX + "outcome", FactType.TEXT, "how it went: passed, wrong_result, failed, crashed, timed_out"),
    FactSpec(
        PREFIX + "fault",
        FactType.TEXT,
        "the same more finely: none, rendezvous_unreachable, port_in_use, store_failed, ranks_missing, "
        "interface_missing, loopback_announced, interface_unreachable, ports_blocked, transport_p2p, transport_shm, "
        "transport_ib, wrong_result, rank_ended, hang or error",
    ),
    FactSpec(PREFIX + "how_it_ended", FactType.TEXT, "how it ended, in words", private=True),
    FactSpec(PREFIX + "rank", FactType.INTEGER, "the rank that tells this"),
    FactSpec(PREFIX + "ranks", FactType.INTEGER, "the ranks of the job"),
    FactSpec(PREFIX + "host_names", FactType.TEXT_LIST, "the hosts that met, by name", private=True),
    FactSpec(PREFIX + "backend", FactType.TEXT, "what carried the ring: nccl, or gloo where a rank has no GPU"),
    FactSpec(PREFIX + "backend_reason", FactType.TEXT, "why this backend"),
    FactSpec(PREFIX + "announced", FactType.TEXT_LIST, "the address that each host's ranks announce", private=True),
    FactSpec(PREFIX + "unreachable", FactType.TEXT_LIST, "which host does not reach which, and how", private=True),
    FactSpec(PREFIX + "reached", FactType.TEXT_LIST, "which host reaches which, and by what", private=True),
    FactSpec(PREFIX + "works_with", FactType.TEXT_LIST, "settings with which a failed ring passes", private=True),
    FactSpec(PREFIX + "missing_ranks", FactType.INTEGER_LIST, "ranks that never came"),
    FactSpec(PREFIX + "torch_versions", FactType.TEXT_LIST, "the versions of torch among the ranks"),
    FactSpec(PREFIX + "nccl_versions", FactType.TEXT_LIST, "the versions of NCCL among the ranks"),
    FactSpec(PREFIX + "phase", FactType.TEXT, "where a ring that did not pass came to a stop"),
    FactSpec(PREFIX + "failed_ranks", FactType.INTEGER_LIST, "the ranks that stood in the way of the others"),
    FactSpec(PREFIX + "failed_host_names", FactType.TEXT_LIST, "the hosts of those ranks", private=True),
    FactSpec(PREFIX + "signal", FactType.TEXT, "the signal that ended the first of them"),
    FactSpec(PREFIX + "error", FactType.TEXT, "its error, word for word", private=True),
    FactSpec(PREFIX + "output", FactType.TEXT, "what it printed, or its stack where it hung", private=True),
    FactSpec(
        PREFIX + "bus_bandwidth_bytes_per_second",
        FactType.NUMBER,
        "what each link carried in an all-reduce, by the slowest rank",
        unit="bytes per second",
    ),
    FactSpec(PREFIX + "transports", FactType.TEXT_LIST, "the transports that NCCL's log names"),
    FactSpec(PREFIX + "nccl_warnings", FactType.TEXT_LIST, "the warnings in NCCL's log", private=True),
    FactSpec(PREFIX + "tries", FactType.TEXT_LIST, "every further try with its outcome"),
)
KEYS = tuple(spec.key for spec in FACTS)
NONE = Unknown(Reason.NOT_APPLICABLE, "there is none")
NOT_REACHED = Unknown(Reason.NO_DATA, "it did not come to this")
HOW = {
    "timed_out": "no answer, so packets are dropped on the way",
    "refused": "the connection was refused",
    "unreachable": "there is no route",
    "somebody_else": "another process answers there",
    "unresolved": "the name has no address",
}
MOST_ROWS = 40


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; where the step did not run, the reason for that."""
    line = said(end, STEP)
    why = ring.why_not(end, plan, STEP, mapping(line.get("across")))
    if why is not None:
        return ring.without(why, KEYS)
    place = options_of(plan)
    found = Met(line, place).values() or cut_off(end)
    return tuple(Fact(key, found.get(key[len(PREFIX) :], NOT_REACHED)) for key in KEYS)


def options_of(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the step was given."""
    for group in plan.get("groups", ()):
        for step in group["steps"]:
            if step["name"] == STEP:
                return dict(step.get("options", {}))
    return {}


def cut_off(end: ChildEnd) -> dict[str, Value | Unknown]:
    """What is known where the step ended before it could say how the ring went."""
    why = why_step_failed(end, STEP)
    outcome = answers.outcome_of(end, STEP)
    known = {"crashed": "crashed", "exited": "crashed", "failed": "failed"}.get(outcome)
    if known is None:
        return {"outcome": why, "fault": why, "how_it_ended": why}
    kind = "rank_ended" if known == "crashed" else "error"
    return {"outcome": known, "fault": kind, "how_it_ended": f"before the ring had run, {why.detail}"}


class Met:
    """One run of the step, as far as it came."""

    def __init__(self, line: Mapping[str, Any], place: Mapping[str, Any]) -> None:
        self.place = place
        self.problem = mapping(line.get("problem"))
        self.members = mappings(line.get("members"))
        missing = line.get("missing")
        self.missing = [rank for rank in missing if isinstance(rank, int)] if isinstance(missing, list) else []
        self.reach = mappings(line.get("reach"))
        self.ring = mapping(line.get("ring"))
        self.tries = mappings(line.get("tries"))

    def values(self) -> dict[str, Value | Unknown]:
        """What is known, by the last part of the key; nothing where the step came to no end of any kind."""
        fault = self.fault()
        if not fault:
            return {}
        passed = fault == "none"
        found: dict[str, Value | Unknown] = {
            "outcome": text(self.ring.get("outcome")) or "failed",
            "fault": fault,
            "how_it_ended": self.words(fault),
            "rank": number(self.place.get("rank")),
            "ranks": number(self.place.get("world_size")),
            "missing_ranks": tuple(self.missing),
            "works_with": self.works_with() or Unknown(Reason.NO_DATA, "nothing that was tried makes it pass"),
            "tries": tuple(f"{text(one.get('what'))}: {text(one.get('outcome'))}" for one in self.tries[1:]),
        }
        if self.members:
            found.update(self.hosts())
        if self.ring:
            found.update(self.of_ring(passed))
        return found

    def hosts(self) -> dict[str, Value | Unknown]:
        """Who met."""
        kind = self.backend()
        rows = [f"{text(m.get('host'))} {own(m, kind)}" for m in self.members]
        bad = [row for row in self.reach if "error" in row]
        good = [row for row in self.reach if "error" not in row]
        return {
            "host_names": tuple(dict.fromkeys(text(m.get("host")) for m in self.members)),
            "announced": tuple(dict.fromkeys(rows))[:MOST_ROWS],
            "unreachable": tuple(not_reached(row) for row in bad[:MOST_ROWS]),
            "reached": tuple(was_reached(row) for row in good[:MOST_ROWS]),
            "torch_versions": distinct(self.members, "torch"),
            "nccl_versions": distinct(self.members, "nccl_version"),
        }

    def of_ring(self, passed: bool) -> dict[str, Value | Unknown]:
        """How the ring went."""
        failed = ring.PASSED if passed else NONE
        signal = self.ring.get("signal")
        ranks = self.ring.get("failed_ranks")
        return {
            "backend": known_or(text(self.ring.get("backend")), NONE),
            "backend_reason": known_or(text(self.ring.get("backend_reason")), NONE),
            "phase": ring.PASSED if passed else known_or(text(self.ring.get("phase")), NONE),
            "failed_ranks": tuple(one for one in ranks if isinstance(one, int)) if isinstance(ranks, list) else (),
            "failed_host_names": texts(self.ring.get("failed_hosts")),
            "signal": signal_name(signal) if isinstance(signal, int) else failed,
            "error": known_or(text(self.ring.get("error")), failed),
            "output": known_or(text(self.ring.get("output")), failed),
            "bus_bandwidth_bytes_per_second": ring.bandwidth(self.ring) or NOT_REACHED,
            "transports": texts(self.ring.get("transports")) or NONE,
            "nccl_warnings": texts(self.ring.get("log_warnings")),
        }

    def backend(self) -> str:
        """The backend whose addresses count."""
        return "nccl" if self.ring.get("backend") == "nccl" else "gloo"

    def fault(self) -> str:
        """What ails it, as one word; nothing where the step did not come to an answer."""
        if self.problem:
            return text(self.problem.get("kind"))
        if self.missing:
            return "ranks_missing"
        outcome = self.ring.get("outcome")
        if outcome == "passed":
            return "none"
        if outcome not in ring.OUTCOMES:
            return ""
        return self.fault_of_network() or self.fault_of_transport() or self.fault_of_ring()

    def fault_of_network(self) -> str:
        """What the look at the network shows, of a ring that failed."""
        kind = self.backend()
        cards = [mapping(member.get(kind)) for member in self.members]
        if any(card.get("missing") for card in cards):
            return "interface_missing"
        if len({text(member.get("key")) for member in self.members}) < 2:
            return ""
        if any(is_loopback(card) and card.get("by") == "host name" for card in cards):
            return "loopback_announced"
        bad = [row for row in self.announced_rows() if "error" in row]
        if not bad:
            return ""
        elsewhere = {row.get("to_rank") for row in self.reach if "error" not in row}
        return "interface_unreachable" if all(row.get("to_rank") in elsewhere for row in bad) else "ports_blocked"

    def announced_rows(self) -> list[Mapping[str, Any]]:
        """The knocks at the addresses that count."""
        kind = self.backend()
        wanted = {(m.get("rank"), mapping(m.get(kind)).get("address")) for m in self.members}
        return [row for row in self.reach if (row.get("to_rank"), row.get("address")) in wanted]

    def fault_of_transport(self) -> str:
        """The NCCL transport without which it passes."""
        for one in self.tries[1:]:
            what = text(one.get("what"))
            if one.get("outcome") == "passed" and what.startswith("NCCL_") and what.endswith("_DISABLE=1"):
                return "transport_" + what[len("NCCL_") : -len("_DISABLE=1")].lower()
        return ""

    def fault_of_ring(self) -> str:
        """What the ranks themselves did."""
        kinds = {"wrong_result": "wrong_result", "crashed": "rank_ended", "timed_out": "hang"}
        if self.ring.get("signal") is None and text(self.ring.get("phase")) == "device":
            return "error"
        return kinds.get(text(self.ring.get("outcome")), "error")

    def works_with(self) -> tuple[str, ...]:
        """The settings of the first further try that passed, by host."""
        names = {text(member.get("key")): text(member.get("host")) for member in self.members}
        for one in self.tries[1:]:
            if one.get("outcome") == "passed":
                by_host = mapping(one.get("by_host"))
                rows = [
                    (names.get(key, ""), f"{variable}={value}")
                    for key, settings in by_host.items()
                    for variable, value in mapping(settings).items()
                ]
                if len({setting for _, setting in rows}) == 1:
                    return (rows[0][1],)
                return tuple(f"{setting} on {host}" for host, setting in rows)
        return ()

    def words(self, fault: str) -> str:
        """How it ended, as the end of a sentence."""
        if self.problem:
            return problem_words(self.problem, self.place)
        if fault == "ranks_missing":
            return f"{ring.named(self.missing)} never came to rank 0 at {self.rendezvous()}"
        said_of_ring = ring.words(self.ring)
        hosts = texts(self.ring.get("failed_hosts"))
        where = f" on {', '.join(hosts)}" if hosts and fault != "none" else ""
        who = ring.named(self.ring.get("failed_ranks"))
        return said_of_ring.replace(who, who + where, 1) if who else said_of_ring

    def rendezvous(self) -> str:
        """Address and port of rank 0."""
        return f"{self.place.get('address')} port {self.place.get('port')}"


def problem_words(problem: Mapping[str, Any], place: Mapping[str, Any]) -> str:
    """Why the ranks could not even meet."""
    kind = problem.get("kind")
    where = f"rank 0 at {place.get('address')} port {place.get('port')}"
    if kind == "port_in_use":
        return f"rank 0 cannot listen on port {place.get('port')} ({text(problem.get('errno'))})"
    if kind == "store_failed":
        return f"the store of {where} did not open: {answers.first_line(text(problem.get('detail')))}"
    error = text(problem.get("error"))
    sent = f", sent from {problem.get('from')}" if problem.get("from") else ""
    sent += f" by {problem.get('interface')}" if problem.get("interface") else ""
    detail = f" ({text(problem.get('detail'))})" if error in ("unresolved", "failed") else ""
    return f"rank {place.get('rank')} does not reach {where}: {HOW.get(error, error)}{detail}{sent}"


def not_reached(row: Mapping[str, Any]) -> str:
    """One knock that was not answered, in words."""
    error = text(row.get("error"))
    sent = f", sent from {row.get('from')} by {row.get('sent_by') or '?'}" if row.get("from") else ""
    return f"{was_reached(row)[: -len(' reached')]}: {HOW.get(error, text(row.get('detail')))}{sent}"


def was_reached(row: Mapping[str, Any]) -> str:
    """One knock that was answered, in words."""
    at = f"{row.get('address')} ({row.get('interface')})"
    return f"{text(row.get('from_host'))} to {text(row.get('to_host'))} at {at} reached"


def own(member: Mapping[str, Any], kind: str) -> str:
    """What a member's ranks announce: `10.0.0.1 (eth0)`."""
    card = mapping(member.get(kind))
    if card.get("missing"):
        return f"none: {card.get('by')} names {card.get('missing')}, and there is no such interface"
    return f"{card.get('address')} ({card.get('interface')}, by {card.get('by')})"


def is_loopback(card: Mapping[str, Any]) -> bool:
    """Whether an announced address leads back to whoever uses it."""
    address = text(card.get("address"))
    return address.startswith("127.") or address == "::1"


def distinct(members: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    """The different texts under a name."""
    return tuple(sorted({text(member.get(name)) for member in members if member.get(name)}))


def mapping(value: object) -> Mapping[str, Any]:
    """A value that should be a mapping."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Sequence[Mapping[str, Any]]:
    """A value that should be a list of mappings."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def number(value: object) -> int | Unknown:
    """A value that should be a number."""
    return value if isinstance(value, int) else NOT_REACHED
