"""`gpudoctor wheel` from outside: the published examples, the JSON, wrong input, and what it looks at."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from commands import document_of_failure, recorded

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "choosing-a-wheel.md"
EXAMPLES = re.findall(r"```console\n\$ gpudoctor (.+)\n((?:.*\n)+?)```", GUIDE.read_text(encoding="utf-8"))
MACHINE = ("--driver", "535.104", "--gpu", "RTX 4090", "--python", "3.12")


@pytest.mark.parametrize(("line", "printed"), EXAMPLES, ids=[line for line, _ in EXAMPLES])
def test_the_guide_shows_what_is_printed(run, line: str, printed: str) -> None:
    assert run(*shlex.split(line)).out == printed


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 3


def test_json(run) -> None:
    ended = run("wheel", *MACHINE, "--torch", "2.8", "--json")
    assert (ended.code, ended.err) == (0, "")
    answer = ended.json
    assert (answer["best"]["torch"], answer["best"]["variant"]) == ("2.8.0", "cu129")
    pip, uv = answer["best"]["commands"]
    assert pip.startswith("pip install torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0 --index-url ")
    assert uv.startswith("uv pip install torch==2.8.0")
    assert [item["variant"] for item in answer["alternatives"]] == ["cu128", "cu126"]
    assert answer["asked"]["gpus"] == [{"name": "RTX 4090", "compute_capability": "8.9"}]
    assert set(answer["asked"]["sources"].values()) <= {"given", "found here", "not known"}


def test_json_of_an_impossible_pair(run) -> None:
    ended = run("wheel", *MACHINE, "--torch", "2.7", "--cuda", "12.1", "--json")
    assert ended.code == 1
    answer = ended.json
    assert answer["best"] is None
    assert answer["pair"]["verdict"] == "impossible"
    assert [(item["torch"], item["variant"]) for item in answer["pair"]["nearest"]] == [
        ("2.7.1", "cu128"),
        ("2.5.1", "cu121"),
    ]


def test_a_doubtful_pair_is_called_neither_official_nor_impossible(run) -> None:
    ended = run("wheel", *MACHINE, "--torch", "2.9.1+cu129", "--json")
    assert ended.json["pair"]["verdict"] == "unknown"
    assert ended.json["best"] is None
    assert "not certain" in run("wheel", *MACHINE, "--torch", "2.9.1+cu129").out


def test_an_official_pair(run) -> None:
    ended = run("wheel", *MACHINE, "--torch", "2.5", "--cuda", "12.1", "--json")
    assert ended.code == 0
    assert ended.json["pair"]["verdict"] == "official"
    assert (ended.json["best"]["torch"], ended.json["best"]["variant"]) == ("2.5.1", "cu121")


def test_partners_without_a_wheel_for_this_python_are_left_out(run) -> None:
    """torch 2.5 has wheels for Python 3.13, its partners have none: naming them would make the command fail."""
    asked = ("wheel", "--driver", "580.95.05", "--gpu", "A100", "--torch", "2.5", "--json", "--python")
    without, whole = run(*asked, "3.13"), run(*asked, "3.12")
    assert without.json["best"]["torchvision"] is None
    assert without.json["best"]["left_out"] == "its torchvision and torchaudio have no wheel for Python 3.13"
    assert "torchvision" not in without.json["best"]["commands"][0]
    assert "torchvision==0.20.1" in whole.json["best"]["commands"][0]
    assert whole.json["best"]["left_out"] is None


def test_a_later_torchaudio_is_named_where_none_was_made_for_the_release(run) -> None:
    asked = ("wheel", "--driver", "580.95.05", "--gpu", "A100", "--python", "3.12", "--torch")
    ended = run(*asked, "2.13", "--cuda", "13.0")
    assert "torchaudio 2.11.1 accepts it (torch>=2.11)" in ended.out
    assert "torchaudio" not in ended.out.partition("pip install")[2].partition("\n")[0]


def test_every_rejected_build_has_its_reason(run) -> None:
    ended = run("wheel", "--driver", "390.25", "--gpu", "Tesla K80", "--python", "3.14", "--json")
    assert ended.code == 1
    assert ended.json["best"] is None
    assert len(ended.json["rejected"]) > 50
    assert all(item["reason"] for item in ended.json["rejected"])


def test_what_is_not_given_is_taken_from_the_machine(run) -> None:
    ended = run("wheel", "--from", recorded("rtx4090-driver535-cu128"), "--json")
    assert ended.code == 0
    assert ended.json["asked"]["driver"].startswith("535")
    assert ended.json["asked"]["gpus"][0]["compute_capability"] == "8.9"
    assert set(ended.json["asked"]["sources"].values()) == {"found here"}
    assert ended.json["best"]["commands"][0].startswith("pip uninstall -y torch")


def test_a_given_driver_makes_it_another_machine(run) -> None:
    ended = run("wheel", "--from", recorded("h100x2-driver580-cu130"), "--driver", "535.104", "--json")
    assert ended.json["asked"]["sources"]["driver"] == "given"
    assert ended.json["asked"]["glibc"] is None
    assert ended.json["best"]["variant"] == "cu126"


def test_wsl_has_the_floors_of_windows(run) -> None:
    found = run("wheel", "--from", recorded("wsl2"), "--json")
    assert found.json["best"]["min_driver"] == "527.41"
    given = run("wheel", "--platform", "wsl", "--driver", "527.30", "--gpu", "RTX 3080", "--python", "3.11", "--json")
    assert given.json["best"]["variant"] == "cu118"


def test_a_machine_without_gpu_gets_the_build_without_cuda(run) -> None:
    ended = run("wheel", "--from", recorded("cpu-only-by-intent"), "--json")
    assert ended.code == 0
    assert ended.json["best"]["variant"] == "cpu"
    assert ended.json["best"]["index_url"].endswith("/whl/cpu")
    assert "No NVIDIA driver or GPU" in ended.json["remark"]


def test_a_jetson_board_is_told_so(run) -> None:
    ended = run("wheel", "--from", recorded("jetson"))
    assert ended.code == 1
    assert "Jetson" in ended.out


def test_a_gpu_may_be_a_capability_or_a_bare_model_number(run) -> None:
    for gpu in ("8.9", "sm_89", "4090", "NVIDIA GeForce RTX 4090"):
        ended = run("wheel", "--driver", "535.104", "--gpu", gpu, "--python", "3.12", "--json")
        assert ended.json["asked"]["gpus"][0]["compute_capability"] == "8.9", gpu


def test_all_gpus_must_be_served(run) -> None:
    ended = run("wheel", "--driver", "580.95", "--gpu", "V100", "--gpu", "RTX 5090", "--python", "3.12", "--json")
    best = ended.json["best"]
    assert (best["torch"], best["variant"]) == ("2.10.0", "cu128")  # the last build with code for 7.0 and 12.0


def test_a_branch_stands_for_its_newest_driver(run) -> None:
    ended = run("wheel", "--driver", "580", "--gpu", "H100", "--python", "3.12", "--json")
    assert ended.json["best"]["cuda"].startswith("13.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--gpu", "RTX 9999"), "No GPU is known as"),
        (("--driver", "new"), "--driver takes a version such as"),
        (("--python", "three"), "--python takes a version such as"),
        (("--torch", "nightly"), "--torch takes a version such as"),
        (("--cuda", "rocm6"), "--cuda takes a CUDA version"),
        (("--from", "nowhere"), "not the folder of a recorded machine"),
    ],
)
def test_wrong_input_is_a_clear_error(run, arguments: tuple[str, ...], says: str) -> None:
    message = document_of_failure(run("wheel", *arguments, "--json"), "usage", 2)
    assert says in message


def test_a_release_that_nobody_knows_yet(run) -> None:
    ended = run("wheel", *MACHINE, "--torch", "9.9")
    assert ended.code == 1
    assert "these tables end with" in ended.out


def test_nothing_is_looked_at_when_all_is_given(run, tmp_path) -> None:
    """A stand-in for nvidia-smi and an interpreter that would tell: nothing of the kind is started."""
    mark = tmp_path / "started"
    fake = tmp_path / "python3"
    fake.write_text(f"#!/bin/sh\ntouch {mark}\n")
    fake.chmod(0o755)
    ended = run("wheel", *MACHINE, "--json", env={"VIRTUAL_ENV": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert ended.code == 0
    assert not mark.exists()
    assert json.loads(ended.out)["asked"]["glibc"] is None
