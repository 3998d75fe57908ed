"""Probes are found by their declarations, and a level decides which of them run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gpudoctor.probe import probes, registry, zygote
from gpudoctor.probe.probes import Probe

ONE = SimpleNamespace(PROBES=(Probe("a", "quick", 5.0, group="shared"), Probe("b", "full", 9.0, options={"x": 1})))
OTHER = SimpleNamespace(PROBES=(Probe("c", "quick", 5.0, group="shared"),))


@pytest.mark.parametrize(
    ("level", "groups"),
    [("none", []), ("quick", [("shared", "ac")]), ("full", [("shared", "ac"), ("b", "b")])],
)
def test_levels_and_groups(level: str, groups: list[tuple[str, str]]) -> None:
    found = probes.groups_of([ONE, SimpleNamespace(), OTHER], level)
    assert [(group.name, "".join(step.name for step in group.steps)) for group in found] == groups


def test_options_and_limits_reach_the_plan() -> None:
    (_, group) = probes.groups_of([ONE], "full")
    plan = zygote.plan_for(10.0, True, (group,))
    (step,) = plan["groups"][0]["steps"]
    assert (step["limit_s"], step["options"]) == (9.0, {"x": 1})


def test_every_declared_probe_has_a_script_and_a_known_level() -> None:
    declared = [probe for module in registry.modules() for probe in getattr(module, "PROBES", ())]
    assert {"ring", "ring_edges"} <= {probe.name for probe in declared}
    assert len({probe.name for probe in declared}) == len(declared)
    for probe in declared:
        assert probe.level in ("quick", "full")
        assert (zygote.SCRIPTS / f"step_{probe.name}.py").is_file()
