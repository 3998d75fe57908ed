"""Whether the ring of all GPUs carries less than PCIe alone would, although NVLink joins every pair of them.

Only the largest of the sizes counts, and only a floor that every NVLink passes: what NCCL makes of NVLink's full rate
depends on sizes, algorithms and versions, so that nothing near it would be a fault.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.derive.probe_rates import shared
from gpudoctor.knowledge.derive.ring_links import GIGA, joined_by_nvlink, link_of, nvml_places
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec(
        "ring.below_its_link",
        FactType.TEXT_LIST,
        "What the ring of all GPUs carries, where NVLink joins them and it is less than PCIe alone would carry.",
    ),
)
EDGES = "probe.ring_edges."
INPUTS = (
    EDGES + "outcome",
    EDGES + "backend",
    EDGES + "ranks",
    EDGES + "sizes_bytes",
    EDGES + "bus_bandwidths",
    "ring.slow_pairs",
    "gpu.pair_p2p_nvlinks",
    "gpu.pcie_generation_maximums",
    "gpu.pcie_widths",
    "gpu.uuids",
    "gpu.mig_enabled",
    "gpu.is_occupied",
    "gpu.virtualisation_modes",
    "gpu.process_counts",
    "gpu.utilisation_percent",
    "torch.device_uuids",
)
# Smaller ones are spent on starting the kernels of every rank.
LEAST_BYTES = 128 << 20


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """The one fact."""
    yield Fact("ring.below_its_link", below(facts, tables))


def below(facts: Facts, tables: Tables) -> Value | Unknown:
    """In words how little it carries; empty where that is enough, or where single pairs are slow, which tells more."""
    for key in (EDGES + "outcome", EDGES + "backend", EDGES + "ranks", EDGES + "sizes_bytes"):
        value = facts[key]
        if isinstance(value, Unknown):
            return value
    if facts.text(EDGES + "backend") != "nccl":
        return Unknown(Reason.NOT_APPLICABLE, "the ring ran over gloo, which uses no link between GPUs")
    carried = largest(facts)
    if carried is None:
        return Unknown(Reason.NO_DATA, f"no all-reduce of {LEAST_BYTES >> 20} MiB was measured")
    ranks = int(facts.number(EDGES + "ranks") or 0)
    places = nvml_places(facts)
    pairs = [f"{one}-{other}" for one in range(ranks) for other in range(one + 1, ranks)]
    joined = {joined_by_nvlink(pair, facts, places) for pair in pairs}
    links = [link_of(places.get(rank), facts, tables) for rank in range(ranks)]
    known = [link for link in links if link is not None]
    if joined != {True} or len(known) != ranks:
        return Unknown(Reason.NOT_APPLICABLE, "it is not certain that NVLink joins every pair, so there is no measure")
    floor, words = min(known)
    if carried >= floor or facts.elements("ring.slow_pairs"):
        return ()
    elsewhere = next((found for rank in range(ranks) if (found := shared(facts, places[rank]))), None)
    return elsewhere or (
        f"{carried / GIGA:.1f} GB/s, less than the {floor / GIGA:.1f} GB/s of {words}, although NVLink joins all GPUs",
    )


def largest(facts: Facts) -> float | None:
    """The bus bandwidth of the largest all-reduce, where that was large enough."""
    sizes, rates = facts.elements(EDGES + "sizes_bytes"), facts.elements(EDGES + "bus_bandwidths")
    pairs = [
        (size, rate) for size, rate in zip(sizes, rates) if isinstance(size, int) and isinstance(rate, (int, float))
    ]
    size, rate = max(pairs, default=(0, 0.0))
    return float(rate) if size >= LEAST_BYTES else None
