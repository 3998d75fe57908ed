"""What the tests of the target's examination share: an interpreter without torch, and one call that examines it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpudoctor.host.local import LocalHost
from gpudoctor.model.fact import Facts
from gpudoctor.probe.registry import Examination, ProbeSettings, examine
from left_over import left_over

Examine = Callable[..., "tuple[Facts, Examination]"]


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment of this Python in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    return str(folder / "bin" / "python")


@pytest.fixture
def look(bare_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Examine]:
    """`look(folder)`: examine the bare interpreter with a folder on PYTHONPATH; afterwards nothing may still run."""
    mark = uuid.uuid4().hex
    empty = tmp_path / "working-directory"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("GPUDOCTOR_TEST_MARK", mark)

    def run(
        folder: Path | None = None, python: str = "", timeout: float = 30.0, **settings: object
    ) -> tuple[Facts, Examination]:
        if folder is not None:
            monkeypatch.setenv("PYTHONPATH", str(folder))
        with LocalHost(timeout_seconds=timeout) as host:
            found = examine(host, ProbeSettings(python=python or bare_python, **settings))  # type: ignore[arg-type]
        return Facts(found.facts), found

    yield run
    assert left_over(mark) == []
