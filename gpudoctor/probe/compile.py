"""torch.compile of a small function: needs a C compiler, and on a GPU triton."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("compile", level="full", title="torch.compile", limit_s=200.0, group="compile", order=90, folder=True)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.compile.compiler", FactType.TEXT, "the compiler that was found: C++, or C on a GPU"),
    FactSpec("probe.compile.first_call_seconds", FactType.NUMBER, "how long compiling took", unit="seconds"),
    FactSpec("probe.compile.relative_error", FactType.NUMBER, "distance from the result without compiling"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
