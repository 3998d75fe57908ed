"""The declarations of all facts, gathered from the rooms that yield them. Gathering imports those rooms: ask late."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from gpudoctor.model.fact import FactSpec, FactType

GIVEN = {"expect.gpus": FactSpec("expect.gpus", FactType.TEXT, "how many GPUs the user expects: any, none or a number")}


@lru_cache(maxsize=1)
def machine_specs() -> Mapping[str, FactSpec]:
    """The declarations of all facts that a machine yields, and of those derived from them."""
    from gpudoctor.collect.registry import collect_specs
    from gpudoctor.knowledge.derive_facts import derived_specs
    from gpudoctor.probe.registry import fact_specs

    return {**derived_specs(), **fact_specs(), **collect_specs(), **GIVEN}


@lru_cache(maxsize=1)
def known_specs() -> Mapping[str, FactSpec]:
    """The declarations of all facts, those that documents state among them."""
    from gpudoctor.intake.registry import intake_specs

    return {**intake_specs(), **machine_specs()}
