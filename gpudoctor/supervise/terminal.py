"""The terminal that we stand on: every key goes on to the command's own terminal, and it is given back as it was."""

from __future__ import annotations

import contextlib
import os
import termios

KEYS_BYTES = 4096


class OuterTerminal:
    """The terminal that we stand on, made to hand every key on untouched, and given back as it was."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)
        self.interrupt = bytes(self._before[6][termios.VINTR]) or b"\x03"
        self.is_raw = False

    def grasp(self) -> None:
        """Take it, if we are in its foreground: it belongs to somebody else otherwise."""
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return
            if not self.is_raw:
                self._before = termios.tcgetattr(self._descriptor)
            raw = [*self._before[:6], list(self._before[6])]
            raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON | termios.INLCR)
            raw[0] &= ~termios.IGNCR
            raw[1] &= ~termios.OPOST
            raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
            raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, raw)
            self.is_raw = True

    def give_back(self) -> None:
        """As it was."""
        if self.is_raw:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            self.is_raw = False


class Keyboard:
    """What is typed, on its way to the command's terminal (`inner`); nothing is read before the last keys are gone."""

    def __init__(self, inner: int) -> None:
        self.inner = inner
        self.outer = OuterTerminal()
        self.outer.grasp()
        self.keys = b""
        self.interrupted = False
        self._is_gone = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether the terminal serves somebody else for now: a shell may bring us back to it without a word."""
        return not self.outer.is_raw and not self._is_gone

    def type(self) -> None:
        """Take what was typed."""
        try:
            self.keys = os.read(0, KEYS_BYTES)
        except OSError:
            self.keys = b""
        self.interrupted = self.interrupted or self.outer.interrupt in self.keys
        if not self.keys:
            self._is_gone, self.outer.is_raw = True, False  # nothing is read from it any more
        self.press()

    def press(self) -> None:
        """Hand it on, as much as there is room for."""
        with contextlib.suppress(OSError):
            self.keys = self.keys[os.write(self.inner, self.keys) :] if self.keys else b""
