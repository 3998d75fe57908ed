"""An anchor must stand in every line that its pattern matches."""

from __future__ import annotations

import pytest

from gpudoctor.knowledge.anchors import anchor_is_certain


@pytest.mark.parametrize(
    ("pattern", "anchors", "ignore_case"),
    [
        (r"CUDA error: \d+", ["CUDA error"], False),
        (r"(?:Bus|Segmentation) (?:error|fault)", ["Bus ", "Segmentation"], False),
        (r"[Ee]rror \d+", ["rror "], False),
        (r"[Ee]rror \d+", ["Error", "error"], False),
        (r"out of memory", ["OUT OF"], True),
        (r"(?:abc){2,5}x", ["abc"], False),
        (r"foo(?:bar)?baz", ["foo"], False),
        (r"\bKilled\b", ["Killed"], False),
        (r"a(?P<n>.{0,9})needle", ["needle"], False),
    ],
)
def test_certain(pattern: str, anchors: list[str], ignore_case: bool) -> None:
    assert anchor_is_certain(pattern, anchors, ignore_case)


@pytest.mark.parametrize(
    ("pattern", "anchors", "ignore_case"),
    [
        (r"CUDA\s+error", ["CUDA error"], False),
        (r"(?:Bus|Segmentation) fault", ["Bus"], False),
        (r"[Ee]rror", ["Error"], False),
        (r"out of memory", ["Out"], False),
        (r"(?i)out of memory", ["out"], False),
        (r"foo(?:bar)?baz", ["foobar"], False),
        (r"(?:abc)*x", ["abc"], False),
        (r"foo.{0,3}bar", ["foobar"], False),
    ],
)
def test_uncertain(pattern: str, anchors: list[str], ignore_case: bool) -> None:
    assert not anchor_is_certain(pattern, anchors, ignore_case)
