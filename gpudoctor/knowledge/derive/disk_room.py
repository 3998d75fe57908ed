"""Caches that have no room left: model downloads and compiled kernels fail half-way there, with errors of their own."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown

FACTS = (FactSpec("disk.full_caches", FactType.TEXT_LIST, "Caches whose disk is full, or may not be written."),)
_MEBIBYTE = 1 << 20
# What is in each cache, and the room in mebibytes below which the next thing to be kept there will not fit.
_CACHES = {
    "hf_cache": ("the Hugging Face cache", 256),
    "torch_cache": ("the torch hub cache", 64),
    "triton_cache": ("the Triton cache", 64),
    "inductor_cache": ("the Inductor cache", 64),
}
_SMALLEST_DISK = 512 * _MEBIBYTE
INPUTS = tuple(
    f"disk.{place}_{name}" for place in _CACHES for name in ("total_bytes", "free_bytes", "free_inodes", "is_read_only")
)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Small file systems are made for one purpose and not judged; a read-only cache of models is a fine thing."""
    seen = [place for place in _CACHES if facts.number(f"disk.{place}_free_bytes") is not None]
    if not seen:
        yield Fact("disk.full_caches", Unknown(Reason.NO_DATA, "the room in the caches is not known"))
        return
    yield Fact("disk.full_caches", tuple(text for place in seen if (text := _full(facts, place))))


def _full(facts: Facts, place: str) -> str:
    name, least = _CACHES[place]
    free, total = facts.number(f"disk.{place}_free_bytes"), facts.number(f"disk.{place}_total_bytes")
    if free is None or total is None or total < _SMALLEST_DISK or facts.flag(f"disk.{place}_is_read_only") is True:
        return ""
    if facts.number(f"disk.{place}_free_inodes") == 0:
        return f"{name} (no inodes left)"
    return f"{name} ({int(free) // _MEBIBYTE} MiB left)" if free < least * _MEBIBYTE else ""
