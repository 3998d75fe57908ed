"""Copies between host and device, from ordinary and from pinned memory: do they arrive, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("copies", level="quick", title="copies to the device and back", order=15)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.copies.bytes", FactType.INTEGER, "how much was copied", unit="bytes"),
    FactSpec(
        "probe.copies.to_device_bytes_per_second",
        FactType.NUMBER,
        "rate from ordinary memory to the device",
        unit="bytes per second",
    ),
    FactSpec(
        "probe.copies.to_host_bytes_per_second",
        FactType.NUMBER,
        "rate from the device to ordinary memory",
        unit="bytes per second",
    ),
    FactSpec(
        "probe.copies.pinned_to_device_bytes_per_second",
        FactType.NUMBER,
        "rate from pinned memory to the device",
        unit="bytes per second",
    ),
    FactSpec(
        "probe.copies.device_to_pinned_bytes_per_second",
        FactType.NUMBER,
        "rate from the device to pinned memory",
        unit="bytes per second",
    ),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
