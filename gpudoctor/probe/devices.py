"""Setting up each device: a context, an allocation and a first kernel on every GPU that torch sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("devices", level="quick", title="device set-up", limit_s=30.0, group="devices", order=10)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.devices.tried", FactType.TEXT_LIST, "the devices that came up"),
    FactSpec("probe.devices.broken", FactType.TEXT_LIST, "the devices that did not, each with the error"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
