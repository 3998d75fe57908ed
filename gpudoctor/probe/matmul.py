"""The matrix product in each precision that the device has: is it right, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("matmul", level="quick", title="matrix product", order=20)
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8")
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.matmul.precisions", FactType.TEXT_LIST, "the precisions that were tried and gave right results"),
    *(
        FactSpec(f"probe.matmul.{name}_relative_error", FactType.NUMBER, f"distance of the {name} product from float64")
        for name in PRECISIONS
    ),
    *(
        FactSpec(f"probe.matmul.{name}_flops_per_second", FactType.NUMBER, f"rate of the {name} product", "flop/s")
        for name in PRECISIONS
    ),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
