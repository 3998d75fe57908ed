"""Direct access between GPUs: which pairs torch says can do it, and whether what is copied arrives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("peers", level="quick", title="copies between GPUs", limit_s=30.0, group="devices", order=12)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.peers.pairs", FactType.TEXT_LIST, "the pairs that were tried"),
    FactSpec("probe.peers.direct", FactType.TEXT_LIST, "the pairs that reach each other without the host"),
    FactSpec("probe.peers.wrong", FactType.TEXT_LIST, "the pairs between which a copy did not arrive as it left"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
