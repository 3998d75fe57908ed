"""explain-exit, explain, facts and rules from outside; help for every command; every documented exit code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from commands import document_of_failure, recorded
from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SICK = recorded("gpu-with-cpu-wheel")
CODES = (
    "139",
    "137",
    "127",
    "126",
    "125",
    "134",
    "135",
    "143",
    "1",
    "SIGKILL",
    "OOMKilled",
    "0:9",
    "0xC0000005",
    "sigbus",
)


@pytest.mark.parametrize("code", CODES)
def test_explain_exit(run, code: str) -> None:
    ended = run("explain-exit", "--no-local", code)
    assert ended.code == 0
    assert len(ended.out.splitlines()) > 5
    assert ended.err == ""


def test_explain_exit_of_a_negative_status(run) -> None:
    assert "SIGSEGV" in run("explain-exit", "--no-local", "--", "-11").out
    assert run("explain-exit", "--no-local", "-11").code == 0


@pytest.mark.parametrize("code", ["", " "])
def test_an_empty_status_is_a_wrong_command_line(run, code: str) -> None:
    assert run("explain-exit", "--no-local", code).code == Exit.USAGE


def test_nothing_failed(run) -> None:
    assert run("explain-exit", "--no-local", "0").code == 0


def test_explain_exit_as_json_keeps_to_the_schema(run) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "schema" / "explain-1.0.schema.json").read_text())
    for code in CODES:
        document = run("explain-exit", "--json", "--no-local", code).json
        jsonschema.Draft202012Validator(schema).validate(document)
        assert document["explanations"]
    assert document_of_failure(run("explain-exit", "--json", "no exit at all"), "usage", 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("memory.shm_too_small", "--shm-size"),
        ("xid-79", "Xid 79"),
        ("cuda-804", "CUDA error 804"),
        ("nvml-18", "NVML error 18"),
        ("SIGBUS", "SIGBUS"),
        ("139", "SIGSEGV"),
        ("cpu-only-torch", "wheel.cpu_only_build"),
        ("wheel.cpu_only_build", "--index-url"),
    ],
)
def test_explain_a_name(run, name: str, words: str) -> None:
    ended = run("explain", name)
    assert (ended.code, ended.err) == (0, "")
    assert words in ended.out


def test_explain_a_name_that_nothing_has(run) -> None:
    ended = run("explain", "memory.shm_to_small")
    assert ended.code == 2
    assert "memory.shm_too_small" in ended.err


def test_facts_by_pattern(run) -> None:
    ended = run("facts", "gpu.*", "--from", SICK)
    assert ended.code == 0
    assert all(line.startswith("gpu.") for line in ended.out.splitlines())
    assert "gpu.count = 2" in ended.out.splitlines()
    assert run("facts", "gpu.count", "--json", "--from", SICK).json["facts"] == {"gpu.count": {"value": 2}}


def findings_of(report) -> list[tuple[str, str, str]]:
    """What each check said."""
    return [(one["check"], one["subject"], one["kind"]) for one in report["findings"]]


def test_a_recorded_machine_is_judged_like_the_live_one(run, tmp_path: Path) -> None:
    assert run("facts", "--record", "machine").code == 0
    assert (tmp_path / "machine" / "host.json").is_file()
    live, again = run("check", "--json").json, run("check", "--json", "--from", "machine").json
    assert again["target"]["kind"] == "recorded"
    assert findings_of(again) == findings_of(live)
    assert run("facts", "--record", "machine").code == 2  # the folder is not empty


@pytest.mark.parametrize("section", ["causes", "checks", "signatures", "exits", "chains", "tables"])
def test_rules_list(run, section: str) -> None:
    listed = run("rules", "list", section, "--json").json["rules"][section]
    assert len(listed) == len({entry["id"] for entry in listed}) > 0
    assert all(entry["title"] for entry in listed)
    assert run("rules", "list", section).out.startswith(f"{section} ({len(listed)})\n")


def test_rules_show(run) -> None:
    assert run("rules", "show", "cpu-only-torch").out == run("explain", "cpu-only-torch").out


def test_rules_lint(run, tmp_path: Path) -> None:
    (tmp_path / "mine" / "causes" / "mine").mkdir(parents=True)
    (tmp_path / "mine" / "causes" / "mine" / "cause.toml").write_text("id = 3\n")
    ended = run("rules", "lint", "mine")
    assert ended.code == 1
    assert "cause.toml" in ended.out
    assert run("rules", "lint", "no-such-folder").code == 2


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help(run, name: str) -> None:
    ended = run(*name.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    for line in ended.out.splitlines():
        assert len(line) <= 80
    if not name:
        assert set(COMMANDS) <= set(re.findall(r"^  ([a-z-]+)  ", ended.out, re.MULTILINE))


def test_version(run) -> None:
    assert re.fullmatch(r"gpudoctor \d+\.\d+\.\d+\S*\n", run("--version").out)


def documented_codes() -> dict[int, str]:
    """The table of docs/exit-codes.md."""
    text = (ROOT / "docs" / "exit-codes.md").read_text()
    return {int(code): name for code, name in re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", text, re.MULTILINE)}


def test_the_documented_exit_codes_are_the_ones_there_are() -> None:
    assert documented_codes() == {int(code): code.name for code in Exit}


# 130 is held by the test of interruption.
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("check", "--from", recorded("mig"))),
        (1, ("check", "--from", SICK)),
        (2, ("check", "--expect-gpus", "many")),
        (2, ("check", "--rules", "rules", "--from", SICK)),
        (4, ("check", "--from", "/no/such/machine")),
    ],
)
def test_the_codes_of_answers_and_of_wrong_input(run, tmp_path: Path, code: int, arguments: tuple[str, ...]) -> None:
    (tmp_path / "rules" / "checks" / "mine").mkdir(parents=True)
    (tmp_path / "rules" / "checks" / "mine" / "broken.toml").write_text("not toml")
    assert run(*arguments).code == code
    assert code in documented_codes()


def test_what_keeps_gpudoctor_itself_from_running_ends_with_3(run, tmp_path: Path) -> None:
    broken = "import gpudoctor.knowledge.source as s\ndef find_rules(*_): raise RuntimeError('made to fail')\n"
    (tmp_path / "sitecustomize.py").write_text(broken + "s.find_rules = find_rules\n")
    ended = run("check", "--json", "--from", SICK, env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 3
    assert 3 in documented_codes()
    assert json.loads(ended.out)["error"]["kind"] == "internal"
    assert "made to fail" in ended.err
    assert "Traceback" not in ended.err


def test_rules_list_tells_the_newest_source_of_each_table(run) -> None:
    """The newest date of head and rows, read here from the file."""
    folder = Path(__file__).resolve().parents[2] / "rules" / "tables"
    listed = {item["id"]: item for item in run("rules", "list", "tables", "--json").json["rules"]["tables"]}
    shown = run("rules", "list", "tables").out
    for path in folder.glob("*.toml"):
        newest = max(re.findall(r"^checked = (\d{4}-\d\d-\d\d)$", path.read_text(encoding="utf-8"), re.M), default="")
        if newest:
            assert newest in json.dumps(listed[path.stem]), path.stem
            assert newest in next(line for line in shown.splitlines() if line.split()[:1] == [path.stem]), path.stem
