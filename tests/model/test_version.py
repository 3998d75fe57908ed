"""Versions compare as numbers, not as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.model.version import Version

NUMBERS = st.lists(st.integers(0, 10_000), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("12.9", "12.10"),
        ("470.57.02", "525.60.13"),
        ("2.9.0a0+git1234", "2.9.0"),
        ("2.9.0", "2.9.1"),
        ("2.7.0", "2.7.0.post1"),
        ("535.54", "535.104.05"),
    ],
)
def test_order(older: str, newer: str) -> None:
    assert Version.parse(older) < Version.parse(newer)


@pytest.mark.parametrize(("one", "other"), [("12.0", "12"), ("2.7.0+cu128", "2.7.0"), ("v1.2", "1.2.0")])
def test_equality(one: str, other: str) -> None:
    assert Version.parse(one) == Version.parse(other)
    assert hash(Version.parse(one)) == hash(Version.parse(other))


@pytest.mark.parametrize("text", ["", "N/A", "12.x", "1..2", "1.2.3 beta", "9" * 40])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Version.parse(text)


@given(NUMBERS, NUMBERS)
def test_the_order_is_that_of_the_numbers(one: list[int], other: list[int]) -> None:
    first, second = (Version.parse(".".join(map(str, numbers))) for numbers in (one, other))
    padded = [numbers + [0] * (5 - len(numbers)) for numbers in (one, other)]
    assert (first < second) == (padded[0] < padded[1])
    assert (first == second) == (padded[0] == padded[1])
