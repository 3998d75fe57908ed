"""The tables against an index on loopback, against kept metadata, and against what an installed torch would say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from derived import tables
from gpudoctor.upstream.compare import PACKAGES, compare, wanted_releases
from gpudoctor.upstream.index import Index, published
from gpudoctor.upstream.own_tables import compare_own
from gpudoctor.upstream.pythons import glibc_of, pythons_of, serves
from gpudoctor.upstream.release import Metadata, Release, demands_of, of_data, wheel_of
from index_server import TORCH_TAGS, Shop, Wheels, serving
from index_server import small_shop as shop

KEPT = Path(__file__).resolve().parents[1] / "data" / "upstream" / "metadata.json"


def read(served: Shop, package: str, *versions: str) -> Metadata:
    return Index(served.url, "", most=50).read({package: versions})


@pytest.mark.parametrize(("style", "lookups"), [("json", 6), ("html", 6), ("json_api", 9), ("mirror", 6)])
def test_what_agrees_agrees(style: str, lookups: int) -> None:
    with serving(shop(style=style)) as served:
        index = Index(served.url, "", most=50)
        metadata = index.read({"torch": ("2.8.0",), "torchvision": ("0.23.0",), "torchaudio": ("2.8.0",)})
    found = compare(metadata, tables())
    assert metadata.troubles == ()
    assert [str(item) for item in found.disagreements] == []
    assert found.missing == ()
    assert found.compared >= 18
    assert index.lookups == lookups
    assert not [path for path in served.asked if path.endswith((".whl", ".gz"))]


@pytest.mark.parametrize(
    ("package", "change", "says"),
    [
        ("torch", {"requires_python": ">=3.10"}, "Requires-Python: the table says >=3.9.0, upstream >=3.10"),
        ("torch", {"requires_python": ""}, "Requires-Python: the table says >=3.9.0, upstream none"),
        (
            "torch",
            {"requires_python": ">=3.9,<3.13"},
            "Requires-Python admits: the table says 3.9, 3.10, 3.11, 3.12, 3.13, upstream 3.9, 3.10, 3.11, 3.12",
        ),
        (
            "torch",
            {"requires_python": "==2.7"},
            "Pythons that Requires-Python admits: the table says 3.9, 3.10, 3.11, ",
        ),
        ("torch", {"tags": TORCH_TAGS[1:]}, "wheels for Python: the table says 3.9, 3.10"),
        ("torch", {"tags": TORCH_TAGS}, "free-threaded wheels: the table says 3.13t, upstream none"),
        (
            "torch",
            {"tags": ["cp314-cp314t-win_amd64"]},
            "wheels for Python: the table says 3.9, 3.10, 3.11, 3.12, 3.13",
        ),
        (
            "torch",
            {"tags": [tag.replace("manylinux_2_28", "manylinux2014") for tag in TORCH_TAGS]},
            "platform of the Linux wheel: the table says manylinux_2_28_x86_64, upstream manylinux2014_x86_64",
        ),
        (
            "torchvision",
            {"tags": TORCH_TAGS},
            "wheels for the Pythons of torch 2.8.0: the table says 3.9, 3.10, 3.11, ",
        ),
        ("torchvision", {"requires_python": ">=3.10"}, "3.13t, upstream 3.10, 3.11, 3.12, 3.13, 3.13t"),
        ("torchaudio", {"demands": []}, "what it demands of torch: the table says ==2.8.0, upstream none"),
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


@pytest.mark.parametrize(
    ("package", "version", "wheels", "says"),
    [
        ("vllm", "0.33.0", Wheels(["cp38-abi3-manylinux_2_28_x86_64"], ["torch==2.13.0"], "<3.15,>=3.11"), "==2.14.0"),
        ("vllm", "0.33.0", Wheels(["cp38-abi3-manylinux_2_28_x86_64"], ["torch==2.14.0"], ">=3.9"), "<3.15,>=3.11"),
        ("xformers", "0.0.35", Wheels(["py39-none-manylinux_2_34_x86_64"], ["torch>=2.10"], ">=3.9"), "manylinux_2_28"),
        ("xformers", "0.0.35", Wheels(["py39-none-manylinux_2_28_x86_64"], ["torch==2.10"], ">=3.9"), ">=2.10"),
    ],
)
def test_a_difference_of_a_package_that_pins_torch(package: str, version: str, wheels: Wheels, says: str) -> None:
    served = Shop({package: {version: wheels}})
    with serving(served):
        found = compare(read(served, package, version), tables())
    assert [f"the table says {says}" in str(item) for item in found.disagreements].count(True) == 1


def test_releases_that_the_tables_lack() -> None:
    served = shop()
    served.packages["torch"].update({"9.1.0": Wheels(TORCH_TAGS), "9.2.0rc1": Wheels(TORCH_TAGS)})
    served.packages["torch"]["9.3.0"] = Wheels(TORCH_TAGS, yanked=True)
    with serving(served):
        found = compare(read(served, "torch", "2.8.0"), tables())
    assert found.missing == (("torch", "9.1.0"),)


def test_one_bad_answer_costs_one_release_its_demands() -> None:
    served = shop()
    served.packages["torchvision"]["0.22.1"] = Wheels(TORCH_TAGS, ["torch==2.7.1"], ">=3.9")
    served.broken["torchvision-0.23.0-cp310-cp310-manylinux_2_28_x86_64.whl.metadata"] = (500, b"")
    with serving(served):
        metadata = read(served, "torchvision", "0.22.1", "0.23.0")
    assert [(item.version, item.requires_python, item.demands is None) for item in metadata.releases] == [
        ("0.22.1", ">=3.9", False),
        ("0.23.0", ">=3.9", True),
    ]
    assert metadata.troubles == ("torchvision 0.23.0: HTTP status 500",)


def test_a_mirror_that_serves_the_page_of_the_newest_release_alone() -> None:
    """Its page is taken for the release that it names, and for no other; and never where a source archive may be what
    it describes."""
    served = shop(style="mirror")
    served.packages["torchvision"] = {"0.22.1": Wheels(TORCH_TAGS, ["torch==2.7.1"]), **served.packages["torchvision"]}
    served.broken[".metadata"] = (404, b"")
    with serving(served):
        metadata = read(served, "torchvision", "0.22.1", "0.23.0")
        served.packages["torchvision"]["0.23.0"].has_sdist = True
        with_archive = read(served, "torchvision", "0.23.0")
    assert [item.demands and item.demands["torch"] for item in metadata.releases] == [None, "==2.8.0"]
    assert metadata.troubles == ("torchvision 0.22.1: the index serves neither its metadata nor its JSON page",)
    assert with_archive.troubles == ("torchvision 0.23.0: the index serves no metadata of its wheels",)
    assert with_archive.releases[0].requires_python == ">=3.9"


def test_of_what_is_known_only_the_lists_are_read_again() -> None:
    served = shop()
    with serving(served):
        first = read(served, "torch", "2.8.0")
        served.packages["torch"]["2.8.0"].requires_python = ">=3.10"
        served.asked.clear()
        known = {(item.package, item.version): item for item in first.releases}
        again = Index(served.url, "", most=50).read({"torch": ("2.8.0",)}, known)
    assert served.asked == ["/simple/torch/"]
    assert again.releases[0].demands == first.releases[0].demands
    assert [str(item) for item in compare(again, tables()).disagreements] == [
        "torch 2.8.0: Requires-Python: the table says >=3.9.0, upstream >=3.10",
        "torch 2.8.0: Pythons that Requires-Python admits: the table says 3.9, 3.10, 3.11, 3.12, 3.13, "
        "upstream 3.10, 3.11, 3.12, 3.13",
    ]


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
    assert found.compared > 600
    unread = [
        item.version for item in metadata.releases if item.requires_python is None and item.package != "torchaudio"
    ]
    assert unread == []
    assert all(item.tags for item in metadata.releases)


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


@pytest.mark.parametrize(
    ("tag", "requires", "python", "serving_it"),
    [
        ("cp312-cp312-manylinux_2_28_x86_64", "", "3.12", True),
        ("cp312-cp312-manylinux_2_28_x86_64", "", "3.11", False),
        ("cp312-cp312-win_amd64", "", "3.12", False),
        ("cp312-cp312-manylinux_2_28_aarch64", "", "3.12", False),
        ("cp313-cp313t-manylinux_2_28_x86_64", "", "3.13", False),
        ("cp313-cp313t-manylinux_2_28_x86_64", "", "3.13t", True),
        ("cp38-abi3-manylinux_2_28_x86_64", "<3.15,>=3.11", "3.14", True),
        ("cp38-abi3-manylinux_2_28_x86_64", "<3.15,>=3.11", "3.10", False),
        ("cp38-abi3-manylinux_2_28_x86_64", "", "3.14t", False),
        ("py3-none-manylinux_2_28_x86_64", ">=3.10,!=3.14.1", "3.14", True),
        ("py3-none-manylinux_2_28_x86_64", ">=3.10", "3.14t", True),
        ("py39-none-manylinux_2_28_x86_64", "", "3.8", False),
        ("py2.py3-none-any", ">=3.7.1", "3.7", True),
        ("py2-none-any", "", "3.12", False),
    ],
)
def test_which_python_a_wheel_serves(tag: str, requires: str, python: str, serving_it: bool) -> None:
    assert serves([tag], requires, python) is serving_it


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
