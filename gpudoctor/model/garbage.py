"""Keeps Python from looking for garbage while much is made at once and none of it can be garbage."""

from __future__ import annotations

import gc


class NoCollection:
    """Within it no search for garbage begins by itself: `with NoCollection():`. Nested ones do no harm.

    Reading the rules and judging make tens of thousands of objects that all stay; searching them again and again
    for circles takes a tenth of the time.
    """

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_error: object) -> None:
        if self._was_on:
            gc.enable()
