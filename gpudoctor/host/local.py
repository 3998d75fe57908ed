"""The live machine. Every look is bounded in bytes and every failure becomes a HostError with its reason."""

from __future__ import annotations

import errno
import os
import stat as stat_module
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from gpudoctor.host.base import DiskUse, FileInfo
from gpudoctor.host.failures import host_error

if TYPE_CHECKING:
    from gpudoctor.host.child import Children
    from gpudoctor.model.child import ChildEnd

DEFAULT_TIMEOUT_SECONDS = 60.0
READ_BYTES = 65536
# Where files of size 0 and devices are worth reading; anywhere else a FIFO or device would only be a trap.
KERNEL_FOLDERS = ("/proc/", "/sys/", "/dev/")
KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat_module.S_ISREG, "file"),
    (stat_module.S_ISDIR, "directory"),
    (stat_module.S_ISLNK, "link"),
    (stat_module.S_ISCHR, "char"),
    (stat_module.S_ISBLK, "block"),
    (stat_module.S_ISSOCK, "socket"),
    (stat_module.S_ISFIFO, "fifo"),
)

T = TypeVar("T")


def _asked(path: str, question: Callable[[], T]) -> T:
    try:
        return question()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise host_error(path, error) from error


class LocalHost:
    """This machine, for one run of at most `timeout_seconds`. As a context manager it ends all children at its end."""

    def __init__(
        self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._deadline = clock() + timeout_seconds
        self._starter: Children | None = None
        self._starting = threading.Lock()
        self._closed = False

    def __enter__(self) -> LocalHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill what still runs; later children are not started. For interruptions, from any thread."""
        with self._starting:
            self._closed = True
        if self._starter is not None:
            self._starter.close()

    @property
    def _children(self) -> Children:
        """What starts children, made for the first one: loading it costs as much as a quick answer may take."""
        from gpudoctor.host.child import Children

        with self._starting:
            if self._starter is None:
                self._starter = Children()
                if self._closed:
                    self._starter.close()
            return self._starter

    def remaining(self) -> float:
        """Seconds left of the run's time limit, never negative."""
        return max(0.0, self._deadline - self._clock())

    def read_text(self, path: str, limit: int = 1_000_000) -> str:
        """The text of a file, at most `limit` bytes of it."""
        return self.read_bytes(path, limit).decode("utf-8", "surrogateescape")

    def read_bytes(self, path: str, limit: int = 1_000_000, offset: int = 0) -> bytes:
        """A piece of a file; FIFOs and sockets are refused, and nothing is waited for."""
        return _asked(path, lambda: _read(path, limit, offset))

    def list_dir(self, path: str) -> tuple[str, ...]:
        """The names in a directory, sorted."""
        return _asked(path, lambda: tuple(sorted(os.listdir(path))))

    def stat(self, path: str, follow: bool = True) -> FileInfo:
        """What a path is; with `follow` the end of its links."""
        return _asked(path, lambda: _stat(path, follow))

    def real_path(self, path: str) -> str:
        """The path with all links resolved; the end of the links must exist."""

        def resolve() -> str:
            os.stat(path)
            return os.path.realpath(path)

        return _asked(path, resolve)

    def open_errno(self, path: str) -> str:
        """Open read-write and close at once: an empty text when it opens, else the errno's name."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (OSError, ValueError) as error:
            return host_error(path, error).errno_name
        os.close(fd)
        return ""

    def disk_use(self, path: str) -> DiskUse:
        """The file system that holds a path; free is what is free for us, not for root alone."""
        return _asked(path, lambda: _disk_use(path))

    def env(self) -> Mapping[str, str]:
        """The environment of this process."""
        return dict(os.environ)

    def identity(self) -> Mapping[str, Any]:
        """Plain data about this process and kernel; what cannot be found out is left out."""
        from gpudoctor.host.identity import Identity

        return Identity()

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> ChildEnd:
        """Run a command to its end or to `limit` seconds, cut down to what is left of the run."""
        return self._children.run(argv, min(limit, self.remaining()), self._environment(env))

    def run_script(
        self,
        name: str,
        interpreter: str,
        script: str,
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str] | None = None,
    ) -> ChildEnd:
        """Run one of our scripts under an interpreter; `name` matters to recordings only."""
        command = [interpreter, "-B", "-X", "faulthandler", script]
        return self._children.run_script(command, plan, min(limit, self.remaining()), self._environment(env))

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        # A look at the machine leaves nothing on its disk, so the driver's cache of compiled kernels stays shut.
        return {**os.environ, "CUDA_CACHE_DISABLE": "1", **(more or {})}


def _read(path: str, limit: int, offset: int) -> bytes:
    _refuse_traps(path, os.stat(path))
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        info = os.fstat(fd)
        _refuse_traps(path, info)
        if offset:
            os.lseek(fd, offset, os.SEEK_SET)
        # The kernel's log device refuses a buffer that is smaller than its record, and gives a record at a time: this
        # goes round some thousand times.
        whole = stat_module.S_ISCHR(info.st_mode)
        data = bytearray()
        while len(data) < limit:
            try:
                piece = os.read(fd, READ_BYTES if whole else min(READ_BYTES, limit - len(data)))
            except BlockingIOError:
                break
            except BrokenPipeError:  # the kernel's log device: records were overwritten, the next read goes on
                continue
            if not piece:
                break
            data += piece
        return bytes(data[:limit])
    finally:
        os.close(fd)


def _refuse_traps(path: str, info: os.stat_result) -> None:
    mode = info.st_mode
    if stat_module.S_ISREG(mode):
        return
    if stat_module.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    in_kernel_folder = os.path.realpath(path).startswith(KERNEL_FOLDERS)
    if not in_kernel_folder or stat_module.S_ISFIFO(mode) or stat_module.S_ISSOCK(mode):
        raise OSError(errno.EINVAL, f"not a regular file but a {_kind(mode)}")


def _kind(mode: int) -> str:
    return next((name for test, name in KINDS if test(mode)), "unknown")


def _stat(path: str, follow: bool) -> FileInfo:
    info = os.stat(path) if follow else os.lstat(path)
    kind = _kind(info.st_mode)
    is_node = kind in ("char", "block")
    return FileInfo(
        kind=kind,
        size=info.st_size,
        mode=info.st_mode,
        uid=info.st_uid,
        gid=info.st_gid,
        major=os.major(info.st_rdev) if is_node else 0,
        minor=os.minor(info.st_rdev) if is_node else 0,
        link_target=os.readlink(path) if kind == "link" else "",
        modified_seconds=max(0, int(info.st_mtime)) if kind == "file" else 0,
    )


def _disk_use(path: str) -> DiskUse:
    use = os.statvfs(path)
    return DiskUse(
        total_bytes=use.f_blocks * use.f_frsize,
        free_bytes=use.f_bavail * use.f_frsize,
        total_inodes=use.f_files,
        free_inodes=use.f_favail,
        read_only=bool(use.f_flag & os.ST_RDONLY),
        no_exec=bool(use.f_flag & getattr(os, "ST_NOEXEC", 8)),
    )
