"""Signals that reach us go on to the command, once: whoever signalled our whole group has reached it already."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from gpudoctor.supervise.libc import Arrived, die_with_parent, read_signals, signal_descriptor

ALL = frozenset(signal.valid_signals())
CHILD, WINDOW = signal.SIGCHLD, signal.SIGWINCH
CONTINUE, STOPS = signal.SIGCONT, (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
# Asked for by a terminal of us, not by a person.
NEVER_PASSED_ON = (signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU)
# A signal to a group reaches its members one after the other, within microseconds.
GROUP_SECONDS = 0.002


def block_all() -> set[signal.Signals]:
    """Hold every signal back until somebody reads it; gives what was held back before."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ALL))  # type: ignore[arg-type]


class Inbox:
    """Where blocked signals are read. `descriptor` is -1 where one has to look again and again."""

    def __init__(self) -> None:
        self.descriptor = signal_descriptor(int(number) for number in ALL)

    def read(self) -> list[Arrived]:
        """What has come."""
        if self.descriptor >= 0:
            return read_signals(self.descriptor)
        found: list[Arrived] = []
        while True:
            told = signal.sigtimedwait(ALL, 0)
            if told is None:
                return found
            found.append(Arrived(told.si_signo, told.si_code == 0x80, told.si_pid, told.si_uid))


class Bystander:
    """A process of our group that does nothing: what reaches it too was meant for the group, and so for the command.

    It has no core to be found by: its signals stay pending, where the kernel's table of the process shows them.
    """

    def __init__(self) -> None:
        self.pid = 0
        with contextlib.suppress(OSError):
            reading, self._writing = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                try:
                    self._stand(reading)
                finally:
                    os._exit(0)
            os.close(reading)

    def _stand(self, reading: int) -> None:
        die_with_parent()
        os.close(self._writing)
        nothing = os.open(os.devnull, os.O_RDWR)
        # It must not hold open what others wait to see closed.
        for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
            if descriptor not in (reading, nothing):
                with contextlib.suppress(OSError):
                    os.close(descriptor) if descriptor > 2 else os.dup2(nothing, descriptor)
        while os.read(reading, 1):
            while signal.sigtimedwait(ALL, 0) is not None:
                pass

    def was_reached(self, number: int) -> bool:
        """Whether a signal that has just come to us came to the group."""
        if not self.pid:
            return False
        time.sleep(GROUP_SECONDS)
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
                pending = [int(line.split()[1], 16) for line in file if line.startswith(("SigPnd:", "ShdPnd:"))]
            os.write(self._writing, b".")
            return any(one >> (number - 1) & 1 for one in pending)
        return False

    def leave(self) -> None:
        """Let it go."""
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
