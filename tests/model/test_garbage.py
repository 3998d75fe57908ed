"""The search for garbage rests within, and is afterwards as it was."""

from __future__ import annotations

import gc
import subprocess
import sys

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


MANY = """
import gc
from gpudoctor.model.garbage import NoCollection
frozen = gc.get_freeze_count()  # Python 3.12 has some from the start, and then all is left as it is
searches = []
gc.callbacks.append(lambda phase, _: searches.append(phase))
with NoCollection():
    kept = [[] for _ in range(5000)]
in_the_way = len(searches)
with NoCollection():
    more = [[] for _ in range(5000)]
last = [[] for _ in range(1000)]
old = len(gc.get_objects(2)) > 5000
print(in_the_way, len(searches) > 0, gc.get_freeze_count() - frozen, gc.is_tracked(kept), old or frozen > 0)
"""


def test_what_is_made_first_is_not_searched_and_stays_within_reach_of_later_searches() -> None:
    said = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.split() == ["0", "True", "0", "True", "True"]
