"""Facts about the ring edge by edge and size by size: what each pair of ranks moves, and which pairs are broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe import ring
from gpudoctor.probe.answers import first_line, known_or, said, text, why_step_failed
from gpudoctor.probe.spec import ProbeSpec

STEP = "ring_edges"
PREFIX = "probe.ring_edges."
_NUMBERS = FactType.NUMBER_LIST
PROBE = ProbeSpec(
    STEP,
    level="full",
    title="the ring pair by pair and size by size",
    limit_s=210.0,
    group=STEP,
    order=90,
    judged_alone=True,
)
FACTS = (
    *PROBE.common_facts(),
    FactSpec(PREFIX + "how_it_ended", FactType.TEXT, "how it ended, in words"),
    FactSpec(PREFIX + "backend", FactType.TEXT, "what carried it: nccl or gloo"),
    FactSpec(PREFIX + "ranks", FactType.INTEGER, "how many processes took part, one for each GPU with NCCL"),
    FactSpec(PREFIX + "pairs", FactType.TEXT_LIST, "the pairs that were measured, in torch's order, as `0-1`"),
    FactSpec(
        PREFIX + "bandwidths", _NUMBERS, "what each of these moves in each direction at once", unit="bytes per second"
    ),
    FactSpec(PREFIX + "broken_pairs", FactType.TEXT_LIST, "pairs that hung, failed or gave wrong numbers, and how"),
    FactSpec(PREFIX + "pairs_left_out", FactType.TEXT_LIST, "pairs for which no time was left"),
    FactSpec(
        PREFIX + "sizes_bytes", FactType.INTEGER_LIST, "the sizes of the all-reduces over all ranks", unit="bytes"
    ),
    FactSpec(
        PREFIX + "bus_bandwidths",
        _NUMBERS,
        "what each link carried at each size, by the slowest rank",
        "bytes per second",
    ),
)
KEYS = tuple(spec.key for spec in FACTS)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; where the step did not run, the reason for that."""
    line = said(end, STEP).get("ring_edges")
    found = line if isinstance(line, Mapping) else {}
    why = ring.why_not(end, plan, STEP, found)
    if why is None and not found:
        why = why_step_failed(end, STEP)
    if why is not None:
        return ring.without(why, KEYS)
    values = values_of(found, why_step_failed(end, STEP))
    return tuple(Fact(PREFIX + name, value) for name, value in values.items())


def values_of(found: Mapping[str, Any], why: Unknown) -> dict[str, Value | Unknown]:
    """Every value; `why` stands for what the step did not come to."""
    edges = rows(found.get("edges"))
    broken = tuple(broken_words(one) for one in rows(found.get("broken")))
    verdict = found.get("verdict")
    judged = verdict if isinstance(verdict, Mapping) else {}
    measured = rows(found.get("measured"))
    outcome = text(judged.get("outcome"))
    worst = next((text(one.get("outcome")) for one in rows(found.get("broken"))), "")
    ended = ring.words(judged) if outcome in ring.OUTCOMES else "it did not come to its end"
    ranks = found.get("ranks")
    return {
        "outcome": worst or known_or(outcome, why),
        "device": ring.device_of(found),
        "said": f"broken: {'; '.join(broken)}" if broken else known_or(text(judged.get("error")), ring.NOTHING),
        "signal": ring.NOTHING,
        "output": ring.NOTHING,
        "how_it_ended": f"broken: {'; '.join(broken)}" if broken else ended,
        "backend": known_or(text(found.get("backend")), why),
        "ranks": ranks if isinstance(ranks, int) else why,
        "pairs": tuple(name_of(one) for one in edges),
        "bandwidths": tuple(number(one.get("bandwidth")) for one in edges),
        "broken_pairs": broken,
        "pairs_left_out": left_out(found.get("left_out")),
        "sizes_bytes": tuple(one["bytes"] for one in measured if isinstance(one.get("bytes"), int)),
        "bus_bandwidths": tuple(number(one.get("bus_bandwidth")) for one in measured),
    }


def rows(value: object) -> list[Mapping[str, Any]]:
    """A value that should be a list of mappings."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def name_of(row: Mapping[str, Any]) -> str:
    """`0-1`."""
    edge = row.get("edge")
    return "-".join(str(part) for part in edge) if isinstance(edge, list) else "?"


def broken_words(row: Mapping[str, Any]) -> str:
    """`0-3 timed_out`, with the error where there is one."""
    error = first_line(text(row.get("error")))
    return f"{name_of(row)} {text(row.get('outcome'))}" + (f" ({error})" if error else "")


def left_out(value: object) -> tuple[str, ...]:
    """The pairs that were not come to."""
    listed = value if isinstance(value, list) else []
    return tuple(name_of({"edge": pair}) for pair in listed)


def number(value: object) -> Element:
    """A number, or that there is none."""
    return float(value) if isinstance(value, (int, float)) else Unknown(Reason.NO_DATA, "not measured")
