"""What the interpreter says about itself."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import fake_torch
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.probe import interpreter


def test_a_real_environment(look, bare_python: str) -> None:
    facts, _ = look()
    assert facts.text("python.version") == platform.python_version()
    assert facts["python.implementation"] == sys.implementation.name
    assert facts["python.examinable"] is True
    assert facts["python.executable"] == bare_python
    assert facts["python.prefix"] == str(Path(bare_python).parents[1])
    assert (facts["python.environment"], facts["python.environment_tool"]) == ("venv", "venv")
    assert facts["python.system_site_packages"] is False
    assert facts["python.externally_managed"] is False
    assert facts["python.machine"] == platform.machine()


def test_the_path_is_that_of_a_user(look) -> None:
    facts, _ = look()
    path = facts.elements("python.path")
    assert path[0] == str(Path.cwd())
    assert not any("probe/scripts" in str(entry) for entry in path), "our own folder must not hide anybody's modules"


def test_marks_of_tools(look, bare_python: str) -> None:
    config = Path(bare_python).parents[1] / "pyvenv.cfg"
    before = config.read_text()
    try:
        config.write_text(before + "uv = 0.9.1\n")
        facts, _ = look()
    finally:
        config.write_text(before)
    assert (facts["python.environment"], facts["python.environment_tool"]) == ("uv", "uv")


def test_an_interpreter_that_could_not_look_at_itself() -> None:
    lines = ({"step": "interpreter", "outcome": "failed", "error": "OSError: no"},)
    facts = Facts(interpreter.facts(ChildEnd(End.EXITED, lines=lines), {}))
    assert facts["python.version"] == Unknown(Reason.CRASHED, "OSError: no")


def test_other_interpreters_of_this_machine_would_be_told_apart() -> None:
    line = {"step": "interpreter", "version": "3.10.1", "implementation": "pypy", "environment": "conda", "bits": 64}
    facts = Facts(interpreter.facts(ChildEnd(End.EXITED, lines=(line,)), {}))
    assert (facts["python.implementation"], facts["python.environment"]) == ("pypy", "conda")


def test_a_working_directory_that_was_removed(look, tmp_path: Path) -> None:
    Path.cwd().rmdir()
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert facts["torch.import_outcome"] == "imported"
    assert facts.text("torch.metadata_version") == "2.9.1+cu130"


def test_a_source_checkout_is_not_an_installation(look, tmp_path: Path) -> None:
    (Path.cwd() / "torch.egg-info").mkdir()
    (Path.cwd() / "torch.egg-info" / "PKG-INFO").write_text("Name: torch\nVersion: 3.0.0a0\n")
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert facts.text("torch.metadata_version") == "2.9.1+cu130"
    assert facts["packages.duplicates"] == ()
