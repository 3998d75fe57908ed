"""The engines, each started once for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import engines
from engines import Engine


@pytest.fixture(scope="session")
def docker(crash: str, terminate: str) -> Iterator[Engine]:
    with engines.docker([crash, terminate]) as engine:
        yield engine


@pytest.fixture(scope="session")
def podman(crash: str, terminate: str) -> Iterator[Engine]:
    with engines.podman([crash, terminate]) as engine:
        yield engine


@pytest.fixture(params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them."""
    found: Engine = request.getfixturevalue(request.param)
    return found
