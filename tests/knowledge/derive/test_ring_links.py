"""Which pairs of GPUs count as slow: against their link, and against one another."""

from __future__ import annotations

from typing import Any

from derived import derived
from gpudoctor.model.fact import Reason

KEY = "ring.slow_pairs"
GIGA = 1e9
GPUS = {
    "gpu.uuids": ("GPU-aa", "GPU-bb", "GPU-cc"),
    "torch.device_uuids": ("aa", "bb", "cc"),
    "gpu.pcie_generation_maximums": (4, 4, 4),
    "gpu.pcie_widths": (16, 16, 16),
    "gpu.pair_p2p_nvlinks": ("0-1 ok", "0-2 not_supported", "1-2 not_supported"),
}
MEASURED = {
    "probe.ring_edges.backend": "nccl",
    "probe.ring_edges.pairs": ("0-1", "0-2", "1-2"),
    "probe.ring_edges.bandwidths": (200 * GIGA, 12 * GIGA, 13 * GIGA),
}


def slow(**more: Any) -> Any:
    """The slow pairs; dots are written as two underscores."""
    given = {**GPUS, **MEASURED, **{key.replace("__", "."): value for key, value in more.items()}}
    return derived({key: list(value) if isinstance(value, tuple) else value for key, value in given.items()})[KEY]


def test_a_healthy_machine() -> None:
    assert slow() == ()


def test_nvlink_that_carries_less_than_pcie_would() -> None:
    (row,) = slow(probe__ring_edges__bandwidths=(20 * GIGA, 12 * GIGA, 13 * GIGA))
    assert row == "0-1: 20.0 GB/s, less than 31.5 GB/s, which PCIe 4 x16 alone would carry, although NVLink joins them"


def test_pcie_below_a_quarter() -> None:
    (row,) = slow(probe__ring_edges__bandwidths=(200 * GIGA, 3 * GIGA, 13 * GIGA))
    assert row == "0-2: 3.0 GB/s, less than 7.9 GB/s, a quarter of PCIe 4 x16"


def test_a_narrow_link_is_expected_to_carry_less() -> None:
    assert slow(gpu__pcie_widths=(16, 16, 4), probe__ring_edges__bandwidths=(200 * GIGA, 3 * GIGA, 3 * GIGA)) == ()


def test_gpus_are_matched_by_identifier() -> None:
    """torch may see them in another order, or not all of them."""
    measured = (12 * GIGA, 13 * GIGA, 200 * GIGA)
    assert slow(torch__device_uuids=("cc", "bb", "aa"), probe__ring_edges__bandwidths=measured) == ()
    (row,) = slow(probe__ring_edges__bandwidths=measured)
    assert row.startswith("0-1: 12.0 GB/s")


def test_without_knowing_the_links_pairs_are_held_against_one_another() -> None:
    pairs = {"probe__ring_edges__pairs": ("0-1", "0-2", "0-3", "1-2")}
    found = slow(**pairs, torch__device_uuids=(), probe__ring_edges__bandwidths=(20e9, 21e9, 3e9, 20e9))
    assert found == ("0-3: 3.0 GB/s, less than 10.0 GB/s, half of what such pairs here move",)
    assert slow(**pairs, torch__device_uuids=(), probe__ring_edges__bandwidths=(2e9, 2e9, 2e9, 2e9)) == ()


def test_two_gpus_of_unknown_links_are_not_judged() -> None:
    assert slow(torch__device_uuids=(), probe__ring_edges__pairs=("0-1",), probe__ring_edges__bandwidths=(1e9,)) == ()


def test_pairs_that_were_not_measured_are_left_out() -> None:
    gap = {"unknown": "no_data"}
    assert slow(probe__ring_edges__bandwidths=(200 * GIGA, gap, 13 * GIGA)) == ()


def test_gloo_says_nothing_of_gpus() -> None:
    assert slow(probe__ring_edges__backend="gloo").reason is Reason.NOT_APPLICABLE
    assert slow(probe__ring_edges__pairs={"unknown": "timed_out"}).reason is Reason.TIMED_OUT
