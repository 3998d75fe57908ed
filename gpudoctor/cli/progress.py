"""One line on a terminal that tells what is being waited for; nothing where nobody would see it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

Progress = Callable[[str], None]
SILENT_SECONDS = 0.4
FRAMES = "|/-\\"


def silent(_step: str) -> None:
    """Progress for pipes, files and JSON."""


@contextlib.contextmanager
def progress_line(quiet: bool) -> Iterator[Progress]:
    """Give a function to call with the name of the step that begins; the line is wiped at the end.

    It lives on stderr, and only after a short while, so that fast runs do not flicker.
    """
    stream = sys.stderr
    if quiet or stream is None or not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield silent
        return
    line = _Line()
    line.start()
    try:
        yield line.tell
    finally:
        line.stop()


class _Line(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._step = ""
        self._ended = threading.Event()
        self._shown = False

    def tell(self, step: str) -> None:
        """Name the step that is being waited for."""
        self._step = step

    def run(self) -> None:
        """Redraw while there is something to wait for."""
        tenths = 0
        while not self._ended.wait(SILENT_SECONDS if not tenths else 0.2):
            tenths += 2
            if self._step:
                self._write(f"\r\x1b[K{FRAMES[tenths // 2 % len(FRAMES)]} {self._step[:60]} ...")

    def stop(self) -> None:
        """Wipe the line."""
        self._ended.set()
        self.join(timeout=1)
        if self._shown:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._shown = True
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
