"""Matrix products and copies for some seconds: which rates hold, and what clocks and reasons the driver tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model import clock_events
from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe.answers import said
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("sustained", level="full", title="sustained work", limit_s=60.0, group="sustained", order=70)
REASONS = "probe.sustained.throttle_reasons"
LASTING = "probe.sustained.lasting_throttle_reasons"
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.sustained.precision", FactType.TEXT, "what was multiplied: fp16 on a GPU, fp32 on the CPU"),
    FactSpec("probe.sustained.size", FactType.INTEGER, "the side of the square matrices that were multiplied"),
    FactSpec("probe.sustained.flops_per_second", FactType.NUMBER, "the median rate of the products", unit="flop/s"),
    FactSpec(
        "probe.sustained.best_flops_per_second", FactType.NUMBER, "the rate of the best half second", unit="flop/s"
    ),
    FactSpec("probe.sustained.lowest_share", FactType.NUMBER, "the slowest half second as a share of the median"),
    FactSpec(
        "probe.sustained.clocks_mhz", FactType.INTEGER_LIST, "the clocks of the GPU while it worked", unit="megahertz"
    ),
    FactSpec(
        "probe.sustained.temperatures_celsius", FactType.INTEGER_LIST, "its temperatures meanwhile", unit="celsius"
    ),
    FactSpec(
        REASONS,
        FactType.TEXT_LIST,
        "the driver's reasons for slower clocks meanwhile, each once; none where there was no reason",
    ),
    FactSpec(
        LASTING,
        FactType.TEXT_LIST,
        "those of them that were told more than once: a change of clocks alone can look like a brake for a moment",
    ),
    FactSpec(
        "probe.sustained.memory_bytes_per_second",
        FactType.NUMBER,
        "what the GPU's memory moved while it was copied within itself, reading and writing",
        unit="bytes per second",
    ),
    FactSpec(
        "probe.sustained.pinned_to_device_bytes_per_second",
        FactType.NUMBER,
        "rate from pinned memory to the GPU while both are awake",
        unit="bytes per second",
    ),
    FactSpec(
        "probe.sustained.device_to_pinned_bytes_per_second",
        FactType.NUMBER,
        "rate from the GPU to pinned memory while both are awake",
        unit="bytes per second",
    ),
    FactSpec("probe.sustained.link_copy_bytes", FactType.INTEGER, "how much each of these copies held", unit="bytes"),
    FactSpec("probe.sustained.pcie_generation", FactType.INTEGER, "PCIe generation of the GPU's link during them"),
    FactSpec("probe.sustained.pcie_width", FactType.INTEGER, "PCIe lanes in use during them"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; the driver's bits become words."""
    bits = said(end, PROBE.name).get("throttle_bits")
    numbers = [one for one in bits if isinstance(one, int)] if isinstance(bits, list) else []
    told = [word for one in numbers for word in clock_events.words(one) or ["none"]]
    seen = tuple(dict.fromkeys(told))
    again: Value | Unknown = tuple(word for word in seen if told.count(word) > 1)
    if len(numbers) == 1:
        again = Unknown(Reason.NO_DATA, "the driver answered only once")
    own: dict[str, Value | Unknown] = {REASONS: seen, LASTING: again} if seen else {}
    for fact in facts_of_probe(PROBE, FACTS, end, plan):
        yield Fact(fact.key, own.get(fact.key, fact.value))
