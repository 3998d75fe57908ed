"""Findings with their evidence, what explains what, chains, the primary finding and the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.knowledge import evaluate
from gpudoctor.knowledge.evaluate import Judgement, judge
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.errors import GpudoctorError
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.model.finding import Finding, Kind
from mini_rules import SPECS, bend, catalogue, copy_to, facts, version

DENIED = Unknown(Reason.PERMISSION_DENIED, "EACCES on /dev/nvidiactl")
OLD = {
    "driver__version": version("470.57.02"),
    "torch__cuda_version": version("12.4"),
    "cuda__min_driver": version("525.60.13"),
}
NEW = {**OLD, "driver__version": version("550.54.14")}


def said(judgement: Judgement, check: str) -> list[Finding]:
    return [finding for finding in judgement.findings if finding.check == check]


def test_a_failure_has_message_evidence_remedies_and_references() -> None:
    (finding,) = said(judge(catalogue(), facts(**OLD)), "driver-too-old")
    assert finding.kind is Kind.FAIL
    assert finding.title == "Driver too old"
    assert finding.message == "Driver 470.57.02 is older than 525.60.13, which CUDA 12.4 needs."
    assert finding.evidence == (
        Evidence("driver.version", "470.57.02"),
        Evidence("cuda.min_driver", "525.60.13"),
        Evidence("torch.cuda_version", "12.4"),
    )
    assert [remedy.text for remedy in finding.remedies] == ["Update the driver."]
    assert [reference.accessed for reference in finding.references] == ["2026-11-20", "2026-11-19"]


def test_a_remedy_is_filled_once_its_facts_are_known() -> None:
    (finding,) = said(judge(catalogue(), facts(**OLD, driver__cuda_version=version("11.4"))), "driver-too-old")
    assert finding.remedies[0].text == "Take a build for CUDA 11.4."


def test_pass_unknown_and_not_applicable() -> None:
    rules = catalogue()
    (passed,) = said(judge(rules, facts(**NEW)), "driver-too-old")
    assert (passed.kind, passed.message, passed.remedies) == (Kind.PASS, "", ())
    (blocked,) = said(judge(rules, facts(**{**OLD, "driver__version": DENIED})), "driver-too-old")
    assert (blocked.kind, blocked.blocked_by) == (Kind.UNKNOWN, ("driver.version",))
    assert blocked.message == "Not decided: driver.version is unknown (permission_denied: EACCES on /dev/nvidiactl)."
    (idle,) = said(judge(rules, facts(torch__cuda_version=Unknown(Reason.NOT_APPLICABLE, "CPU"))), "driver-too-old")
    assert idle.kind is Kind.NOT_APPLICABLE
    assert idle.evidence == (Evidence("torch.cuda_version", "unknown (not_applicable: CPU)"),)


def test_an_open_condition_names_the_facts_that_leave_it_open() -> None:
    (finding,) = said(judge(catalogue(), facts(gpu__expected=DENIED)), "cuda-not-available")
    assert finding.kind is Kind.UNKNOWN
    assert finding.blocked_by == ("gpu.expected", "torch.cuda_available")


def test_what_certainly_does_not_fail_has_passed_whether_or_not_it_was_due() -> None:
    (finding,) = said(judge(catalogue(), facts(gpu__expected=DENIED, torch__cuda_available=True)), "cuda-not-available")
    assert finding.kind is Kind.PASS
    assert finding.evidence == (Evidence("torch.cuda_available", "true"),)


def test_each_gpu_is_judged_by_its_own_element() -> None:
    world = facts(gpu__count=3, gpu__names=("A", "B", "C"), gpu__temperature_celsius=(95, DENIED, 40))
    findings = said(judge(catalogue(), world), "gpu-hot")
    assert [(one.subject, one.kind) for one in findings] == [
        ("gpu:0", Kind.FAIL),
        ("gpu:1", Kind.UNKNOWN),
        ("gpu:2", Kind.PASS),
    ]
    assert findings[0].message == "GPU 0 (A) is at 95 degrees."
    assert findings[0].evidence == (Evidence("gpu.temperature_celsius[0]", "95"), Evidence("gpu.names[0]", "A"))
    assert findings[1].blocked_by == ("gpu.temperature_celsius",)
    assert "EACCES" in findings[1].message


@pytest.mark.parametrize(
    ("world", "kinds"),
    [
        ({"gpu__count": 0}, [("machine", Kind.NOT_APPLICABLE)]),
        ({}, [("machine", Kind.UNKNOWN)]),
        ({"gpu__count": DENIED}, [("machine", Kind.UNKNOWN)]),
        ({"gpu__count": 10**9}, [("machine", Kind.UNKNOWN)]),
        ({"gpu__count": -1}, [("machine", Kind.UNKNOWN)]),
        ({"gpu__count": 2}, [("gpu:0", Kind.UNKNOWN), ("gpu:1", Kind.UNKNOWN)]),
        ({"gpu__temperature_celsius": (91, 20)}, [("gpu:0", Kind.FAIL), ("gpu:1", Kind.PASS)]),
        ({"gpu__count": 1, "gpu__temperature_celsius": (20, 91)}, [("gpu:1", Kind.FAIL), ("gpu:0", Kind.PASS)]),
        ({"gpu__count": 2, "gpu__temperature_celsius": (20,)}, [("gpu:1", Kind.UNKNOWN), ("gpu:0", Kind.PASS)]),
    ],
)
def test_how_many_gpus_are_judged(world, kinds) -> None:
    assert [(one.subject, one.kind) for one in said(judge(catalogue(), facts(**world)), "gpu-hot")] == kinds


def test_gpus_are_ordered_by_number_and_not_by_letter() -> None:
    findings = said(judge(catalogue(), facts(gpu__temperature_celsius=(99,) * 11)), "gpu-hot")
    assert [one.subject for one in findings] == [f"gpu:{number}" for number in range(11)]


def test_a_root_explains_what_follows_from_it_even_far() -> None:
    cold = {"gpu__count": 1, "gpu__temperature_celsius": (5,)}
    judgement = judge(catalogue(), facts(**OLD, **cold, torch__cuda_available=False))
    assert [(one.check, one.explained_by) for one in judgement.findings if one.kind is Kind.FAIL] == [
        ("driver-too-old", ""),
        ("cuda-not-available", "driver-too-old"),
        ("gpu-idle", "driver-too-old"),
    ]
    assert judgement.primary == "driver-too-old"
    assert judgement.health is Health.BROKEN


def test_a_passing_check_explains_nothing() -> None:
    judgement = judge(catalogue(), facts(**NEW, gpu__count=1, torch__cuda_available=False))
    assert judgement.primary == "cuda-not-available"
    assert said(judgement, "cuda-not-available")[0].explained_by == ""


def test_what_ails_one_gpu_does_not_explain_its_neighbour(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "causes/gpu/hot.toml", 'meaning = "It', 'explains = ["gpu.idle"]\nmeaning = "It')
    judgement = judge(catalogue(root), facts(gpu__temperature_celsius=(95, 5)))
    assert said(judgement, "gpu-idle")[0].explained_by == ""
    bend(root, "checks/gpu/gpu-idle.toml", 'op = "lt"\nvalue = 20', 'op = "ge"\nvalue = 95')
    judgement = judge(catalogue(root), facts(gpu__temperature_celsius=(95, 5)))
    assert said(judgement, "gpu-idle")[0].explained_by == "gpu-hot"


def test_a_chain_is_walked_to_its_first_broken_link() -> None:
    world = facts(**OLD, gpu__count=1, gpu__temperature_celsius=(40,), torch__cuda_available=False)
    (chain,) = judge(catalogue(), world).chains
    assert chain.broken_at == "driver-too-old"
    assert chain.links == (
        ("gpu-hot", Kind.PASS),
        ("driver-too-old", Kind.FAIL),
        ("cuda-not-available", Kind.FAIL),
    )
    assert judge(catalogue(), facts(**OLD, torch__cuda_available=True)).chains == ()
    assert judge(catalogue(), facts(**OLD)).chains == ()


def test_an_earlier_link_comes_before_a_surer_check(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    bend(root, "causes/driver/too_old.toml", '"torch.no_cuda"', "")
    world = facts(**OLD, gpu__count=1, torch__cuda_available=False)
    assert judge(catalogue(root), world).primary == "driver-too-old"
    bend(root, "chains/cuda.toml", '"gpu-hot", "driver-too-old", "cuda-not-available"', '"cuda-not-available"')
    assert judge(catalogue(root), world).primary == "cuda-not-available"


@pytest.mark.parametrize(
    ("world", "health"),
    [
        ({}, Health.UNDECIDED),
        ({"gpu__expected": False}, Health.UNDECIDED),
        ({"gpu__expected": False, "torch__installed": True}, Health.UNDECIDED),
        ({"gpu__expected": False, "torch__installed": False}, Health.HEALTHY),
        ({"gpu__expected": False, "torch__cuda_available": False}, Health.HEALTHY),
        ({"gpu__expected": True}, Health.UNDECIDED),
        ({"gpu__expected": DENIED}, Health.UNDECIDED),
        ({"gpu__expected": True, "torch__cuda_available": True, **NEW}, Health.HEALTHY),
        ({"torch__cuda_available": True, **NEW, "driver__version": DENIED}, Health.HEALTHY),
        ({"torch__cuda_available": DENIED, "gpu__expected": True, **NEW}, Health.UNDECIDED),
        ({"torch__cuda_available": True, **OLD}, Health.BROKEN),
        ({"gpu__expected": False, "gpu__temperature_celsius": (95,)}, Health.DEGRADED),
        ({"gpu__expected": True, "gpu__temperature_celsius": (95,)}, Health.DEGRADED),
        ({"torch__cuda_available": True, **NEW, "gpu__temperature_celsius": (5,)}, Health.HEALTHY),
    ],
)
def test_health(world, health: Health) -> None:
    assert judge(catalogue(), facts(**world)).health is health


def test_a_note_is_never_primary() -> None:
    assert judge(catalogue(), facts(torch__cuda_available=True, gpu__temperature_celsius=(5,))).primary == ""


def test_a_rule_that_breaks_is_named_and_ends_the_judgement() -> None:
    with pytest.raises(GpudoctorError, match="check driver-too-old broke: AttributeError"):
        judge(catalogue(), facts(**{**OLD, "driver__version": 470}))


def test_the_order_of_facts_and_files_does_not_matter(tmp_path: Path) -> None:
    world = {**OLD, "gpu__count": 1, "torch__cuda_available": False, "gpu__temperature_celsius": (95, DENIED)}
    assert judge(catalogue(), facts(**world)) == judge(catalogue(), facts(**dict(reversed(list(world.items())))))
    assert judge(catalogue(), facts(**world)) == judge(catalogue(copy_to(tmp_path)), facts(**world))


def test_nothing_known_gives_no_failure() -> None:
    kinds = {finding.kind for finding in judge(catalogue(), Facts()).findings}
    assert kinds <= {Kind.UNKNOWN, Kind.NOT_APPLICABLE}
    assert SPECS
    assert evaluate.CUDA_AVAILABLE in SPECS
