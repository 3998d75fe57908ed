"""`explain-exit` and `explain-log` as people call them: files, standard input, JSON, exit codes, and what is hidden."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import SECONDS, Ended, surroundings
from intake_samples import SAMPLES

Run = Callable[..., Ended]
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
KEY = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str], str]:
    """`put("a.log", text)`: write a file and give its name."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


Put = Callable[[str, str], str]


def test_a_log_of_many_ends_in_its_cause(run: Run, put: Put) -> None:
    ended = run("explain-exit", "1", put("train.log", "epoch 1\n" + OOM), "--json")
    answer = ended.json
    assert ended.code == 0
    assert answer["verdict"] == "explained"
    first = answer["explanations"][0]
    assert (first["cause"], first["likelihood"]) == ("memory.gpu_oom", "confirmed")
    assert first["evidence"][0] == {"source": "train.log", "line": 2, "text": OOM.strip()}
    assert first["remedies"]
    assert answer["exit"]["code"] == 1


def test_negative_codes_and_options_stand_anywhere(run: Run, put: Put) -> None:
    name = put("state.json", SAMPLES["container_inspect/oom"])
    for arguments in (("-9", name, "--json"), ("--json", "-9", name), ("--json", "--", "-9", name)):
        answer = run("explain-exit", *arguments).json
        assert answer["exit"]["code"] == 137
        assert answer["explanations"][0]["cause"] == "memory.host_oom_kill.cgroup"


def test_without_a_code_the_documents_state_it(run: Run, put: Put) -> None:
    answer = run("explain-log", "--json", put("pod.json", SAMPLES["pod/json"])).json
    assert (answer["exit"]["code"], answer["exit"]["reason"]) == (137, "OOMKilled")


def test_standard_input(command: list[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [*command, "explain-log", "--json", "-"],
        input=gzip.compress(OOM.encode()),
        capture_output=True,
        env=surroundings(),
        cwd=tmp_path,
        timeout=SECONDS,
    )
    first = json.loads(ended.stdout)["explanations"][0]
    assert first["cause"] == "memory.gpu_oom"
    assert first["evidence"][0]["source"] == "standard input"


BAR = "".join(
    f"\rEpoch 1: {step:3}%|{'█' * (step // 10):10}| {step}/100 [00:{step % 60:02}<00:01]" for step in range(101)
)
JOB = f"开始训练\n步骤 1 损失 2.31\n{BAR}\n{OOM}"
FORMS = {
    "as written": JOB.encode(),
    "packed": gzip.compress(JOB.encode()),
    "packed in two parts": gzip.compress(JOB[:40].encode()) + gzip.compress(JOB[40:].encode()),
    "packed and cut off": gzip.compress(JOB.encode() + b"".join(b"step %d\n" % step for step in range(9_000)))[:-900],
    "Windows": JOB.replace("\n", "\r\n").encode("utf-8-sig"),
    "PowerShell": JOB.replace("\n", "\r\n").encode("utf-16"),
    "Chinese system": JOB.replace("█", "#").encode("gb18030"),
    "bad bytes": JOB.encode().replace(b"2.31", b"2.\xff\xfe31"),
    "no end of the bar's line": JOB.replace("\n" + OOM, "\r" + OOM).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_log_in_any_form(run: Run, tmp_path: Path, form: str) -> None:
    (tmp_path / "job.log").write_bytes(FORMS[form])
    first = run("explain-exit", "1", "job.log", "--json").json["explanations"][0]
    assert first["cause"] == "memory.gpu_oom"
    number = 3 if form.startswith("no end") else 4
    assert first["evidence"][0] == {"source": "job.log", "line": number, "text": OOM.strip()}


@pytest.mark.parametrize("options", [(), ("--json",), ("--no-redact",), ("--json", "--no-redact")])
def test_secrets_are_never_quoted(run: Run, put: Put, options: tuple[str, ...]) -> None:
    text = f"HF_TOKEN={KEY} https://anna:geheim99@example.org {OOM}"
    ended = run("explain-exit", "1", put("a.log", text), *options)
    assert "out of memory" in " ".join(ended.out.split())
    assert KEY not in ended.out
    assert "geheim99" not in ended.out


def test_names_are_hidden_in_json_unless_told_otherwise(run: Run, put: Put) -> None:
    name = put("a.log", f"/home/annabel/train.py: {OOM}")
    assert "annabel" not in run("explain-log", "--json", name).out
    assert "annabel" in run("explain-log", "--json", "--no-redact", name).out
    assert "annabel" in run("explain-log", name).out
    assert "annabel" not in run("explain-log", "--redact", name).out


def test_terminal_escapes_in_a_log_do_nothing(run: Run, put: Put) -> None:
    ended = run("explain-log", put("a.log", f"\x1b]0;owned\x07\x1b[2J [red]{OOM}"))
    assert "\x1b" not in ended.out
    assert "[red]torch.OutOfMemoryError" in ended.out


def test_nothing_known_is_said_by_the_exit_code(run: Run, put: Put) -> None:
    ended = run("explain-exit", "0", put("a.log", "all went well\n"))
    assert ended.code == 0
    assert "Nothing failed" in ended.out
    assert "a.log: read as log (1 lines); nothing in it is known" in ended.out


@pytest.mark.parametrize("path", ["missing.log", ".", ""])
def test_evidence_that_cannot_be_read(run: Run, path: str) -> None:
    ended = run("explain-log", "--json", path)
    assert ended.code == 4
    assert ended.json["error"]["kind"] == "not_examined"
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "arguments", [("explain-log",), ("explain-exit",), ("explain-exit", "perhaps"), ("explain-exit", "-99999999999")]
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.err.startswith("gpudoctor: ")


def test_evidence_of_several_kinds_is_read_together(run: Run, put: Put) -> None:
    names = [put(f"{number}.txt", text) for number, text in enumerate(SAMPLES.values())]
    ended = run("explain-log", "--json", *names)
    answer = ended.json
    assert ended.code == 0
    assert answer["verdict"] == "explained"
