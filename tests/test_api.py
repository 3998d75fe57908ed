"""The Python API: its documentation runs, its types are those of the command line, its import is cheap."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gpudoctor
from gpudoctor import judging
from gpudoctor.knowledge.source import PackedTree, TomlTree
from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.errors import ExaminationError, RulesError, UsageError
from gpudoctor.model.explanation import Explained

DOCUMENT = Path(__file__).parents[1] / "docs" / "python-api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else "", re.S)
LOADED = "import sys, gpudoctor; print(len([name for name in sys.modules if name.startswith('gpudoctor.')]))"


@pytest.mark.skipif(not EXAMPLES, reason="the documentation lies in the repository only")
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_documented_examples_run(number: int) -> None:
    exec(compile(EXAMPLES[number], f"python-api.md, example {number + 1}", "exec"), {})


def test_every_function_is_documented() -> None:
    if not EXAMPLES:
        pytest.skip("the documentation lies in the repository only")
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in gpudoctor.__all__ if name[0] != "_" and f"gpudoctor.{name}(" not in text] == []


def test_importing_the_package_loads_next_to_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 1


def test_answers_are_the_types_of_the_model() -> None:
    assert isinstance(gpudoctor.judge("Is CUDA available: True\n"), Diagnosis)
    assert isinstance(gpudoctor.explain_exit(137), Explained)


def test_check_examines_this_machine() -> None:
    diagnosis = gpudoctor.check(python=sys.executable, timeout=60)
    assert diagnosis.target.kind == "live"
    assert diagnosis.facts.text("kernel.machine")


def test_evidence_is_read(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n")
    assert gpudoctor.explain_exit(1, [log]).explanations[0].cause.startswith("memory.gpu_oom")


def test_json_is_that_of_the_command_line_and_redacted() -> None:
    diagnosis = gpudoctor.judge("ImportError: /home/jdoe/x.so: undefined symbol: _ZN3c104cuda\n")
    document = json.loads(gpudoctor.to_json(diagnosis))
    assert document["schema_version"].startswith("1.")
    assert "jdoe" not in gpudoctor.to_json(diagnosis)
    assert "jdoe" in gpudoctor.to_json(diagnosis, redact=False)
    assert "jdoe" not in gpudoctor.to_markdown(diagnosis)


def test_an_earlier_report_is_judged_again() -> None:
    first = gpudoctor.judge(
        "Is CUDA available: False\nPyTorch version: 2.8.0+cu128\nNvidia driver version: 470.57.02\n"
    )
    again = gpudoctor.judge(gpudoctor.to_json(first))
    assert again.findings == first.findings
    assert again.primary == "driver.too_old_for_cuda"


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(UsageError):
        gpudoctor.explain_exit("no such thing at all")
    with pytest.raises(UsageError):
        gpudoctor.check(probes="everything")
    with pytest.raises(UsageError):
        gpudoctor.judge("x", expect_gpus="many")
    with pytest.raises(ExaminationError):
        gpudoctor.judge("")
    with pytest.raises(AttributeError):
        gpudoctor.no_such_name  # noqa: B018


def test_the_rules_are_read_once_for_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    dump = "PyTorch version: 2.9.1+cu128\nIs CUDA available: False\nPython version: 3.12.3 (main) (64-bit runtime)\n"
    first = gpudoctor.judge(dump)
    gpudoctor.judge(gpudoctor.to_json(first))

    def none_may_be_read(*_args: object) -> object:
        raise AssertionError("rules were read again")

    monkeypatch.setattr(TomlTree, "read", none_may_be_read)
    monkeypatch.setattr(PackedTree, "read", none_may_be_read)
    monkeypatch.setattr(judging, "find_rules", none_may_be_read)
    report = gpudoctor.to_json(gpudoctor.judge(dump))
    assert gpudoctor.judge(report).findings == gpudoctor.judge(report).findings
    assert gpudoctor.judge(dump) == first


def test_added_rules_are_read_as_they_now_stand(tmp_path: Path) -> None:
    cause = tmp_path / "causes" / "own" / "thing.toml"
    cause.parent.mkdir(parents=True)
    dump = "PyTorch version: 2.9.1+cu128\nIs CUDA available: True\n"
    assert gpudoctor.judge(dump, rules=[tmp_path]).facts == gpudoctor.judge(dump).facts
    cause.write_text("this is no TOML", encoding="utf-8")
    with pytest.raises(RulesError, match="not valid TOML"):
        gpudoctor.judge(dump, rules=[tmp_path])
