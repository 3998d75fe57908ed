"""Which signal goes on to the command, and how, and what stopping and continuing means for us."""

from __future__ import annotations

import contextlib
import os
import signal

from gpudoctor.supervise.launch import Started
from gpudoctor.supervise.libc import Arrived
from gpudoctor.supervise.signals import NEVER_PASSED_ON, Bystander
from gpudoctor.supervise.terminal import Keyboard

MOST_NOTED = 64
# The kernel sends these for what we do ourselves: a reader of ours that went, a limit that we reached.
OF_OUR_OWN = (signal.SIGPIPE, signal.SIGXCPU, signal.SIGXFSZ)
# Typed at a terminal that the command shares with us, it has got these itself.
TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)


class Forwarder:
    """The way of signals from whoever means the command to the command. `noted` are those that went it."""

    def __init__(self, started: Started, keyboard: Keyboard | None) -> None:
        self._started, self._keyboard = started, keyboard
        # With a session of its own, and as the first process of a container, no group is shared with the command.
        shared = keyboard is None and os.getpid() != 1
        self.bystander = Bystander() if shared else None
        self.noted: list[Arrived] = []

    def pass_on(self, arrived: Arrived) -> None:
        """Let the command have it, unless it has got it already."""
        number = arrived.number
        by_ourselves = arrived.from_kernel or arrived.sender == os.getpid()
        if number in NEVER_PASSED_ON or (number in OF_OUR_OWN and by_ourselves):
            return
        if number == signal.SIGCONT:
            self.go_on()
            return
        if self._keyboard is None:
            if arrived.from_kernel and number in TYPED:
                return
            if self.bystander is not None and self.bystander.was_reached(number):
                self._note(arrived)
                return
        elif number == signal.SIGWINCH:
            return  # its own terminal has told it
        self._note(arrived)
        with contextlib.suppress(OSError):
            if self._keyboard is not None and number == signal.SIGTSTP:
                os.killpg(self._started.pid, number)
            else:
                os.kill(self._started.pid, number)

    def _note(self, arrived: Arrived) -> None:
        if len(self.noted) < MOST_NOTED and arrived.number != signal.SIGWINCH:
            self.noted.append(arrived)

    def go_on(self) -> None:
        """We were continued, and so is the command."""
        with contextlib.suppress(OSError):
            if self._keyboard is not None:
                self._keyboard.outer.grasp()
                os.killpg(self._started.pid, signal.SIGCONT)
            else:
                os.kill(self._started.pid, signal.SIGCONT)

    def stop(self) -> None:
        """The command was stopped: whoever waits for us must see a stopped process, as without us."""
        if self._keyboard is not None:
            self._keyboard.outer.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        if self._keyboard is not None:
            self._keyboard.outer.grasp()
