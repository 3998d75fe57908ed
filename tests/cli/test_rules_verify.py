"""`gpudoctor rules verify` from outside, against an index on loopback: what it prints, keeps and survives."""

from __future__ import annotations

from pathlib import Path

import pytest

from index_server import serving
from index_server import small_shop as shop

NO_PROXY = {"no_proxy": "127.0.0.1", "PIP_CERT": "", "SSL_CERT_FILE": ""}
READ_TORCH = ("rules", "verify", "--package", "torch", "--index-url")


def test_the_command(run, tmp_path: Path) -> None:
    served = shop()
    served.packages["torch"]["2.8.0"].requires_python = ">=3.11"
    kept = tmp_path / "kept.json"
    with serving(served):
        ended = run(
            "rules",
            "verify",
            "--index-url",
            served.url,
            "--package",
            "torch",
            "--json",
            "--save",
            str(kept),
            env=NO_PROXY,
        )
    assert ended.code == 1
    assert [item["what"] for item in ended.json["disagreements"]] == [
        "Requires-Python",
        "Pythons that Requires-Python admits",
    ]
    again = run("rules", "verify", "--from", str(kept))
    assert again.code == 1
    assert "torch 2.8.0: Requires-Python: the table says >=3.9.0, upstream >=3.11" in again.out


def test_what_is_known_is_not_asked_again(run, tmp_path: Path) -> None:
    served = shop()
    kept = tmp_path / "kept.json"
    with serving(served):
        run(*READ_TORCH, served.url, "--newest", "0", "--save", str(kept), env=NO_PROXY)
        served.asked.clear()
        again = run(*READ_TORCH, served.url, "--known", str(kept), "--save", str(kept), "--json", env=NO_PROXY)
    assert served.asked == ["/simple/torch/"]
    assert (again.code, again.json["lookups"], again.json["disagreements"]) == (0, 1, [])


def test_an_index_that_does_not_answer(run) -> None:
    ended = run(
        "rules", "verify", "--index-url", "http://127.0.0.1:9/simple", "--package", "torch", "--json", env=NO_PROXY
    )
    assert ended.code == 4
    assert "did not answer" in ended.json["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"files": 3}', b"\xff\xfe\x00", b'{"files": [{"filename": 3}]}'])
def test_a_page_that_is_none(run, body: bytes) -> None:
    served = shop()
    served.broken["/simple/torch/"] = (200, body)
    with serving(served):
        ended = run(*READ_TORCH, served.url, env=NO_PROXY)
    assert ended.code in (0, 4)
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "packages": {"torch": 3}}'])
def test_a_file_that_is_none(run, tmp_path: Path, text: str) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(text)
    ended = run("rules", "verify", "--from", str(kept))
    assert ended.code == 4
    assert "cannot be used" in ended.err


def test_an_address_that_is_none(run) -> None:
    ended = run(*READ_TORCH, "file:///etc")
    assert ended.code == 2


@pytest.mark.torch
def test_the_installed_torch_agrees(run, torch_python: str, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.json"
    nothing.write_text('{"format": 1, "packages": {}}')
    ended = run("rules", "verify", "--from", str(nothing), "--python", torch_python, "--json")
    assert ended.json["torch"].startswith("2.")
    assert ended.json["disagreements"] == []
    assert ended.json["compared"]["values"] > 100
