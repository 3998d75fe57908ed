"""The installed command as a fixture."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from commands import SECONDS, Ended, surroundings


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The console script beside this interpreter."""
    script = Path(sys.executable).with_name("gpudoctor")
    return [str(script)] if script.exists() else [sys.executable, "-m", "gpudoctor"]


@pytest.fixture
def run(command: list[str], tmp_path: Path) -> Callable[..., Ended]:
    """`run("check", "--json", env={...})`: start it in an empty folder and wait for its end."""

    def start(*arguments: str, env: Mapping[str, str] | None = None, timeout: float = SECONDS) -> Ended:
        ended = subprocess.run(
            [*command, *arguments], capture_output=True, env=surroundings(env), cwd=tmp_path, timeout=timeout
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return start
