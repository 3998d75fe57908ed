"""The throw-away machine, started once for all tests here; each of its folders holds what one scenario left."""

from __future__ import annotations

from pathlib import Path

import pytest

import virtual_machine

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def machine(crash: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    return virtual_machine.boot(folder, HERE / "init.sh", [crash], [HERE / "kernel-lines.txt"])
