"""`gpudoctor diff` and `check --from` a text, by the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gpudoctor.cli.main import run

DUMPS = Path(__file__).parents[1] / "intake" / "dumps"
SOUND, OLD = str(DUMPS / "vllm-boxes-quoted.txt"), str(DUMPS / "collect-env-old-driver.txt")


def test_a_difference_that_matters_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", SOUND, OLD]) == 1
    assert "torch.cuda_available" in capsys.readouterr().out


def test_json_has_the_same_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", SOUND, OLD, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    weights = [one["weight"] for one in document["differences"] if not one["one_sided"]]
    assert weights == sorted(weights, reverse=True)
    assert (document["left"], document["right"]) == ("vllm-boxes-quoted.txt", "collect-env-old-driver.txt")


def test_the_same_side_twice_is_a_wrong_question() -> None:
    assert run(["diff", SOUND, SOUND]) == 2


def test_a_side_that_is_not_there_cannot_be_examined() -> None:
    assert run(["diff", SOUND, "/no/such/file"]) == 4


def test_check_judges_a_dump_and_a_report_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--from", OLD, "--json"]) == 1
    first = capsys.readouterr().out
    (tmp_path / "report.json").write_text(first)
    assert run(["check", "--from", str(tmp_path / "report.json"), "--json"]) == 1
    assert capsys.readouterr().out == first


def test_check_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Piped:
        buffer = io.BytesIO(Path(SOUND).read_bytes())

    monkeypatch.setattr("sys.stdin", Piped())
    assert run(["check", "--from", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["verdict"] == "healthy"


def test_verbose_tells_what_was_not_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.txt"
    path.write_text("Is CUDA available: True\nxyzzy plugh\n")
    assert run(["check", "--from", str(path), "--verbose"]) == 0
    assert "xyzzy plugh" in capsys.readouterr().out


def test_markdown_of_a_dump_is_redacted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.txt"
    path.write_text(
        "ImportError: /home/jdoe/env/lib/x.so: undefined symbol: _ZN3c104cuda\n"
        "hf_token=hf_abcdefghijklmnopqrstuvwxyz012345\n"
    )
    run(["check", "--from", str(path), "--markdown"])
    page = capsys.readouterr().out
    assert "jdoe" not in page
    assert "hf_abcdefghijklmnop" not in page
    assert page.startswith("### gpudoctor: ")


def test_an_empty_file_cannot_be_examined(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    assert run(["check", "--from", str(tmp_path / "empty")]) == 4
