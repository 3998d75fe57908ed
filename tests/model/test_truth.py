"""Kleene's logic: what is decided stays decided, whatever is unknown beside it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.model.truth import Truth, all_of, any_of

VALUES = st.lists(st.sampled_from(list(Truth)), max_size=6)


@given(VALUES)
def test_one_false_decides_and_else_one_unknown_leaves_it_open(values: list[Truth]) -> None:
    expected = Truth.FALSE if Truth.FALSE in values else Truth.UNKNOWN if Truth.UNKNOWN in values else Truth.TRUE
    assert all_of(values) is expected


@given(VALUES)
def test_de_morgan_holds(values: list[Truth]) -> None:
    assert any_of(values) is all_of([value.negated() for value in values]).negated()
