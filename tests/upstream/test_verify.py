"""The tables against an index on loopback, against kept metadata, and against what an installed torch would say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from derived import tables
from gpudoctor.upstream.compare import PACKAGES, compare, glibc_of, pythons_of, wanted_releases
from gpudoctor.upstream.index import Index, published
from gpudoctor.upstream.own_tables import compare_own
from gpudoctor.upstream.release import Metadata, Release, demands_of, of_data, wheel_of
from index_server import TORCH_TAGS, Shop, Wheels, serving
from index_server import small_shop as shop

KEPT = Path(__file__).resolve().parents[1] / "data" / "upstream" / "metadata.json"


def read(served: Shop, package: str, *versions: str) -> Metadata:
    return Index(served.url, "", most=50).read({package: versions})


@pytest.mark.parametrize("style", ["json", "html", "json_api"])
def test_what_agrees_agrees(style: str) -> None:
    with serving(shop(style=style)) as served:
        index = Index(served.url, "", most=50)
        metadata = index.read({"torch": ("2.8.0",), "torchvision": ("0.23.0",), "torchaudio": ("2.8.0",)})
    found = compare(metadata, tables())
    assert metadata.troubles == ()
    assert [str(item) for item in found.disagreements] == []
    assert found.missing == ()
    assert found.compared >= 12
    assert index.lookups == 6
    assert not [path for path in served.asked if path.endswith((".whl", ".gz"))]


@pytest.mark.parametrize(
    ("package", "change", "says"),
    [
        ("torch", {"requires_python": ">=3.10"}, "Requires-Python: the table says >=3.9.0, upstream >=3.10"),
        ("torch", {"tags": TORCH_TAGS[1:]}, "wheels for Python: the table says 3.9, 3.10"),
        ("torch", {"tags": [tag.replace("2_28", "2_34") for tag in TORCH_TAGS]}, "oldest glibc: the table says 2.28"),
        ("torch", {"demands": ["triton==3.4.1"]}, "triton: the table says ==3.4.0, upstream ==3.4.1"),
        ("torch", {"demands": ["nvidia-cuda-runtime-cu12==12.6.77"]}, "CUDA of the default build"),
        ("torch", {"demands": ["cuda-toolkit[cudart]==13.0.2"]}, "CUDA of the default build"),
        ("torch", {"demands": ["nvidia-cudnn-cu12==9.1.0.70"]}, "cuDNN of the default build"),
        ("torch", {"demands": ["nvidia-nccl-cu12 (==2.20.5)"]}, "NCCL of the default build"),
        ("torchvision", {"demands": ["torch==2.8.1"]}, "the torch it was made for"),
        ("torchaudio", {"demands": ["torch (==2.7.0)"]}, "what it demands of torch: the table says ==2.8.0"),
    ],
)
def test_a_difference_is_named(package: str, change: dict[str, object], says: str) -> None:
    served = shop()
    version = next(iter(served.packages[package]))
    for name, value in change.items():
        setattr(served.packages[package][version], name, value)
    with serving(served):
        found = compare(read(served, package, version), tables())
    assert any(says in str(item) for item in found.disagreements), [str(item) for item in found.disagreements]


def test_releases_that_the_tables_lack() -> None:
    served = shop()
    served.packages["torch"].update({"9.1.0": Wheels(TORCH_TAGS), "9.2.0rc1": Wheels(TORCH_TAGS)})
    served.packages["torch"]["9.3.0"] = Wheels(TORCH_TAGS, yanked=True)
    with serving(served):
        found = compare(read(served, "torch", "2.8.0"), tables())
    assert found.missing == (("torch", "9.1.0"),)


def test_one_bad_answer_costs_one_release() -> None:
    served = shop()
    served.packages["torchvision"]["0.22.1"] = Wheels(TORCH_TAGS, ["torch==2.7.1"], ">=3.9")
    served.broken["torchvision-0.23.0-cp310-cp310-manylinux_2_28_x86_64.whl.metadata"] = (500, b"")
    with serving(served):
        metadata = read(served, "torchvision", "0.22.1", "0.23.0")
    assert [item.version for item in metadata.releases] == ["0.22.1"]
    assert metadata.troubles == ("torchvision 0.23.0: HTTP status 500",)


def test_look_ups_are_bounded() -> None:
    served = shop()
    with serving(served):
        metadata = Index(served.url, "", most=1).read({"torch": ("2.8.0",)})
    assert len(served.asked) == 1
    assert "more than 1 look-ups" in metadata.troubles[0]


def test_kept_metadata_agrees_with_the_tables() -> None:
    """What the packages themselves said when it was last read, condensed; docs/rule-tables.md tells how to renew it."""
    metadata = of_data(json.loads(KEPT.read_text(encoding="utf-8")))
    found = compare(metadata, tables())
    assert [str(item) for item in found.disagreements] == []
    assert found.missing == ()
    assert len(metadata.releases) > 100
    assert found.compared > 300


def test_every_release_in_the_tables_was_looked_at() -> None:
    metadata = of_data(json.loads(KEPT.read_text(encoding="utf-8")))
    read_releases = {(item.package, item.version) for item in metadata.releases}
    for package, versions in wanted_releases(tables(), ("torch", "torchvision", "torchaudio")).items():
        for version in versions:
            if version in metadata.versions[package]:
                assert (package, version) in read_releases


def test_what_an_installed_torch_says_otherwise_is_named() -> None:
    said = {
        "version": "2.8.0+cu128",
        "cuda": "12.8",
        "machine": "x86_64",
        "arch_list": ["sm_90", "compute_90"],
        "devices": [90, 430],
        "verdicts": [["12.8", "x86_64", [80], 90, True]],
    }
    found, compared = compare_own(said, tables())
    assert {item.what for item in found} == {
        "whether a build for CUDA 12.8 (x86_64) runs on 9.0",
        "GPUs by compute capability",
        "architectures of this build",
    }
    assert compared == 4
    assert compare_own({}, tables()) == ([], 0)


def test_reading_names_and_demands() -> None:
    assert wheel_of("torch-2.8.0-cp312-cp312-manylinux_2_28_x86_64.whl") == (
        "2.8.0",
        "cp312-cp312-manylinux_2_28_x86_64",
    )
    assert wheel_of("torch-2.8.0%2Bcpu-1-cp312-cp312-linux_x86_64.whl") == ("2.8.0+cpu", "cp312-cp312-linux_x86_64")
    assert wheel_of("torch-2.8.0.tar.gz") is None
    lines = [
        'torch (==2.1.0) ; platform_system == "Windows"',
        "torch (==2.1.1)",
        'nvidia-nccl-cu12==2.1; platform_system == "Linux"',
    ]
    assert demands_of(lines) == {"torch": "==2.1.1", "nvidia-nccl-cu12": "==2.1"}
    assert pythons_of(
        ["cp310-cp310-manylinux1_x86_64", "cp37-cp37m-manylinux1_x86_64", "cp314-cp314t-linux_x86_64"]
    ) == (
        ("3.7", "3.10"),
        ("3.14t",),
    )
    assert glibc_of(["cp310-cp310-manylinux_2_28_x86_64"]) == "2.28"
    assert glibc_of(["cp310-cp310-manylinux1_x86_64"]) == ""
    assert published([{"filename": "torch-2.8.0+cu128-cp312-cp312-linux_x86_64.whl"}]) == ("2.8.0",)


def test_the_condensed_form_keeps_what_is_compared() -> None:
    release = Release("torch", "2.8.0", ">=3.9.0", {"triton": "==3.4.0"}, tuple(sorted(TORCH_TAGS)))
    metadata = Metadata({"torch": ("2.8.0",)}, (release,))
    assert of_data(json.loads(json.dumps(metadata.as_data()))) == metadata
    assert set(PACKAGES) == {"torch", "torchvision", "torchaudio", "vllm", "xformers"}
