"""Forks the ranks of a ring, follows each to its end, and says which one stood in the way of the others.

The ranks stay in the process group of the step, so that whoever kills the group kills them. A rank reports through a
pipe; what it and its libraries print, and NCCL's own log, go to memory files that vanish with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

TICK_S = 0.02
# After the first rank failed, the others are given this long to say what they saw of it.
ECHO_S = 0.6
# Between the signal that makes Python show its stack and the one that nothing withstands.
STACK_S = 0.3
REAP_S = 2.0
TEXT_BYTES = 16_000
LOG_BYTES = 400_000
THROUGH = "through"


def memory_file(name: str) -> int:
    """A descriptor of a file that has no name and leaves nothing behind. Raises OSError."""
    if hasattr(os, "memfd_create"):
        try:
            return os.memfd_create(name)
        except OSError:
            pass  # forbidden by a sandbox
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def read_file(descriptor: int, limit: int) -> str:
    """The beginning and the end of such a file."""
    size = os.fstat(descriptor).st_size
    if size <= limit:
        return os.pread(descriptor, limit, 0).decode("utf-8", "backslashreplace")
    half = limit // 2
    pieces = (os.pread(descriptor, half, 0), b"\n...\n", os.pread(descriptor, half, size - half))
    return b"".join(pieces).decode("utf-8", "backslashreplace")


class Rank:
    """One forked rank as its parent sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.control = -1
        self.release = -1
        self.output = memory_file("rank-output")
        self.log = memory_file("rank-log")
        self.pending = b""
        self.seen: dict[str, Any] = {"rank": number, "phase": "start", "state": "entered", "order": 0, "measured": []}
        self.status: int | None = None
        self.killed = False

    def hear(self) -> bool:
        """Take in what it reports; whether there was anything."""
        heard = False
        while True:
            try:
                data = os.read(self.control, 65536)
            except (BlockingIOError, OSError):
                break
            if not data:
                break
            heard = True
            self.pending += data
        *lines, self.pending = self.pending.split(b"\n")
        for raw in lines:
            line = json.loads(raw.decode("utf-8"))
            if "measured" in line:
                self.seen["measured"].append(line.pop("measured"))
            if "phase" in line and line.get("state") == "entered":
                self.seen["order"] += 1
            self.seen.update(line)
        return heard

    def ended(self) -> bool:
        """Whether it has ended; its status is kept."""
        if self.status is None and self.pid:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except OSError:
                pid, status = self.pid, 0
            if pid:
                self.status = status
                self.seen["ended_at"] = time.time()
                self.hear()
        return self.status is not None

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than by being through, or said that it failed."""
        if self.seen.get("state") in ("raised", "wrong"):
            return True
        return self.ended() and self.seen["phase"] != THROUGH

    def send(self, number: int) -> None:
        """Signal it, if it is still there."""
        if self.status is None and self.pid:
            try:
                os.kill(self.pid, number)
            except OSError:
                pass

    def state_of_process(self) -> str:
        """The kernel's letter for it: T is stopped, D is stuck in the kernel."""
        try:
            with open("/proc/%d/stat" % self.pid, "rb") as file:
                return file.read().rpartition(b")")[2].split()[0].decode()
        except (OSError, IndexError):
            return ""

    def told(self) -> dict[str, Any]:
        """Everything about its end, as plain data."""
        found = dict(self.seen)
        if self.status is not None and not self.killed:
            if os.WIFSIGNALED(self.status):
                found["signal"] = os.WTERMSIG(self.status)
            elif found["phase"] != THROUGH and found.get("state") not in ("raised", "wrong"):
                found["exit_status"] = os.WEXITSTATUS(self.status)
        found["killed"] = self.killed
        found["output"] = read_file(self.output, TEXT_BYTES)
        found["log"] = read_file(self.log, LOG_BYTES)
        return found

    def close(self) -> None:
        """Give back what it used."""
        for descriptor in (self.control, self.release, self.output, self.log):
            if descriptor >= 0:
                os.close(descriptor)


class Attempt:
    """One try of the ring: these ranks, this environment, these limits."""

    def __init__(
        self,
        work: Callable[[int, Callable[..., None]], None],
        numbers: Iterable[int],
        environment: dict[str, str | None],
        limits: dict[str, float],
    ) -> None:
        self.work = work
        self.numbers = list(numbers)
        self.environment = environment
        self.limits = limits
        self.ranks: list[Rank] = []

    def run(
        self,
        deadline: float,
        broken_off: Callable[[bool], bool] = lambda failed: False,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> list[dict[str, Any]]:
        """Start all ranks and see them to their end, at the latest at the monotonic `deadline`.

        `broken_off` is asked now and then, with whether one of ours failed, and says that it is over elsewhere;
        `may_leave` says whether ranks that are through may go.
        """
        try:
            for number in self.numbers:
                self.ranks.append(self.fork(number))
            self.follow(deadline, broken_off, may_leave)
            self.end_all()
            return [rank.told() for rank in self.ranks]
        finally:
            self.end_all()
            for rank in self.ranks:
                rank.close()

    def fork(self, number: int) -> Rank:
        """One more rank. Raises OSError where the system allows none."""
        rank = Rank(number)
        rank.control, control = os.pipe()
        release, rank.release = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        rank.pid = os.fork()
        if rank.pid == 0:
            try:
                os.close(rank.control)
                os.close(rank.release)
                for other in self.ranks:
                    os.close(other.control)
                    os.close(other.release)
                self.be_rank(rank, control, release)
            finally:
                os._exit(72)
        os.close(control)
        os.close(release)
        os.set_blocking(rank.control, False)
        return rank

    def be_rank(self, rank: Rank, control: int, release: int) -> None:
        """The rank's own side; ends the process."""
        die_with_parent()
        os.dup2(rank.output, 1)
        os.dup2(rank.output, 2)
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value.replace("{log}", "/proc/self/fd/%d" % rank.log)

        def tell(**line: Any) -> None:
            data = json.dumps(line, default=repr).encode("utf-8") + b"\n"
            while data:
                data = data[os.write(control, data) :]

        try:
            self.work(rank.number, tell)
        except BaseException as error:
            import traceback

            traceback.print_exc()
            wrong = type(error).__name__ == "WrongResultError"
            text = str(error) if wrong else "%s: %s" % (type(error).__name__, error)
            tell(state="wrong" if wrong else "raised", error=text[:8000], at=time.time())
            sys.stderr.flush()
        # Whoever is through first must not close the connections that others still use.
        os.read(release, 1)
        os._exit(0)

    def follow(self, deadline: float, broken_off: Callable[[bool], bool], may_leave: Callable[[], bool]) -> None:
        """Wait until all are through, one fails and the others had time to say so, or nobody gets any further."""
        poll = select.poll()
        for rank in self.ranks:
            poll.register(rank.control, select.POLLIN)
        moved, failed_at, gone = time.monotonic(), 0.0, set()
        while True:
            poll.poll(TICK_S * 1000)
            for rank in self.ranks:
                if rank.hear():
                    moved = time.monotonic()
                if rank.number not in gone and rank.ended():
                    gone.add(rank.number)
                    poll.unregister(rank.control)
            now = time.monotonic()
            failed = any(rank.failed for rank in self.ranks)
            if failed and not failed_at:
                failed_at = now
            if all(rank.seen["phase"] == THROUGH or rank.failed for rank in self.ranks) and (failed or may_leave()):
                return
            stop = (failed_at and now - failed_at >= ECHO_S) or now - moved >= self.patience() or now >= deadline
            if stop or broken_off(bool(failed)):
                return

    def patience(self) -> float:
        """How long nothing may happen where the last of them is."""
        last = min((rank for rank in self.ranks if not rank.failed), key=lambda rank: rank.seen["order"], default=None)
        phase = last.seen["phase"] if last is not None else ""
        return self.limits.get(phase, self.limits["other"])

    def end_all(self) -> None:
        """End every rank: those that are through by letting them go, the others so that they show where they stand."""
        late = [rank for rank in self.ranks if not rank.failed and rank.seen["phase"] != THROUGH]
        for rank in [rank for rank in late if not rank.killed]:
            rank.seen["process_state"] = rank.state_of_process()
            rank.killed = True
            rank.send(signal.SIGABRT)
        for rank in self.ranks:
            if rank.release >= 0:
                os.close(rank.release)
                rank.release = -1
        self.wait(STACK_S)
        for rank in self.ranks:
            if not rank.ended():
                rank.killed = True
                rank.send(signal.SIGKILL)
        self.wait(REAP_S)

    def wait(self, seconds: float) -> None:
        """Until all have ended, or that long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not all(rank.ended() for rank in self.ranks):
            time.sleep(0.005)


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    except Exception:
        pass  # the group is killed as well
