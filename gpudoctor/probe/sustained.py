"""Matrix products for some seconds, watching whether the rate holds, and clocks and reasons for slowing down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("sustained", level="full", title="sustained work", limit_s=40.0, group="sustained", order=70)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.sustained.flops_per_second", FactType.NUMBER, "the median rate", unit="flop/s"),
    FactSpec("probe.sustained.lowest_share", FactType.NUMBER, "the slowest second as a share of the median"),
    FactSpec(
        "probe.sustained.clocks_mhz", FactType.INTEGER_LIST, "the clocks of the GPU while it worked", unit="megahertz"
    ),
    FactSpec(
        "probe.sustained.temperatures_celsius", FactType.INTEGER_LIST, "its temperatures meanwhile", unit="celsius"
    ),
    FactSpec(
        "probe.sustained.throttle_reasons",
        FactType.TEXT_LIST,
        "the bits of the driver's reasons for slower clocks, each once",
    ),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
