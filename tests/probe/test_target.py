"""The choice of the interpreter, and that its reason is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gpudoctor.host.base import FileInfo
from gpudoctor.model.errors import ExaminationError
from gpudoctor.probe.target import Choice, choose
from memory_host import MemoryHost

PROGRAM = FileInfo("file", mode=0o100755)
OWN = {"executable": "/srv/app/bin/python", "prefix": "/srv/app"}


def host(*programs: str, env: Mapping[str, str] | None = None, **more: Any) -> MemoryHost:
    return MemoryHost(
        nodes=dict.fromkeys(("/srv/app/bin/python", *programs), PROGRAM),
        env={"PATH": "/usr/local/bin:/usr/bin", "HOME": "/home/ada", **(env or {})},
        identity={**OWN, **more.pop("identity", {})},
        **more,
    )


def test_what_was_given_wins() -> None:
    machine = host("/opt/py/bin/python3.12", "/venv/bin/python", env={"VIRTUAL_ENV": "/venv"})
    assert choose(machine, "/opt/py/bin/python3.12") == Choice("/opt/py/bin/python3.12", "given with --python", True)


def test_a_name_and_a_folder_and_a_home_may_be_given() -> None:
    machine = host("/usr/bin/python3.12", "/opt/env/bin/python", "/home/ada/env/bin/python")
    assert choose(machine, "python3.12").interpreter == "/usr/bin/python3.12"
    assert choose(machine, "/opt/env").interpreter == "/opt/env/bin/python"
    assert choose(machine, "~/env").interpreter == "/home/ada/env/bin/python"


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("/nowhere/python", "/nowhere/python cannot be used"),
        ("python9.9", "no program called python9.9 on PATH"),
        ("/opt", "a directory without bin/python"),
        ("/opt/notes.txt", "not a program that can be run"),
    ],
)
def test_a_given_interpreter_that_is_none(python: str, words: str) -> None:
    with pytest.raises(ExaminationError, match=words):
        choose(host(files={"/opt/notes.txt": "text"}), python)


def test_the_active_environment() -> None:
    machine = host("/venv/bin/python", "/conda/bin/python", env={"VIRTUAL_ENV": "/venv", "CONDA_PREFIX": "/conda"})
    assert choose(machine) == Choice("/venv/bin/python", "the active virtual environment ($VIRTUAL_ENV)")
    machine = host("/conda/bin/python", env={"CONDA_PREFIX": "/conda/"})
    assert choose(machine).interpreter == "/conda/bin/python"


def test_an_active_environment_that_is_gone_is_mentioned() -> None:
    choice = choose(host(env={"VIRTUAL_ENV": "/old"}))
    assert choice.interpreter == "/srv/app/bin/python"
    assert choice.reason.endswith("; $VIRTUAL_ENV is set to /old, which holds no Python")


def test_our_own() -> None:
    assert choose(host("/usr/bin/python3")) == Choice("/srv/app/bin/python", "the environment gpudoctor runs in")


@pytest.mark.parametrize(
    "prefix",
    [
        "/home/ada/.local/share/pipx/venvs/gpudoctor",
        "/home/ada/.local/share/uv/tools/gpudoctor",
        "/home/ada/.cache/uv/archive-v0/abc",
    ],
)
def test_a_tool_environment_is_nobodys_training_environment(prefix: str) -> None:
    machine = host("/usr/bin/python3", identity={"prefix": prefix})
    assert choose(machine) == Choice("/usr/bin/python3", "python3 on PATH; gpudoctor itself is installed apart")


def test_a_tool_environment_by_its_receipt() -> None:
    machine = host("/usr/bin/python", files={"/srv/app/uv-receipt.toml": ""})
    assert choose(machine).interpreter == "/usr/bin/python"


def test_a_tool_environment_is_better_than_nothing() -> None:
    assert choose(host(files={"/srv/app/uv-receipt.toml": ""})).interpreter == "/srv/app/bin/python"


def test_nothing_at_all() -> None:
    assert choose(MemoryHost(identity={"executable": "", "prefix": ""})) == Choice("", "no Python was found")
