"""What is handed on: a message of 4 KiB for the container, variables that the user has set, and the report's path."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import gpudoctor
from gpudoctor.report.crash_text import TERMINATION_BYTES, fitting
from gpudoctor.supervise.surroundings import remove, surroundings


@given(st.lists(st.text(alphabet="aé显存不足🔥", max_size=900), max_size=8), st.integers(1, 300))
def test_a_message_is_cut_between_characters(lines: list[str], most: int) -> None:
    whole = "\n".join(lines) + "\n"
    left = fitting(lines, most)
    assert whole.startswith(left.decode("utf-8"))
    assert len(left) <= most
    assert len(left) > most - 4 or left == whole.encode()


@pytest.mark.slow
@pytest.mark.parametrize("shift", range(3))
def test_chinese_text_in_the_containers_message(tmp_path: Path, shift: int) -> None:
    message = tmp_path / "message"
    # A long name of the program's own makes the message long, wherever its characters begin.
    words = f"{'x' * shift}{'训练在第三步失败了' * 300}"
    script = "import sys; print('ValueError: ' + sys.argv[1], file=sys.stderr); sys.exit(1)"
    options = ("--termination-log", str(message), "--no-report")
    ended = gpudoctor("run", *options, "--", sys.executable, "-c", script, words, cwd=tmp_path)
    assert ended.status == 1
    left = message.read_bytes()
    assert len(left) <= TERMINATION_BYTES
    text = left.decode("utf-8")
    assert "训练在第三步失败了" in text
    assert text.startswith("gpudoctor: the command ended with 1")
    assert text.splitlines()[0] in ended.errors


@pytest.mark.slow
def test_a_message_of_the_programs_own_is_overwritten_only_where_it_was_asked_for(tmp_path: Path) -> None:
    message = tmp_path / "message"
    script = f"echo mine >{message}; exit 3"
    options = ("--termination-log", str(message), "--no-report")
    assert gpudoctor("run", *options, "--", "sh", "-c", script, cwd=tmp_path).status == 3
    assert message.read_text().startswith("gpudoctor: the command ended with 3")
    gone = ("--termination-log", str(tmp_path / "no" / "message"), "--no-report")
    ended = gpudoctor("run", *gone, "--", "sh", "-c", "exit 3", cwd=tmp_path)
    assert ended.status == 3
    assert "the command ended with 3" in ended.errors


def test_variables_that_are_set_stay_as_they_are(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "PYTHONFAULTHANDLER": "", "TORCHELASTIC_ERROR_FILE": "/job/error.json"}
    mine = surroundings({**env, "NCCL_DEBUG": "WARN", "NCCL_DEBUG_FILE": "/job/nccl"}, nccl_log=True)
    assert {name: mine.env[name] for name in env} == env
    assert (mine.env["NCCL_DEBUG"], mine.env["NCCL_DEBUG_FILE"]) == ("WARN", "/job/nccl")
    assert mine.error_file == "/job/error.json"
    remove(mine.folder)
    plain = surroundings({"TMPDIR": str(tmp_path)}, nccl_log=False)
    assert plain.env["PYTHONFAULTHANDLER"] == "1"
    assert Path(plain.env["TORCHELASTIC_ERROR_FILE"]).parent == Path(plain.folder)
    assert "NCCL_DEBUG" not in plain.env
    remove(plain.folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_users_own_error_file_is_read_and_left(tmp_path: Path) -> None:
    told = tmp_path / "error.json"
    error = {"message": {"message": "RuntimeError: CUDA error: device-side assert triggered", "extraInfo": {}}}
    script = "import json, os, sys; open(os.environ['TORCHELASTIC_ERROR_FILE'], 'w').write(sys.argv[1]); sys.exit(1)"
    words = (sys.executable, "-c", script, json.dumps(error))
    ended = gpudoctor("run", "--", *words, cwd=tmp_path, env={"TORCHELASTIC_ERROR_FILE": str(told)})
    assert ended.status == 1
    assert json.loads(told.read_text()) == error
    (report,) = tmp_path.glob("gpudoctor-crash-*.json")
    first = json.loads(report.read_text())["explanations"][0]["explanations"][0]
    assert "device-side assert" in json.dumps(first["evidence"])


@pytest.mark.slow
def test_the_hook_is_given_the_report_and_changes_nothing(tmp_path: Path) -> None:
    hook = f'echo "$GPUDOCTOR_REPORT" >{tmp_path}/named'
    ended = gpudoctor("run", "--on-failure", f"{hook}; exit 9; :", "--", "sh", "-c", "exit 3", cwd=tmp_path)
    assert ended.status == 3
    assert "--on-failure did not end well" in ended.errors
    (report,) = tmp_path.glob("gpudoctor-crash-*.json")
    assert (tmp_path / (tmp_path / "named").read_text().strip()).samefile(report)
    assert gpudoctor("run", "--on-failure", f"touch {tmp_path}/called; :", "--", "true", cwd=tmp_path).status == 0
    assert not (tmp_path / "called").exists()
