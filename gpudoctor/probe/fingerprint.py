"""A fingerprint of seeded results, so that two machines with one image can be compared bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec(
    "fingerprint", level="full", title="fingerprint of seeded results", limit_s=40.0, group="fingerprint", order=72
)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.fingerprint.digests", FactType.TEXT_LIST, "each operation with the digest of its result"),
    FactSpec("probe.fingerprint.unstable", FactType.TEXT_LIST, "the operations whose result differed when repeated"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
