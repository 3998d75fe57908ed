"""How probes ended, gathered: by what each says of its level, so that a new probe needs no list to be in."""

from __future__ import annotations

from derived import tables
from gpudoctor.knowledge.derive import probe_ends
from gpudoctor.model.fact import Fact, Facts, Reason, Unknown
from gpudoctor.probe.spec import all_probes


def gathered(**probes: tuple[str, object, dict[str, object]]) -> dict[str, object]:
    """name=(level, outcome, further facts) of each probe."""
    found: list[Fact] = []
    for name, (level, outcome, more) in probes.items():
        found += [Fact(f"probe.{name}.level", level), Fact(f"probe.{name}.outcome", outcome)]
        found += [Fact(f"probe.{name}.{key}", value) for key, value in more.items()]
    return {fact.key: fact.value for fact in probe_ends.derive(Facts(found), tables())}


def test_each_kind_of_end_has_its_list() -> None:
    found = gathered(
        anew=("quick", "failed", {"said": "RuntimeError: no\n  kernel image"}),
        bnew=("quick", "crashed", {"signal": "SIGSEGV"}),
        cnew=("quick", "timed_out", {}),
        dnew=("quick", "wrong_result", {"device": "cuda:1", "said": "off by 2"}),
        enew=("quick", "wrong_result", {"device": "cpu"}),
        fnew=("full", "crashed", {}),
        gnew=("quick", "passed", {}),
    )
    assert found["probe.any_ran"] is True
    assert found["probe.failed"] == ("anew: RuntimeError: no kernel image",)
    assert found["probe.crashed"] == ("bnew (SIGSEGV)",)
    assert found["probe.timed_out"] == ("cnew",)
    assert found["probe.wrong_on_gpu"] == ("dnew: off by 2",)
    assert found["probe.wrong_on_cpu"] == ("enew",)
    assert found["probe.full_not_passed"] == ("fnew (the process ended itself)",)


def test_where_none_came_to_an_end_all_is_unknown_for_its_reason() -> None:
    why = Unknown(Reason.NOT_INSTALLED, "torch is not installed")
    found = gathered(anew=("quick", why, {}), bnew=("full", "not_requested", {}))
    assert found["probe.any_ran"] is False
    assert {value for key, value in found.items() if key != "probe.any_ran"} == {why}
    assert gathered()["probe.failed"] == Unknown(Reason.NOT_REQUESTED, "no probe ran")


def test_every_probe_is_judged_by_the_shared_checks_or_says_that_it_has_its_own() -> None:
    shared = [one.name for one in all_probes() if any(spec.key.endswith(".level") for spec in one.common_facts())]
    alone = [one.name for one in all_probes() if one.judged_alone]
    assert sorted((*shared, *alone)) == sorted(one.name for one in all_probes())
    assert alone == ["ring", "ring_edges"]
