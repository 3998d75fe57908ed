"""What one run was like: everything that was seen of it, in plain values, before anybody judges it."""

from __future__ import annotations

from typing import NamedTuple

from gpudoctor.supervise.libc import Arrived
from gpudoctor.supervise.options import RunSettings
from gpudoctor.supervise.ring_buffer import RingBuffer
from gpudoctor.supervise.surroundings import Surroundings


class Used(NamedTuple):
    """What the kernel says that the command used: memory in bytes (its largest process), processor time in seconds."""

    largest_bytes: int = 0
    user_seconds: float = 0.0
    system_seconds: float = 0.0


class Record(NamedTuple):
    """One run. `status` is as waitpid() gives it; counters are by name, before and after; `log` is of /dev/kmsg.

    `outputs` are the streams by name; `unread` says of a stream why it is not known. `signals` are those passed on;
    `limits` those of the command that can end it, as /proc/PID/limits has them.
    """

    settings: RunSettings
    surroundings: Surroundings
    status: int
    began: float
    seconds: float
    pid: int
    pids: frozenset[int]
    used: Used
    before: dict[str, int]
    after: dict[str, int]
    group_path: str
    peak_tree_bytes: int | None
    peak_group_bytes: int | None
    peak_shm_bytes: int | None
    outputs: list[tuple[str, RingBuffer]]
    unread: list[str]
    log: str
    log_refusal: str
    gpu_line: bytes
    signals: list[Arrived]
    limits: tuple[str, ...] = ()
