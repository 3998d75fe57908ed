"""Mixed precision: autocast forward and backward with a scaled loss, and gradients checked against float64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("amp", level="quick", title="mixed precision step", order=50)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.amp.precisions", FactType.TEXT_LIST, "the autocast precisions that gave right gradients"),
    FactSpec("probe.amp.gradient_relative_error", FactType.NUMBER, "the largest distance of a gradient from float64"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
