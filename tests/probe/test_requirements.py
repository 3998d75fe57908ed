"""Conflicts between installed versions and what packages ask for."""

from __future__ import annotations

from typing import Any

import pytest

from gpudoctor.probe.requirements import conflicts_of

MARKERS = {
    "markers": {
        "python_version": "3.11",
        "python_full_version": "3.11.2",
        "platform_system": "Linux",
        "os_name": "posix",
    }
}


def judge(requires: list[str], installed: dict[str, str], python: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    detail: dict[str, Any] = {
        "name": "torchvision",
        "version": "0.19.0",
        "requires": requires,
        "requires_python": python,
    }
    return conflicts_of({"details": [detail]}, MARKERS, installed)


def test_a_violated_pin() -> None:
    wrong, missing = judge(["torch==2.4.0"], {"torch": "2.3.1+cu121"})
    assert wrong == ("torchvision 0.19.0 requires torch==2.4.0, but 2.3.1+cu121 is installed",)
    assert missing == ()


@pytest.mark.parametrize("there", ["2.4.0", "2.4.0+cu121"])
def test_a_local_part_fits_its_release(there: str) -> None:
    assert judge(["torch==2.4.0"], {"torch": there}) == ((), ())


def test_prereleases_count_as_installed() -> None:
    assert judge(["torch>=2.4"], {"torch": "2.5.0.dev20240901"}) == ((), ())


def test_markers_of_the_target_decide() -> None:
    asked = ['numpy>=2; python_version >= "3.12"', 'nccl; platform_system == "Windows"', 'scipy; extra == "all"']
    assert judge(asked, {"numpy": "1.26"}) == ((), ())


def test_what_is_missing() -> None:
    assert judge(["nvidia_cudnn.cu12==9.1.0"], {})[1] == (
        "torchvision 0.19.0 requires nvidia_cudnn.cu12==9.1.0, which is not installed",
    )


def test_the_wrong_python() -> None:
    assert judge([], {}, ">=3.12")[0] == ("torchvision 0.19.0 requires Python >=3.12, but this is 3.11.2",)


@pytest.mark.parametrize("junk", ["=", "torch; bad_marker == 1", "torch>=x", "\x00", "torch; python_version"])
def test_junk_is_nobodys_conflict(junk: str) -> None:
    assert judge([junk], {"torch": "2.4.0"}, "not a specifier") == ((), ())


def test_an_installed_version_that_is_none() -> None:
    assert judge(["torch>=2"], {"torch": "unknown"}) == ((), ())


def test_the_copy_behind_the_first_is_not_asked() -> None:
    details = [{"name": "a", "version": "1", "requires": ["b"]}, {"name": "a", "version": "0", "requires": ["c"]}]
    assert conflicts_of({"details": details}, MARKERS, {"b": "1"}) == ((), ())
