"""A DataLoader with worker processes, whose batches travel through /dev/shm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec(
    "dataloader", level="full", title="DataLoader with workers", limit_s=60.0, group="dataloader", order=64
)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.dataloader.workers", FactType.INTEGER, "how many worker processes fetched"),
    FactSpec("probe.dataloader.bytes", FactType.INTEGER, "how much they handed over", unit="bytes"),
    FactSpec("probe.dataloader.bytes_per_second", FactType.NUMBER, "how fast this went", unit="bytes per second"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
