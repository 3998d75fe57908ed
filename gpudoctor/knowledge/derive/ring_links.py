"""What the links between GPUs should carry, and which pairs of the ring carry far less.

A floor, not a target: the way between two GPUs over PCIe may lead through the processor or its memory, so a pair is
called slow below a quarter of its PCIe link; a pair that NVLink joins, below the whole of it, which any NVLink passes.
Beyond that a pair is slow against the others of its kind: below half of their middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Element, Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec(
        "ring.slow_pairs",
        FactType.TEXT_LIST,
        "Pairs of GPUs, in torch's order, that move far less than their link or than other pairs, with the figures.",
    ),
)
INPUTS = (
    "probe.ring_edges.backend",
    "probe.ring_edges.pairs",
    "probe.ring_edges.bandwidths",
    "gpu.pair_p2p_nvlinks",
    "gpu.pcie_generation_maximums",
    "gpu.pcie_widths",
    "gpu.uuids",
    "torch.device_uuids",
)
MEGA = 1_000_000
GIGA = 1e9
# Of the PCIe link, for a pair that has nothing better.
PCIE_SHARE = 0.25
# Of the middle of all pairs of the kind, where there are enough to have one.
PEER_SHARE = 0.5
LEAST_PEERS = 3


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """The one fact; gloo says nothing about GPUs."""
    yield Fact("ring.slow_pairs", slow_pairs(facts, tables))


def slow_pairs(facts: Facts, tables: Tables) -> Value | Unknown:
    """Every slow pair in words."""
    for key in ("probe.ring_edges.backend", "probe.ring_edges.pairs", "probe.ring_edges.bandwidths"):
        value = facts[key]
        if isinstance(value, Unknown):
            return value
    if facts.text("probe.ring_edges.backend") != "nccl":
        return Unknown(Reason.NOT_APPLICABLE, "the ring ran over gloo, which uses no link between GPUs")
    from statistics import median  # loads fractions and decimals, which no machine without such pairs needs

    moved: dict[str, float] = {}
    for name, bandwidth in zip(facts.elements(INPUTS[1]), facts.elements(INPUTS[2])):
        if isinstance(bandwidth, (int, float)):
            moved[str(name)] = float(bandwidth)
    places = nvml_places(facts)
    joined = {name: joined_by_nvlink(name, facts, places) for name in moved}
    found = []
    for name, bandwidth in moved.items():
        floor, why = floor_of(name, joined[name], facts, tables, places)
        peers = [other for key, other in moved.items() if joined[key] == joined[name]]
        if len(peers) >= LEAST_PEERS and median(peers) * PEER_SHARE > floor:
            floor, why = median(peers) * PEER_SHARE, "half of what such pairs here move"
        if bandwidth < floor:
            found.append(f"{name}: {bandwidth / GIGA:.1f} GB/s, less than {floor / GIGA:.1f} GB/s, {why}")
    return tuple(found)


def nvml_places(facts: Facts) -> Mapping[int, int]:
    """torch's number of each GPU to NVML's; the two count differently, so they are matched by identifier."""
    ours = [bare(one) for one in facts.elements("torch.device_uuids")]
    theirs = {bare(one): place for place, one in enumerate(facts.elements("gpu.uuids"))}
    return {index: theirs[uuid] for index, uuid in enumerate(ours) if uuid and uuid in theirs}


def bare(uuid: Element) -> str:
    """An identifier without the `GPU-` that NVML puts before it."""
    return str(uuid).lower().replace("gpu-", "") if isinstance(uuid, str) else ""


def joined_by_nvlink(name: str, facts: Facts, places: Mapping[int, int]) -> bool | None:
    """Whether NVLink joins a pair; None where nobody tells."""
    ends = [places.get(int(part)) for part in name.split("-") if part.isdigit()]
    known = sorted(end for end in ends if end is not None)
    if len(known) != 2:
        return None
    wanted = f"{known[0]}-{known[1]} "
    told = [str(one) for one in facts.elements("gpu.pair_p2p_nvlinks") if not isinstance(one, Unknown)]
    state = next((one[len(wanted) :] for one in told if one.startswith(wanted)), None)
    return None if state is None else state == "ok"


def floor_of(
    name: str, nvlink: bool | None, facts: Facts, tables: Tables, places: Mapping[int, int]
) -> tuple[float, str]:
    """The least that a pair should move, in bytes per second, and why; 0 where nothing is known."""
    lanes = [link_of(places.get(int(part)), facts, tables) for part in name.split("-") if part.isdigit()]
    known = [lane for lane in lanes if lane is not None]
    if len(known) != 2 or nvlink is None:
        return 0.0, ""
    bandwidth, words = min(known)
    if nvlink:
        return bandwidth, f"which {words} alone would carry, although NVLink joins them"
    return bandwidth * PCIE_SHARE, f"a quarter of {words}"


def link_of(place: int | None, facts: Facts, tables: Tables) -> tuple[float, str] | None:
    """The PCIe link of one GPU: bytes per second and direction, and its name. The widest generation that it can reach
    counts, because an idle link is slowed down; the lanes count as they are."""
    generation = element(facts, "gpu.pcie_generation_maximums", place)
    width = element(facts, "gpu.pcie_widths", place)
    if generation is None or width is None:
        return None
    lane = lane_rate(generation, tables)
    return None if lane is None else (lane * width, f"PCIe {generation} x{width}")


def lane_rate(generation: int, tables: Tables) -> float | None:
    """What one lane of a PCIe generation carries, in bytes per second and direction."""
    row = next((row for row in tables["pcie_lanes"].rows if row.known("generation") == generation), None)
    lane = row.known("megabytes_per_second") if row is not None else None
    return float(lane * MEGA) if isinstance(lane, int) else None


def element(facts: Facts, key: str, place: int | None) -> int | None:
    """One GPU's whole number."""
    values = facts.elements(key)
    value = values[place] if place is not None and place < len(values) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
