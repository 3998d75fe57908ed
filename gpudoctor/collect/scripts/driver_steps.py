"""How a driver child reports: a line before each foreign call and one after it, so that the last names the killer.

Shared by the two scripts beside it. A call that does not come back within its limit is ended by SIGALRM's default
action, which also ends a thread that sits inside a C library; the host's own limit stands behind that.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

MACHINE = -1  # the `gpu` of a step that concerns no single device


class RefusedError(Exception):
    """The library answered with an error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class LeftOutError(Exception):
    """An earlier child died in this call, so that this one does not make it."""


class Steps:
    """The plan that came in and the lines that go out.

    The plan's `skip` lists pairs of a call and a device; null stands for every call or every device. `limits` gives
    the seconds that a call may take, by step, with `""` for all others.
    """

    def __init__(self, argv: list[str]) -> None:
        self._results = int(argv[1])
        plan = json.loads(_read_all(int(argv[2])) or "{}")
        self._skip = {tuple(pair) for pair in plan.get("skip", ())}
        self._limits: dict[str, float] = plan.get("limits", {})
        self._step, self._gpu, self._call = "", MACHINE, ""
        self.codes: dict[int, None] = {}  # every error code so far, in order
        # Whoever started us may have left the alarm ignored or blocked, and both outlive exec.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})

    def say(self, **line: Any) -> None:
        """Write one result line at once."""
        os.write(self._results, json.dumps(line, default=str).encode() + b"\n")

    def announce(self, call: str) -> None:
        """Name the foreign call that comes next within the step, and start its clock; LeftOutError when it is not to be
        made. Calling the same function again within a step needs no new line."""
        if call == self._call:
            return
        self._call = call
        if self._skip & {(call, self._gpu), (call, None), (None, self._gpu)}:
            raise LeftOutError(call)
        self.say(step=self._step, gpu=self._gpu, begin=call)
        signal.setitimer(signal.ITIMER_REAL, self._limits.get(self._step, self._limits.get("", 0.0)))

    def take(self, step: str, gpu: int, read: Callable[[], Any]) -> Any:
        """Run one step, which announces its calls, and report its value, the library's error code, or our own trouble
        with the answer. Returns the value, or None where there is none."""
        self._step, self._gpu, self._call = step, gpu, ""
        answer: dict[str, Any]
        try:
            answer = {"value": read()}
        except RefusedError as refused:
            self.codes[refused.code] = None
            answer = {"code": refused.code}
        except LeftOutError:
            answer = {"skipped": self._call}
        except Exception as error:  # noqa: BLE001 - junk from a sick library must cost this step only
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        self.say(step=step, gpu=gpu, call=self._call, **answer)
        return answer.get("value")


def loaded_path(soname: str) -> str:
    """The file that a library was really loaded from, as the kernel maps it; empty where that cannot be told."""
    stem = soname.split(".so")[0] + ".so"
    try:
        with open("/proc/self/maps", "rb") as maps:
            for line in maps.read().decode("utf-8", "surrogateescape").splitlines():
                path = line.split(None, 5)[5] if line.count(" ") >= 5 and "/" in line else ""
                if os.path.basename(path).startswith(stem):
                    return path
    except (OSError, IndexError):
        pass
    return ""


def _read_all(descriptor: int) -> str:
    pieces: list[bytes] = []
    while True:
        piece = os.read(descriptor, 65536)
        if not piece:
            return b"".join(pieces).decode()
        pieces.append(piece)
