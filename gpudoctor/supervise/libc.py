"""Three calls of the C library that Python has no words for. Without ctypes, we do without them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

PR_SET_PDEATHSIG = 1
SFD_NONBLOCK, SFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
MASK_BYTES = 128
RECORD_BYTES = 128
FROM_KERNEL = 0x80  # si_code of what the terminal or the kernel itself sent

try:
    import ctypes

    _libc: Any = ctypes.CDLL(None, use_errno=True)
except Exception:  # noqa: BLE001 - a Python without ctypes, or a system that forbids it: we do without
    _libc = None


class Arrived(NamedTuple):
    """A signal that came: its number, whether the terminal or the kernel sent it, and else who did."""

    number: int
    from_kernel: bool = False
    sender: int = 0
    sender_uid: int = -1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Let the kernel end this process when its parent ends, however that comes about."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def signal_descriptor(numbers: Iterable[int]) -> int:
    """A descriptor from which blocked signals are read; -1 where there is none to be had."""
    if _libc is None:
        return -1
    mask = bytearray(MASK_BYTES)
    for number in numbers:
        mask[(number - 1) // 8] |= 1 << (number - 1) % 8
    try:
        return int(_libc.signalfd(-1, bytes(mask), SFD_NONBLOCK | SFD_CLOEXEC))
    except (AttributeError, ctypes.ArgumentError):
        return -1


def read_signals(descriptor: int) -> list[Arrived]:
    """What has come since the last look."""
    try:
        data = os.read(descriptor, RECORD_BYTES * 32)
    except OSError:
        return []
    found = []
    for start in range(0, len(data), RECORD_BYTES):
        number, _, code, sender, uid = (
            int.from_bytes(data[start + place : start + place + 4], sys.byteorder) for place in (0, 4, 8, 12, 16)
        )
        found.append(Arrived(number, code == FROM_KERNEL, sender, uid))
    return found
