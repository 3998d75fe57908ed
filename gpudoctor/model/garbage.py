"""Keeps Python from looking for garbage while much is made at once and none of it can be garbage."""

from __future__ import annotations

import gc


class NoCollection:
    """Within it no search for garbage begins by itself: `with NoCollection():`. Nested ones do no harm.

    Reading the rules and judging make tens of thousands of objects that all stay; searching them again and again
    for circles takes a tenth of the time. The first time they are mostly rules, and even the one search that would
    begin right behind it is saved: they are put where Python keeps what has lived long. Where somebody has set objects
    aside for good, as Python 3.12 does itself, that is left alone.
    """

    _is_first = True

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_error: object) -> None:
        if not self._was_on:
            return
        if NoCollection._is_first and hasattr(gc, "freeze") and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        NoCollection._is_first = False
        gc.enable()
