"""What stands behind all other limits: the kernel ends a run that cannot end itself any more.

An interpreter whose lock is held by a thread that loops reacts to nothing, signals included. Only a process that is
ours alone may be ended so, never one that merely imported us: the command line says that it is.
"""

from __future__ import annotations

import contextlib
import signal

from gpudoctor.model.errors import ExaminationError

# Below this much address space CPython itself may loop for ever when an allocation fails (seen with 3.11 at 40 MiB).
LEAST_ADDRESS_SPACE = 80 << 20
LATE_SECONDS = 20.0
STACK_BYTES = 1 << 20
M_ARENA_MAX = -8  # of malloc.h
_permissions: list[bool] = []


def permit() -> None:
    """From here on this process may be ended."""
    _permissions.append(True)


def arm(seconds: float) -> None:
    """Let the kernel end us some time after the run's own limit of so many seconds.

    Raises ExaminationError where there is not even room for the interpreter to run.
    """
    if not _permissions:
        return
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds + LATE_SECONDS)
    with contextlib.suppress(ImportError):
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
        if 0 <= allowed < LEAST_ADDRESS_SPACE:
            raise ExaminationError(
                f"The limit on this process's memory (`ulimit -v`) is {allowed >> 20} MiB; gpudoctor itself needs "
                f"{LEAST_ADDRESS_SPACE >> 20} MiB of address space to look around, and torch needs gigabytes."
            )
        if allowed >= 0:
            _spare_address_space()


def _spare_address_space() -> None:
    """Keep the threads from reserving what a limit counts: 8 MiB of stack each, and 64 MiB for glibc's allocator."""
    import _thread

    with contextlib.suppress(Exception):
        _thread.stack_size(STACK_BYTES)
        import ctypes

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
