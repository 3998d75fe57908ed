"""What the end-to-end rigs share: an interpreter without torch to be examined, the fault matrix, and its table."""

from __future__ import annotations

import venv
from collections.abc import Iterator

import pytest

from fake_driver import FakeDriver
from fault_matrix import Matrix, table

MATRIX = pytest.StashKey[Matrix]()


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with nothing installed, so that a run does not wait for torch."""
    folder = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="session")
def matrix(
    request: pytest.FixtureRequest, fake_driver: FakeDriver, bare_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    """Runs every case of the matrix that this session wants, in the background."""
    found = Matrix(fake_driver, bare_python, tmp_path_factory.mktemp("matrix"))
    request.config.stash[MATRIX] = found
    yield found
    found.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of all faults that were tried, with what was said of each."""
    found = config.stash.get(MATRIX, None)
    if found is not None and found.rows:
        terminalreporter.section("fault matrix")
        for line in table(found.rows):
            terminalreporter.write_line(line)
