"""A convolution forward and backward against float64, with the cuDNN that really ran and the files it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.probe.spec import ProbeSpec, facts_of_probe

PROBE = ProbeSpec("conv2d", level="quick", title="convolution, forward and backward", order=30)
FACTS = (
    *PROBE.common_facts(),
    FactSpec("probe.conv2d.engine", FactType.TEXT, "the library that computed it: cudnn, mkldnn or native"),
    FactSpec("probe.conv2d.cudnn_version", FactType.INTEGER, "the number of the cuDNN that ran"),
    FactSpec("probe.conv2d.cudnn_files", FactType.TEXT_LIST, "the files of cuDNN that were mapped", private=True),
    FactSpec("probe.conv2d.forward_relative_error", FactType.NUMBER, "distance of the result from float64"),
    FactSpec(
        "probe.conv2d.backward_relative_error", FactType.NUMBER, "the larger distance of the two gradients from float64"
    ),
    FactSpec("probe.conv2d.half_relative_error", FactType.NUMBER, "distance of the half precision result from float64"),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    return facts_of_probe(PROBE, FACTS, end, plan)
