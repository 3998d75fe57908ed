"""Groups of steps, each run in a forked child of the process that imported torch.

What may initialise CUDA, and so may crash, hang or spoil later forks, happens only here. A step is one file with
`run(torch, options, emit, load)`, where `load` gives another of our files; the steps of a group share one child and
with it one CUDA context. A step that dies takes its child along, becomes data, and the rest of the group goes on in a
fresh child unless the step was `needed`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Emit = Callable[[dict[str, Any]], None]

OUTPUT_HALF = 12_000
STACK_GRACE_S = 0.5
REAP_GRACE_S = 2.0


class Output:
    """What a child prints: its head and its tail."""

    def __init__(self) -> None:
        self.head = b""
        self.tail = b""
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take in more."""
        room = OUTPUT_HALF - len(self.head)
        self.head += data[:room]
        rest = self.tail + data[room:] if room > 0 else self.tail + data
        self.dropped += max(0, len(rest) - OUTPUT_HALF)
        self.tail = rest[-OUTPUT_HALF:]

    def take(self) -> str:
        """Everything since the last call, as text."""
        middle = b"\n... %d bytes left out ...\n" % self.dropped if self.dropped else b""
        text = (self.head + middle + self.tail).decode("utf-8", "backslashreplace")
        self.head, self.tail, self.dropped = b"", b"", 0
        return text


def run_group(
    torch: Any,
    group: dict[str, Any],
    deadline: float,
    emit: Emit,
    load: Callable[[str], Any],
    libraries: Callable[..., dict[str, Any]],
) -> None:
    """Run all steps of a group. `deadline` is the monotonic time at which we must be through."""
    steps = list(group.get("steps", []))
    while steps:
        if time.monotonic() >= deadline:
            tell_rest(steps, emit, {"outcome": "timed_out", "error": "no time was left for it"})
            return
        watch = Watch(steps, deadline, emit, libraries, bool(group.get("fresh_after_failure")))
        try:
            watch.run(torch, group, load)
        except OSError as error:
            tell_rest(steps, emit, {"outcome": "failed", "error": "%s: %s" % (type(error).__name__, error)})
            return
        steps = steps[max(1, watch.done) :]
        if watch.failed_needed:
            tell_rest(steps, emit, {"outcome": "blocked", "blocked_by": watch.failed_needed})
            return


def tell_rest(steps: list[dict[str, Any]], emit: Emit, line: dict[str, Any]) -> None:
    """Say of each step why it did not run."""
    for step in steps:
        emit(dict(line, step=step["name"]))


class Watch:
    """One child and its parent's view of it: the step it is in, that step's limit, and what it printed."""

    def __init__(
        self,
        steps: list[dict[str, Any]],
        deadline: float,
        emit: Emit,
        libraries: Callable[..., dict[str, Any]],
        fresh: bool = False,
    ) -> None:
        self.steps = steps
        self.fresh = fresh
        self.deadline = deadline
        self.emit = emit
        self.libraries = libraries
        self.output = Output()
        self.done = 0
        self.failed_needed = ""
        self.pid = 0
        self.assent = -1
        self.began = time.monotonic()
        self.limit = self.limit_of(0)
        self.pending = b""

    def limit_of(self, index: int) -> float:
        """When the step must be through, as monotonic time."""
        seconds = float(self.steps[index].get("limit_s", 20.0)) if index < len(self.steps) else 2.0
        return min(time.monotonic() + seconds, self.deadline)

    def run(self, torch: Any, group: dict[str, Any], load: Callable[[str], Any]) -> None:
        """Fork the child, follow it to its end, and tell what the end was."""
        control_read, control_write = os.pipe()
        output_read, output_write = os.pipe()
        assent_read, self.assent = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        try:
            self.pid = os.fork()
        except OSError:
            for descriptor in (control_read, control_write, output_read, output_write, assent_read, self.assent):
                os.close(descriptor)
            raise
        if self.pid == 0:
            try:
                for descriptor in (control_read, output_read, self.assent):
                    os.close(descriptor)
                child = load("forked_child.py").Child(control_write, output_write, assent_read)
                child.run(torch, group, self.steps, load, self.libraries)
            finally:
                os._exit(71)
        for descriptor in (control_write, output_write, assent_read):
            os.close(descriptor)
        os.set_blocking(output_read, False)
        os.set_blocking(control_read, False)
        timed_out = self.follow(control_read, output_read)
        status = self.reap()
        self.drain(output_read)
        self.hear(control_read)
        self.conclude(status, timed_out)
        for descriptor in (control_read, output_read, self.assent):
            os.close(descriptor)

    def follow(self, control: int, output: int) -> bool:
        """Pass on what the child says until it ends or a step oversteps its limit, which is answered."""
        poll = select.poll()
        poll.register(control, select.POLLIN)
        poll.register(output, select.POLLIN)
        while True:
            left = self.limit - time.monotonic()
            if left <= 0:
                self.kill(output)
                return True
            for descriptor, _ in poll.poll(min(left, 0.1) * 1000 + 1):
                if descriptor == control and not self.hear(control, output):
                    return False
                if descriptor == output and not self.drain(output):
                    poll.unregister(output)
            if self.ended():
                return False

    def hear(self, control: int, output: int = -1) -> bool:
        """Read what the child said. False when it has said its last."""
        while True:
            try:
                data = os.read(control, 65536)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self.pending += data
            while b"\n" in self.pending:
                raw, self.pending = self.pending.split(b"\n", 1)
                if output >= 0:
                    self.drain(output)
                try:
                    line = json.loads(raw.decode("utf-8"))
                except ValueError:
                    continue  # two processes of one step wrote at once
                self.pass_on(line)

    def pass_on(self, line: dict[str, Any]) -> None:
        """Forward one line, and follow which step the child is in."""
        outcome = line.get("outcome", "")
        if outcome and outcome != "started":
            line["output"] = self.output.take()
            line["seconds"] = round(time.monotonic() - self.began, 3)
            self.emit(line)
            self.close_step(outcome)
            try:
                os.write(self.assent, b".")
            except OSError:
                pass  # it has died meanwhile, which its end will tell
            return
        if outcome == "started":
            self.began = time.monotonic()
            self.limit = self.limit_of(self.done)
        self.emit(line)

    def close_step(self, outcome: str) -> None:
        """Count a step as dealt with."""
        step = self.steps[self.done] if self.done < len(self.steps) else {}
        if outcome != "completed" and step.get("needed"):
            self.failed_needed = str(step.get("name"))
        self.done += 1
        if outcome != "completed" and self.fresh:
            self.steps = self.steps[: self.done]  # the child leaves after this one, and another takes the rest
        self.limit = self.limit_of(self.done)

    def drain(self, output: int) -> bool:
        """Read what the child printed. False when nobody can print there any more."""
        while True:
            try:
                data = os.read(output, 65536)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self.output.add(data)

    def kill(self, output: int) -> None:
        """End a child that oversteps: SIGABRT first, because its stack is evidence; `reap` brings SIGKILL."""
        try:
            files = self.libraries(str(self.pid))["files"]
            self.emit({"step": self.steps[min(self.done, len(self.steps) - 1)]["name"], "files": files})
        except OSError:
            pass
        self.send(signal.SIGABRT)
        until = time.monotonic() + STACK_GRACE_S
        while time.monotonic() < until and not self.ended():
            self.drain(output)
            time.sleep(0.02)

    def send(self, number: int, group: bool = False) -> None:
        """Signal the child or its group; one that has gone needs none."""
        try:
            os.killpg(self.pid, number) if group else os.kill(self.pid, number)
        except OSError:
            pass

    def ended(self) -> bool:
        """Whether the child is a corpse, which is left lying so that its group's number stays taken."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except OSError:
            return True

    def reap(self) -> int | None:
        """Kill whatever is left of the group and collect the child; its wait status, None when it cannot be had."""
        while not self.ended() and self.limit > time.monotonic():
            time.sleep(0.002)
        self.send(signal.SIGKILL, group=True)
        self.send(signal.SIGKILL)
        until = time.monotonic() + REAP_GRACE_S
        while time.monotonic() < until:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except OSError:
                return None
            if pid:
                return status
            time.sleep(0.005)
        return None  # stuck inside the kernel, where no signal reaches it

    def conclude(self, status: int | None, timed_out: bool) -> None:
        """Tell the end of the step that the child did not come back from."""
        if self.done >= len(self.steps) or self.failed_needed:
            return
        line: dict[str, Any] = {"step": self.steps[self.done]["name"], "outcome": "crashed"}
        if status is not None and os.WIFSIGNALED(status):
            line["signal"] = os.WTERMSIG(status)
        elif status is not None:
            line.update(outcome="exited", status=os.WEXITSTATUS(status))
        if timed_out:
            line["outcome"] = "timed_out"
        line["output"] = self.output.take()
        line["seconds"] = round(time.monotonic() - self.began, 3)
        self.emit(line)
        self.close_step(line["outcome"])
