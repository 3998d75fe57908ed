"""Starting the child: limits fit into the run, and a given interpreter that is none is refused in plain words."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gpudoctor.host.local import LocalHost
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.errors import ExaminationError
from gpudoctor.probe import zygote
from gpudoctor.probe.target import Choice
from memory_host import MemoryHost


def test_the_plan_names_files_that_exist() -> None:
    plan = zygote.plan_for(30.0, True, (zygote.RUNTIME,))
    steps = [step for group in plan["groups"] for step in group["steps"]]
    assert [step["name"] for step in steps] == ["build", "cuda"]
    assert all(Path(step["file"]).is_file() for step in steps)
    assert plan["deadline_s"] < 30.0
    assert plan["stack_after_s"] < 30.0


def test_no_interpreter_is_no_crash() -> None:
    end, _ = zygote.start(MemoryHost(), Choice("", "no Python was found"), True, ())
    assert (end.end, end.errno) == (End.NOT_STARTED, "ENOENT")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 0\n", "it ended with status 0"),
        ("#!/bin/sh\necho 'unknown option -X' >&2\nexit 2\n", "status 2 and said: unknown option -X"),
        ("#!/bin/sh\nkill -SEGV $$\n", "it was ended by SIGSEGV"),
        ("#!/nowhere/interpreter\n", "it could not be started"),
    ],
)
def test_a_given_program_that_is_no_python(tmp_path: Path, script: str, words: str) -> None:
    program = tmp_path / "python"
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with (
        LocalHost(20.0) as host,
        pytest.raises(ExaminationError, match="did not act as a Python 3 interpreter") as found,
    ):
        zygote.start(host, Choice(str(program), "given with --python", given=True), True, ())
    assert words in str(found.value)


def test_a_given_python_that_hangs_is_a_fact() -> None:
    host = MemoryHost(children={"target": ChildEnd(End.TIMED_OUT, seconds=5.0)})
    end, _ = zygote.start(host, Choice("/x/python", "given with --python", given=True), True, ())
    assert end.end is End.TIMED_OUT


def test_an_interpreter_that_nobody_gave_may_be_none() -> None:
    host = MemoryHost(children={"target": ChildEnd(End.EXITED, status=1)})
    end, _ = zygote.start(host, Choice("/x/python", "python3 on PATH"), True, ())
    assert end.status == 1
