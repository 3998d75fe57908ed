"""The search for garbage rests within, and is afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from gpudoctor.model.garbage import NoCollection


def test_it_rests_within_and_goes_on_after_an_error() -> None:
    assert gc.isenabled()
    with NoCollection():
        with NoCollection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), NoCollection():
        1 / 0  # noqa: B018 - any error will do
    assert gc.isenabled()


def test_it_is_not_switched_on_for_somebody_who_has_switched_it_off() -> None:
    gc.disable()
    try:
        with NoCollection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
