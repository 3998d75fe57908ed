"""What is left to do when we have broken: the command's output, the signals meant for it, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

from gpudoctor.supervise.launch import Started
from gpudoctor.supervise.streams import Channel, relay

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# On a terminal that the command shares with us it gets these itself.
TYPED = (signal.SIGINT, signal.SIGQUIT)


def wait_plainly(channels: list[Channel], started: Started) -> int:
    """Pass everything on and wait, without watching anything; gives the command's status."""
    with contextlib.suppress(OSError, ValueError):
        _pass_signals_on(started)
    with contextlib.suppress(OSError, ValueError):
        relay(channels)
    return os.waitpid(started.pid, 0)[1] if started.told_on < 0 else _told(started)


def _pass_signals_on(started: Started) -> None:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):
            os.kill(started.pid, number)

    for number in (*PASSED_ON, *TYPED):
        signal.signal(number, pass_on if number in PASSED_ON or started.told_on >= 0 else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*PASSED_ON, *TYPED))


def _told(started: Started) -> int:
    """The status as the command's keeper tells it, last; our own waiting would only tell how the keeper ended."""
    os.set_blocking(started.told_on, True)
    told = b""
    while piece := os.read(started.told_on, 4096):
        told += piece
    statuses = [int(line.split()[0]) for line in told.splitlines() if line[:1].isdigit()]
    return statuses[-1] if statuses else os.waitpid(started.keeper, 0)[1]
