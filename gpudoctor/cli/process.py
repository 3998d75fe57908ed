"""The process that we run in, made fit for whatever started it: closed descriptors, signals, shadowed modules.

Hardly anything is imported here: this must work where nothing else can be.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from gpudoctor.cli.exit_codes import Exit

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
MOST_SHADOWS = 5


def make_fit() -> None:
    """Fill closed standard descriptors, and make every polite signal end the run like Ctrl-C does."""
    from gpudoctor.host.last_resort import permit

    permit()
    _fill_descriptors()
    for name in ENDING:
        number = getattr(signal, name, None)
        # Who starts us with a signal ignored (nohup, a shell's background job) wants it ignored.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _fill_descriptors() -> None:
    # Left closed, the numbers 0 to 2 would go to the next files that are opened, and a child would take those for its
    # own streams.
    with contextlib.suppress(OSError):
        opened = os.open(os.devnull, os.O_RDWR)
        while opened <= 2:
            os.set_inheritable(opened, True)
            opened = os.open(os.devnull, os.O_RDWR)
        os.close(opened)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A second signal would break off the killing of the children; that takes a few seconds at most.
    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


def broken_text(error: Exception, shadows: list[str]) -> str:
    """Why nothing could be done, and which modules of PYTHONPATH stand in the way."""
    text = f"gpudoctor could not run, and nothing was judged: {type(error).__name__}: {error}."
    if shadows:
        text += f" PYTHONPATH puts these before the installed modules: {', '.join(shadows)}. Run it without them."
    return text


def tell_broken(error: Exception) -> int:
    """One plain sentence for an error before or outside all error handling; no JSON, whose module may be the matter."""
    text = broken_text(error, shadowing_modules(error))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"gpudoctor: {text}\n")
        sys.stderr.flush()
    return int(Exit.INTERNAL)


def shadowing_modules(error: Exception) -> list[str]:
    """Files in a folder of PYTHONPATH that were loaded, or that raised the error while they were; never our own."""
    folders = {Path(folder).absolute() for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder}
    raised = _raised_in(error)
    found = [str(raised)] if raised.parent in folders else []
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or name in ("__main__", "gpudoctor") or not isinstance(file, str):
            continue
        path = Path(file).absolute()
        if path.parent in folders or (path.stem == "__init__" and path.parents[1] in folders):
            found.append(file)
    return found[:MOST_SHADOWS]


def _raised_in(error: Exception) -> Path:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return Path(place.tb_frame.f_code.co_filename if place is not None else "").absolute()
