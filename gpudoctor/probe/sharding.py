"""One training step with parameters sharded over two processes (FSDP2), checked against the same step unsharded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec(
    "sharding", level="full", title="sharded training step", limit_s=60.0, group="sharding", order=62, folder=True
)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.sharding.backend", FactType.TEXT, "what carried it: nccl or gloo"),
    FactSpec("probe.sharding.ranks", FactType.INTEGER, "how many processes took part"),
    FactSpec("probe.sharding.relative_error", FactType.NUMBER, "distance of a parameter after the step"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
