"""The forked child's side of a group: it runs the steps one after the other and says what they find.

It is loaded after the fork, in the process that may crash, and ends that process itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Child:
    """The process that the steps of a group share."""

    def __init__(self, control: int, output: int, assent: int) -> None:
        self.control = control
        self.output = output
        self.assent = assent

    def say(self, line: dict[str, Any]) -> None:
        """One line to the parent."""
        data = json.dumps(line, default=repr).encode("utf-8") + b"\n"
        while data:
            data = data[os.write(self.control, data) :]

    def run(
        self,
        torch: Any,
        group: dict[str, Any],
        steps: list[dict[str, Any]],
        load: Callable[[str], Any],
        libraries: Callable[..., dict[str, Any]],
    ) -> None:
        """All steps in order; ends the process."""
        os.setpgid(0, 0)
        die_with_parent()
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)
        os.close(self.output)
        print_warnings()
        for step in steps:
            self.say({"step": step["name"], "outcome": "started"})
            line = self.one(torch, step, load)
            if group.get("libraries"):
                try:
                    line["files"] = libraries()["files"]
                except OSError:
                    pass
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass
            self.say(line)
            # What the next step prints must not be there before the parent has taken what this one printed.
            leave = step.get("needed") or group.get("fresh_after_failure")
            if not os.read(self.assent, 1) or (line["outcome"] != "completed" and leave):
                break
        os._exit(0)

    def one(self, torch: Any, step: dict[str, Any], load: Callable[[str], Any]) -> dict[str, Any]:
        """One step; what it raises is its outcome."""
        name = step["name"]
        options = step.get("options", {})
        try:
            module = load(step["file"])
            if hasattr(module, "probe"):
                bench = load("bench.py").Bench(torch, options, lambda found: self.say(dict(found, step=name)), load)
                bench.run(module.probe)
            else:
                module.run(torch, options, lambda found: self.say(dict(found, step=name)), load)
        except SystemExit as error:
            return {"step": name, "outcome": "exited", "status": error.code if isinstance(error.code, int) else 1}
        except BaseException as error:
            return dict(failure(error), step=name, outcome="failed")
        return {"step": name, "outcome": "completed"}


def failure(error: BaseException) -> dict[str, Any]:
    """An exception as data."""
    import traceback

    try:
        text = str(error)[:8000]
        frames = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-8000:]
    except Exception:
        text, frames = "", ""
    name = type(error).__name__
    return {"error_type": name, "error": "%s: %s" % (name, text), "traceback": frames}


def print_warnings() -> None:
    """Warnings were kept aside for the import; from here on they belong to what a step prints."""
    import warnings

    original = getattr(warnings, "_showwarning_orig", None)
    if original is not None:
        warnings.showwarning = original


def die_with_parent() -> None:
    """Ask the kernel to end this child when its parent ends, whatever ends that one."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    except Exception:
        pass  # the host sweeps up descendants as well
