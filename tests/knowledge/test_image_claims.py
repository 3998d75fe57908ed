"""What published descriptions of five images claim, judged by the tables claim by claim.

Impossible pairs are named impossible, official ones official, doubtful ones unknown. Claims of the kind `outside` are
about something that no table of ours holds; they are listed so that nobody takes them for forgotten.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from derived import tables
from gpudoctor.knowledge import builds, rows
from gpudoctor.knowledge.floors import floor_of, serves
from gpudoctor.knowledge.gpu_names import capability_of, rows_for
from gpudoctor.knowledge.kernels import covers, machine_code
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version

V = Version.parse
IMAGES = json.loads((Path(__file__).resolve().parents[1] / "data/images/claims.json").read_text(encoding="utf-8"))
CLAIMS = [(image["image"], claim) for image in IMAGES for claim in image["claims"]]


def runs_on(torch: str, variant: str, gpu: str) -> Truth:
    row = builds.variant_row(V(torch), variant, tables())
    capability = capability_of(gpu, tables())
    assert row is not None
    assert capability is not None, gpu
    return covers(machine_code(rows.versions(row, "sm_x86_64") or ()), capability)


def judge_pair(claim: dict[str, Any]) -> None:
    torch = V(claim["torch"])
    verdict = builds.official(torch, claim["variant"], tables()) if builds.is_plain(torch) else builds.UNKNOWN
    assert verdict == claim["verdict"]


def judge_capability(claim: dict[str, Any]) -> None:
    found = {gpu: str(capability_of(gpu, tables())) for gpu in claim["gpus"]}
    assert found == claim["gpus"]
    is_right = set(found.values()) == {claim["claimed"]}
    assert claim["verdict"] == ("right" if is_right else "wrong for some")


def judge_covers(claim: dict[str, Any]) -> None:
    for gpu, expected in claim["gpus"].items():
        assert runs_on(claim["torch"], claim["variant"], gpu) is Truth.of(expected), gpu


def judge_python(claim: dict[str, Any]) -> None:
    row = builds.release_row(V(claim["torch"]), tables())
    assert row is not None
    assert (V(claim["python"]) in (rows.versions(row, "python") or ())) is claim["verdict"]


def judge_installer(claim: dict[str, Any]) -> None:
    row = tables()["cuda_driver"].find(cuda=claim["cuda"])
    assert row is not None
    assert (str(rows.version(row, "min_driver_linux")) == claim["driver"]) is claim["verdict"]


def judge_driver(claim: dict[str, Any]) -> None:
    for variant in claim["variants"]:
        row = builds.variant_row(V(claim["torch"]), variant, tables())
        assert row is not None
        cuda = rows.version(row, "cuda")
        assert cuda is not None
        assert serves(V(claim["driver"]), cuda, tables()) is Truth.of(claim["verdict"])
        floor = floor_of(cuda, tables())
        assert floor is not None
        assert floor.exact is not None
        assert floor.exact > V(claim["driver"])  # it runs by minor-version compatibility, and only so


def judge_branch(claim: dict[str, Any]) -> None:
    row = tables()["driver_branches"].find(branch=claim["branch"])
    assert row is not None
    ended = rows.text(row, "end_of_life")
    assert ended
    assert (ended > claim["on"]) is claim["verdict"]


def judge_cudnn(claim: dict[str, Any]) -> None:
    found = [row for row in tables()["torch_variants"].rows if rows.version(row, "torch") == V(claim["torch"])]
    majors = {version.major for row in found if (version := rows.version(row, "cudnn"))}
    assert majors
    assert (claim["major"] in majors) is claim["verdict"]


def judge_bf16(claim: dict[str, Any]) -> None:
    for gpu, expected in claim["gpus"].items():
        assert {rows.flag(row, "bf16") for row in rows_for(gpu, tables())} == {expected}, gpu


def judge_memory(claim: dict[str, Any]) -> None:
    (row,) = rows_for(claim["gpu"], tables())
    assert claim["gigabytes"] in (row["memory_gb"] if isinstance(row["memory_gb"], tuple) else (row["memory_gb"],))


def judge_outside(claim: dict[str, Any]) -> None:
    assert claim["why"]
    assert "verdict" not in claim


@pytest.mark.parametrize(("image", "claim"), CLAIMS, ids=[f"{image}: {claim['says']}" for image, claim in CLAIMS])
def test_a_claim_is_judged(image: str, claim: dict[str, Any]) -> None:
    globals()[f"judge_{claim['kind']}"](claim)


def test_every_image_has_claims_that_are_judged() -> None:
    assert len(IMAGES) == 5
    for image in IMAGES:
        assert sum(claim["kind"] != "outside" for claim in image["claims"]) >= 3
