"""What is looked at while the command runs: seldom, briefly, and never at the command's cost."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from gpudoctor.supervise.counters import Groups, shm_used_bytes, tree_resident_bytes
from gpudoctor.supervise.libc import die_with_parent

# A look may take this part of the time between two looks; large trees of processes are looked at less often.
SHARE = 0.005
SIGNS_OF_GPUS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version")
LIBRARY = "libnvidia-ml.so.1"
LONGEST_LINE = 256 << 10
KERNEL_LOG = "/dev/kmsg"
MOST_KERNEL_BYTES = 1 << 20


class Peaks:
    """The most that was seen of each, in bytes; None where it could not be read."""

    def __init__(self, groups: Groups, pid: int, interval: float) -> None:
        self._groups, self._pid, self._interval = groups, pid, interval
        self.tree: int | None = None
        self.group: int | None = None
        self.shm: int | None = None
        self.next = time.monotonic()
        self.looks = 0
        self.pids: set[int] = {pid}

    def look(self) -> None:
        """Look once, and say when to look again."""
        began = time.process_time()
        self.tree = _larger(self.tree, tree_resident_bytes(self._pid, self.pids) or None)
        self.group = _larger(self.group, self._groups.memory_bytes())
        self.shm = _larger(self.shm, shm_used_bytes())
        self.looks += 1
        # The first looks come close together: what dies early dies fast.
        wait = self._interval if self.looks > 4 else self._interval * self.looks / 8
        self.next = time.monotonic() + max(wait, (time.process_time() - began) / SHARE)


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


class GpuWatch:
    """A child that asks NVML about the GPUs and writes one line after each look; we keep the last.

    It is ours to lose: whatever it does, it is killed at the end.
    """

    def __init__(self, interval: float) -> None:
        self.pid, self.descriptor = 0, -1
        self._stop = -1
        self._buffer = b""
        self.line = b""
        with contextlib.suppress(OSError):
            if any(os.path.lexists(path) for path in SIGNS_OF_GPUS) or _library_given():
                self._start(interval)

    def _start(self, interval: float) -> None:
        script = os.path.join(os.path.dirname(os.path.dirname(__file__)), "collect", "scripts", "nvml_watch.py")
        self.descriptor, theirs = os.pipe()
        stopping, self._stop = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                die_with_parent()
                os.setpgid(0, 0)
                os.dup2(stopping, 0)
                os.dup2(theirs, 1)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                os.closerange(3, 256)
                os.execv(sys.executable, [sys.executable, "-B", script, f"{interval:g}"])
            finally:
                os._exit(127)
        os.close(theirs)
        os.close(stopping)
        os.set_blocking(self.descriptor, False)

    def read(self) -> None:
        """Take what it wrote."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os.close(self.descriptor)
            self.descriptor = -1
            return
        self._buffer = (self._buffer + data)[-LONGEST_LINE:]
        *whole, self._buffer = self._buffer.split(b"\n")
        if whole:
            self.line = whole[-1]

    def ask_for_the_end(self) -> None:
        """Have it look once more, tell, and end."""
        if self._stop >= 0:
            os.close(self._stop)
            self._stop = -1

    def kill(self) -> None:
        """End it, wherever it is."""
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)


def _library_given() -> bool:
    folders = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return any(folder and os.path.lexists(f"{folder}/{LIBRARY}") for folder in folders)


class KernelLog:
    """The kernel's log from now on, where it may be read."""

    def __init__(self) -> None:
        self._descriptor = -1
        self.refusal = ""
        try:
            self._descriptor = os.open(KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            self.refusal = f"{KERNEL_LOG}: {os.strerror(error.errno or 0)}"

    def read(self) -> str:
        """What it said since then, as records of /dev/kmsg."""
        if self._descriptor < 0:
            return ""
        records, size = [], 0
        while size < MOST_KERNEL_BYTES:
            try:
                record = os.read(self._descriptor, 8192)
            except BrokenPipeError:  # records were overwritten before they were read; the next read goes on after them
                continue
            except OSError:
                break
            if not record:
                break
            records.append(record)
            size += len(record)
        return b"".join(records).decode("utf-8", "surrogateescape")
