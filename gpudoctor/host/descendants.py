"""Finding and killing what a child left behind, also what moved to a session of its own.

The process group alone does not do: a launcher that calls setsid() leaves it, and a double fork leaves the tree as
well. So every child carries a token in its environment, which everything it starts inherits; `/proc` tells who has it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable

from gpudoctor.model.record import record

TOKEN_VARIABLE = "GPUDOCTOR_RUN"
MAXIMUM_ENVIRON_BYTES = 4 * 1024 * 1024
ROUNDS = 6


@record
class Process:
    """One line of /proc. `started` counts in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it can still do anything; a zombie cannot."""
        return self.state not in "ZXx"


def process(pid: int) -> Process | None:
    """What /proc says about a process; None when it is gone or hidden."""
    data = _read(f"/proc/{pid}/stat", 4096)
    # The name stands in parentheses and may hold anything, parentheses and blanks included.
    fields = data[data.rfind(b")") + 1 :].split()
    try:
        return Process(pid, fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))
    except (IndexError, ValueError):
        return None


def _read(path: str, limit: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    data = bytearray()
    try:
        while len(data) < limit:
            piece = os.read(fd, min(limit - len(data), 262144))
            if not piece:
                break
            data += piece
    except OSError:
        pass
    finally:
        os.close(fd)
    return bytes(data)


def _all(since: int) -> list[Process]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return []
    own = os.getpid()
    found = (process(int(name)) for name in names if name.isdigit() and int(name) != own)
    return [one for one in found if one is not None and one.alive and one.started >= since]


def _carries(pid: int, token: str, prefix: bool) -> bool:
    wanted = f"{TOKEN_VARIABLE}={token}".encode()
    for entry in _read(f"/proc/{pid}/environ", MAXIMUM_ENVIRON_BYTES).split(b"\0"):
        if entry == wanted or (prefix and entry.startswith(wanted)):
            return True
    return False


def find(token: str, since: int, leader: int = 0, prefix: bool = False) -> list[Process]:
    """The living processes that belong to a child: by token, by session, or below it in the tree of parents.

    `since` (clock ticks) passes over what is older than the child. With `prefix` every token that begins so counts.
    """
    everything = _all(since)
    family = {leader} if leader else set()
    found: list[Process] = []
    rest = everything
    while True:
        new = [one for one in rest if leader and (one.pid == leader or one.session == leader or one.parent in family)]
        if not new:
            break
        found += new
        family.update(one.pid for one in new)
        rest = [one for one in rest if one.pid not in family]
    return found + [one for one in rest if _carries(one.pid, token, prefix)]


def kill(victim: Process) -> None:
    """SIGKILL to exactly this process: a process id that was given away meanwhile is left in peace."""
    with contextlib.suppress(OSError):
        if not hasattr(os, "pidfd_open"):
            os.kill(victim.pid, signal.SIGKILL)
            return
        try:
            handle = os.pidfd_open(victim.pid)
        except PermissionError:
            os.kill(victim.pid, signal.SIGKILL)
            return
        except OSError as error:
            if error.errno == errno.ENOSYS:  # a kernel before 5.3
                os.kill(victim.pid, signal.SIGKILL)
            return
        try:
            now = process(victim.pid)
            if now is not None and now.started == victim.started:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def sweep(search: Callable[[], list[Process]]) -> tuple[int, ...]:
    """Kill what `search` finds until nothing new turns up; the process ids that took no notice come back.

    Several rounds, because a process may fork between the look and the blow.
    """
    killed: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        found = [one for one in search() if (one.pid, one.started) not in killed]
        if not found:
            break
        for victim in found:
            kill(victim)
            killed.add((victim.pid, victim.started))
    return tuple(sorted(one.pid for one in search() if one.state == "D")) if killed else ()
