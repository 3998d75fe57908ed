"""`gpudoctor check` from outside: its options, exit codes and text, and JSON that keeps to the published schema."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import document_of_failure, left_behind, recorded, surroundings

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "report-1.0.schema.json"
SICK, HEALTHY, NOTES = "gpu-with-cpu-wheel", "h100x2-driver580-cu130", "rtx4090-driver535-cu128"


def validated(document: object) -> dict:
    """The document, when it keeps to the schema."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    assert isinstance(document, dict)
    return document


def test_text_of_a_sick_machine(run) -> None:
    ended = run("check", "--from", recorded(SICK))
    assert ended.code == 1
    assert ended.out.startswith("✗ This environment cannot train: ")
    assert "gpudoctor explain wheel.cpu_only_build" in ended.out
    assert ended.err == ""


def test_text_of_a_healthy_machine(run) -> None:
    ended = run("check", "--from", recorded(HEALTHY))
    assert ended.code == 0
    assert ended.out.splitlines()[0].startswith("✓ This environment can train: torch 2.9.1+cu130 sees 2x NVIDIA H100")


@pytest.mark.parametrize("host", [SICK, HEALTHY, "jetson", "hgx-cuinit-802", "zero-byte-libcuda"])
def test_json_keeps_to_the_schema(run, host: str) -> None:
    ended = run("check", "--json", "--from", recorded(host))
    report = validated(ended.json)
    assert report["summary"]["exit_code"] == ended.code
    assert ended.err == ""


def test_json_of_this_machine_keeps_to_the_schema(run) -> None:
    ended = run("check", "--json", "--no-probes")
    report = validated(ended.json)
    assert report["target"]["kind"] == "live"
    assert ended.code == report["summary"]["exit_code"]
    assert not [one for one in report["runs"] if one["outcome"] not in ("completed", "skipped")]


def test_markdown(run) -> None:
    ended = run("check", "--markdown", "--from", recorded(SICK))
    assert (ended.code, ended.out.splitlines()[0][:13]) == (1, "### gpudoctor")


def test_output_goes_to_a_file_and_nowhere_else(run, tmp_path: Path) -> None:
    ended = run("check", "--json", "--output", "report.json", "--from", recorded(SICK))
    assert (ended.code, ended.out) == (1, "")
    assert validated(json.loads((tmp_path / "report.json").read_text()))["summary"]["exit_code"] == 1
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_report_is_judged_again_like_the_machine(run, tmp_path: Path) -> None:
    first = run("check", "--json", "--from", recorded("driver470-cu128"))
    (tmp_path / "report.json").write_text(first.out)
    again = run("check", "--json", "--from", "report.json")
    assert again.code == first.code
    assert again.json["findings"] == first.json["findings"]
    assert again.json["facts"] == first.json["facts"]
    assert again.json["target"]["kind"] == "document"


def test_what_is_asked_of_a_report_counts(run, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(run("check", "--json", "--from", recorded(HEALTHY)).out)
    ended = run("check", "--json", "--from", "report.json", "--expect-gpus", "8")
    assert ended.json["summary"]["primary"] == "container.fewer_gpus_than_expected"


@pytest.mark.parametrize(
    ("host", "limit", "code"),
    [
        (NOTES, "error", 0),
        (NOTES, "warning", 0),
        (NOTES, "note", 1),
        (NOTES, "never", 0),
        (SICK, "error", 1),
        (SICK, "never", 0),
        (HEALTHY, "note", 0),
    ],
)
def test_fail_on(run, host: str, limit: str, code: int) -> None:
    assert run("check", "--fail-on", limit, "--from", recorded(host)).code == code


@pytest.mark.parametrize(
    ("host", "asked", "primary"),
    [
        (HEALTHY, "2", ""),
        (HEALTHY, "any", ""),
        (HEALTHY, "8", "container.fewer_gpus_than_expected"),
        ("cpu-only-by-intent", "2", "container.no_gpu_passthrough"),
        ("cpu-only-by-intent", "0", ""),
        ("container-without-gpus", "none", ""),
    ],
)
def test_expect_gpus(run, host: str, asked: str, primary: str) -> None:
    ended = run("check", "--json", "--expect-gpus", asked, "--from", recorded(host))
    assert ended.json["summary"]["primary"] == primary
    assert ended.code == (1 if primary else 0)


def test_python_chooses_the_target(run) -> None:
    ended = run("check", "--json", "--no-redact", "--python", sys.executable)
    assert ended.json["target"]["interpreter"] == sys.executable
    assert ended.json["target"]["reason"] == "given with --python"


def test_an_active_environment_is_the_target(run, tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    ended = run("check", "--json", "--no-redact", env={"VIRTUAL_ENV": str(tmp_path / "env")})
    assert ended.json["target"]["interpreter"] == str(tmp_path / "env" / "bin" / "python")


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    [
        (("--expect-gpus", "many"), "usage", 2),
        (("--probes", "some"), "usage", 2),
        (("--no-such-option",), "usage", 2),
        (("--timeout", "-3"), "usage", 2),
        (("--from", recorded(SICK), "--output", "/no/such/folder/report.json"), "usage", 2),
        (("--from", "/no/such/machine"), "not_examined", 4),
        (("--from", "."), "not_examined", 4),
        (("--from", "/etc/hostname"), "not_examined", 4),
        (("--python", "/no/such/python"), "not_examined", 4),
        (("--python", "/bin/true"), "not_examined", 4),
        (("--python", "no-program-of-this-name"), "not_examined", 4),
    ],
)
def test_without_an_answer_there_is_a_document_that_says_why(run, arguments, kind: str, code: int) -> None:
    assert document_of_failure(run("check", "--json", *arguments), kind, code)
    text = run("check", *arguments)
    assert (text.code, text.out) == (code, "")
    assert text.err.startswith("gpudoctor: ")
    assert "Traceback" not in text.err


def test_rules_that_cannot_be_read_are_named(run, tmp_path: Path) -> None:
    folder = tmp_path / "rules" / "causes" / "mine"
    folder.mkdir(parents=True)
    (folder / "cause.toml").write_text("id = 3\n")
    ended = run("check", "--json", "--rules", str(tmp_path / "rules"), "--from", recorded(HEALTHY))
    assert "cause.toml" in document_of_failure(ended, "usage", 2)


def test_interrupting_ends_everything(command, tmp_path: Path) -> None:
    folder, begun = tmp_path / "packages" / "torch", tmp_path / "begun"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)")
    env = surroundings({"PYTHONPATH": str(folder.parent), "GPUDOCTOR_TEST_MARK": str(tmp_path)})
    with (tmp_path / "out").open("wb") as out:
        # A suite that runs in the background hands an ignored SIGINT down, and what is ignored stays ignored.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        child = subprocess.Popen([*command, "check", "--json"], stdout=out, env=env, cwd="/", preexec_fn=heeding)
        while not begun.exists() and child.poll() is None:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=60) == 130
    assert json.loads((tmp_path / "out").read_text())["error"]["kind"] == "interrupted"
    assert left_behind(str(tmp_path)) == []
