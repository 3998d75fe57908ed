"""Processes that a test left running, told by a mark in their environment."""

from __future__ import annotations

import contextlib
import os

import psutil


def left_over(mark: str) -> list[str]:
    """Processes other than this one that were started with the mark in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            dead = process.status() == psutil.STATUS_ZOMBIE
            if process.pid != os.getpid() and not dead and process.environ().get("GPUDOCTOR_TEST_MARK") == mark:
                found.append(f"{process.pid} {process.cmdline()}")
    return found
