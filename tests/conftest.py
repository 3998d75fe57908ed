"""What every test may ask for; rigs skip with a reason, or fail where GPUDOCTOR_REQUIRE_RIGS=1 demands them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import gpudoctor

REPOSITORY = Path(__file__).resolve().parents[1]

if os.environ.get("GPUDOCTOR_TEST_INSTALLED") == "1" and Path(gpudoctor.__file__).is_relative_to(REPOSITORY):
    raise RuntimeError(f"this run is to test the installed gpudoctor, but found {gpudoctor.__file__}")

# Fixtures that tests of several rooms share.
pytest_plugins = ["fake_driver", "rig_fixtures"]


def _missing(reason: str) -> None:
    if os.environ.get("GPUDOCTOR_REQUIRE_RIGS") == "1":
        pytest.fail(f"GPUDOCTOR_REQUIRE_RIGS=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture
def rig_requires() -> Callable[..., None]:
    """`rig_requires("gcc", root=True)`: go on only where these programs (and root) are there."""

    def require(*programs: str, root: bool = False) -> None:
        for program in programs:
            if shutil.which(program) is None:
                _missing(f"{program} is not installed")
        if root and os.geteuid() != 0:
            _missing("this rig needs root")

    return require


@pytest.fixture(scope="session")
def torch_python() -> str:
    """The interpreter with the CPU build of torch: this one. Other Pythons than 3.11 have no such build at hand."""
    if importlib.util.find_spec("torch") is None:
        if sys.version_info[:2] == (3, 11):
            _missing("torch is not installed in this environment")
        pytest.skip("the CPU build of torch is only at hand for Python 3.11")
    return sys.executable


@pytest.fixture
def repository() -> Path:
    """The root of the source checkout."""
    return REPOSITORY
