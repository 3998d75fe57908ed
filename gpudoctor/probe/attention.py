"""Scaled-dot-product attention: which back ends work, and whether what they give is right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("attention", level="quick", title="attention", order=40)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.attention.backends", FactType.TEXT_LIST, "the back ends that gave right results"),
    FactSpec(
        "probe.attention.unavailable", FactType.TEXT_LIST, "the back ends that this torch or device does not offer"
    ),
    FactSpec("probe.attention.relative_error", FactType.NUMBER, "the largest distance from float64"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
