"""The door itself: the protocol that the live machine and a recorded one both fulfil."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gpudoctor.model.fact import Reason, Unknown
from gpudoctor.model.record import record

if TYPE_CHECKING:
    from gpudoctor.model.child import ChildEnd


class HostError(Exception):
    """A question to the machine that has no answer. `reason` and `detail` make the Unknown of a fact."""

    def __init__(self, reason: Reason, detail: str, errno_name: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.errno_name = errno_name

    @property
    def absent(self) -> bool:
        """Whether the thing asked for simply is not there."""
        return self.errno_name in ("ENOENT", "ENOTDIR")

    def unknown(self) -> Unknown:
        """The same as the value of a fact."""
        return Unknown(self.reason, self.detail)


def exists(host: Host, path: str) -> bool:
    """Whether a path can be seen, whatever it is."""
    try:
        host.stat(path)
    except HostError:
        return False
    return True


@record
class FileInfo:
    """What stat tells. `kind` is `file`, `directory`, `link`, `char`, `block`, `socket`, `fifo`; sizes in bytes.

    `modified_seconds` counts from 1970, of plain files only; 0 where nobody told.
    """

    kind: str
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    major: int = 0
    minor: int = 0
    link_target: str = ""
    modified_seconds: int = 0


@record
class DiskUse:
    """A mounted file system, in bytes and inodes. `read_only` and `no_exec` are its mount flags."""

    total_bytes: int
    free_bytes: int
    total_inodes: int = 0
    free_inodes: int = 0
    read_only: bool = False
    no_exec: bool = False


class Host(Protocol):
    """One machine. Every method raises HostError and nothing else; nothing here blocks beyond its limit."""

    def read_text(self, path: str, limit: int = 1_000_000) -> str:
        """The text of a file, at most `limit` bytes of it, undecodable bytes kept as surrogate escapes."""

    def read_bytes(self, path: str, limit: int = 1_000_000, offset: int = 0) -> bytes:
        """A piece of a file."""

    def list_dir(self, path: str) -> tuple[str, ...]:
        """The names in a directory, sorted."""

    def stat(self, path: str, follow: bool = True) -> FileInfo:
        """What a path is; with `follow` the end of its links."""

    def real_path(self, path: str) -> str:
        """The path with all links resolved."""

    def open_errno(self, path: str) -> str:
        """Open a device node read-write without waiting and close it: `` when it opens, else the errno's name."""

    def disk_use(self, path: str) -> DiskUse:
        """The file system that holds a path."""

    def env(self) -> Mapping[str, str]:
        """The environment of this process, undecodable bytes as surrogate escapes."""

    def identity(self) -> Mapping[str, Any]:
        """Plain data about this process and kernel: keys `uid`, `gid`, `pid`, `user` (may be missing), `hostname`,
        `cwd`, `executable`, `prefix`, `base_prefix`, `python_version`, `implementation`, `byteorder`,
        `kernel_name`, `kernel_release`, `kernel_version`, `machine`, `libc` (`["glibc", "2.36"]`), `cpu_count`,
        `cpus_allowed`, `memory_total_bytes`, `memory_available_bytes`, `soft_limits` and `hard_limits`
        (name to number, -1 for unlimited)."""

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> ChildEnd:
        """Run a command to its end or to `limit` seconds; its whole process group dies with it. `env` adds to ours."""

    def run_script(
        self,
        name: str,
        interpreter: str,
        script: str,
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str] | None = None,
    ) -> ChildEnd:
        """Run one of our scripts (a path inside the package) under an interpreter; its result lines come back.

        `name` identifies the child in recordings. The script gets `plan` as JSON and the number of an inherited
        file descriptor for its result lines; see `host/child.py` for the protocol.
        """

    def remaining(self) -> float:
        """Seconds left of the whole run's time limit; children are cut down to it."""
