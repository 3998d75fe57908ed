"""The start of a run: as little as can be before the command lives, and the command alone where even that fails."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from typing import NoReturn

from gpudoctor.supervise.counters import Groups
from gpudoctor.supervise.launch import IGNORED_BY_PYTHON, end_like, execute, lift_limits, start
from gpudoctor.supervise.loop import Run
from gpudoctor.supervise.options import RunSettings
from gpudoctor.supervise.plainly import wait_plainly
from gpudoctor.supervise.record import Record
from gpudoctor.supervise.signals import block_all
from gpudoctor.supervise.streams import fill_places, plan
from gpudoctor.supervise.surroundings import surroundings


def supervise(settings: RunSettings, aftermath: Callable[[Record], None]) -> NoReturn:
    """Run the command, and end like it. `aftermath` is called in a process of its own when the command failed, or
    when something was asked for at its end."""
    mask = block_all()
    closed = fill_places()
    try:
        groups = Groups()
        before = groups.counters()
        around = surroundings(os.environ, settings.nccl_log)
        planned = plan(closed)
        began = time.time()
        started = start(settings.command, around.env, planned.streams, mask)
    except Exception:  # noqa: BLE001 - no process, no pipe, no memory for us: then the command alone, as it was called
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name in IGNORED_BY_PYTHON:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_DFL)
        execute(settings.command, os.environ)
    for descriptor in planned.to_close:
        os.close(descriptor)
    try:
        run = Run(settings, aftermath, planned, started, around)
    except Exception:  # noqa: BLE001 - the command runs already: nothing is left to us but to wait for it
        end_like(wait_plainly(planned.channels, started))
    try:
        lift_limits(resource.RLIMIT_CPU)  # what passing its output on takes must not end us, and so the command
        run.began = began
        run.watch(groups, before)
        run.to_the_end()
    finally:
        run.leave()
