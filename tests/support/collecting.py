"""Runs one collector on a host made for a test, and gives its facts by key."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from gpudoctor.collect.registry import Collector
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Unknown, Value


def collected(module: ModuleType, host: Host) -> Mapping[str, Value | Unknown]:
    """Every declared fact; fails when the collector raises or breaks its declaration."""
    collector = Collector(module.__name__, getattr(module, "STAGE", "files"), tuple(module.FACTS), module.collect)
    facts, run = collector.run(host)
    assert run.outcome == "completed", run.detail
    return {fact.key: fact.value for fact in facts}
