"""A machine made of dictionaries, for tests: it fulfils the `Host` protocol and touches nothing outside itself."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from gpudoctor.host.base import DiskUse, FileInfo, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason

_REASONS = {"EACCES": Reason.PERMISSION_DENIED, "EPERM": Reason.PERMISSION_DENIED}
IDENTITY: dict[str, Any] = {
    "uid": 1000,
    "gid": 1000,
    "pid": 4242,
    "user": "ada",
    "hostname": "trainer-0",
    "cwd": "/workspace",
    "executable": "/usr/bin/python3",
    "prefix": "/usr",
    "base_prefix": "/usr",
    "python_version": "3.11.2",
    "implementation": "cpython",
    "byteorder": "little",
    "kernel_name": "Linux",
    "kernel_release": "6.1.0-25-amd64",
    "kernel_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3 (2024-08-26)",
    "machine": "x86_64",
    "libc": ["glibc", "2.36"],
    "cpu_count": 16,
    "cpus_allowed": 8,
    "memory_total_bytes": 68_719_476_736,
    "memory_available_bytes": 51_539_607_552,
    "soft_limits": {"nofile": 1024, "memlock": 65536, "stack": 8_388_608, "core": 0},
    "hard_limits": {"nofile": 524_288, "memlock": 65536, "stack": -1, "core": -1},
}


def error(errno_name: str, path: str) -> HostError:
    """The HostError that an errno makes."""
    return HostError(_REASONS.get(errno_name, Reason.NO_DATA), f"{errno_name}: {path}", errno_name)


class MemoryHost:
    """`files` holds texts or bytes by absolute path, which imply their directories; `dirs` adds empty ones.

    `links` maps a path to where it leads (one prefix may carry a whole tree), `errors` a path to the name of the
    errno that every look at it gives, `commands` a command line (words joined by blanks) to how it ends,
    `children` a script's name to how it ends. What was asked for is kept in `asked`.
    """

    def __init__(
        self,
        files: Mapping[str, str | bytes] | None = None,
        env: Mapping[str, str] | None = None,
        identity: Mapping[str, Any] | None = None,
        nodes: Mapping[str, FileInfo] | None = None,
        open_errnos: Mapping[str, str] | None = None,
        dirs: Sequence[str] = (),
        links: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        disk: Mapping[str, DiskUse] | None = None,
        commands: Mapping[str, ChildEnd] | None = None,
        children: Mapping[str, ChildEnd] | None = None,
        remaining: float = 60.0,
    ) -> None:
        self.files = {
            path: text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
            for path, text in (files or {}).items()
        }
        self.environment = dict(env or {})
        self.who = {**IDENTITY, **(identity or {})}
        self.nodes = dict(nodes or {})
        self.open_errnos = dict(open_errnos or {})
        self.dirs = {_clean(path) for path in dirs}
        self.links = dict(links or {})
        self.errors = dict(errors or {})
        self.disk = dict(disk or {})
        self.commands = dict(commands or {})
        self.children = dict(children or {})
        self.seconds_left = remaining
        self.asked: list[str] = []

    def read_bytes(self, path: str, limit: int = 1_000_000, offset: int = 0) -> bytes:
        real = self._resolve(path)
        if real not in self.files:
            raise error("EISDIR" if self._is_dir(real) else "ENOENT", path)
        return self.files[real][offset : offset + limit]

    def read_text(self, path: str, limit: int = 1_000_000) -> str:
        return self.read_bytes(path, limit).decode("utf-8", "surrogateescape")

    def list_dir(self, path: str) -> tuple[str, ...]:
        real = self._resolve(path)
        if not self._is_dir(real):
            raise error("ENOTDIR" if real in self.files else "ENOENT", path)
        prefix = "/" if real == "/" else real + "/"
        return tuple(sorted({one[len(prefix) :].split("/")[0] for one in self._all_paths() if one.startswith(prefix)}))

    def stat(self, path: str, follow: bool = True) -> FileInfo:
        if not follow and _clean(path) in self.links:
            self._refuse(path)
            return FileInfo("link", mode=0o120777, link_target=self.links[_clean(path)])
        real = self._resolve(path)
        if real in self.nodes:
            return self.nodes[real]
        if real in self.files:
            return FileInfo("file", size=len(self.files[real]), mode=0o100644)
        if self._is_dir(real):
            return FileInfo("directory", mode=0o040755)
        raise error("ENOENT", path)

    def real_path(self, path: str) -> str:
        real = self._resolve(path)
        if real in self.files or real in self.nodes or self._is_dir(real):
            return real
        raise error("ENOENT", path)

    def open_errno(self, path: str) -> str:
        real = self._resolve(path)
        if real in self.open_errnos:
            return self.open_errnos[real]
        return "" if real in self.nodes or real in self.files else "ENOENT"

    def disk_use(self, path: str) -> DiskUse:
        self._refuse(path)
        for parent in (_clean(path), *_parents(_clean(path))):
            if parent in self.disk:
                return self.disk[parent]
        raise error("ENOENT", path)

    def env(self) -> Mapping[str, str]:
        return self.environment

    def identity(self) -> Mapping[str, Any]:
        return self.who

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> ChildEnd:
        self.asked.append(" ".join(argv))
        missing = ChildEnd(End.NOT_STARTED, errno="ENOENT", error=f"no such program: {argv[0]}")
        return self.commands.get(" ".join(argv), missing)

    def run_script(
        self,
        name: str,
        interpreter: str,
        script: str,
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str] | None = None,
    ) -> ChildEnd:
        self.asked.append(name)
        return self.children.get(name, ChildEnd(End.NOT_STARTED, errno="ENOENT", error=f"no such child: {name}"))

    def remaining(self) -> float:
        return self.seconds_left

    def _refuse(self, path: str) -> None:
        self.asked.append(path)
        for one in (_clean(path), *_parents(_clean(path))):
            if one in self.errors:
                raise error(self.errors[one], path)

    def _resolve(self, path: str) -> str:
        self._refuse(path)
        real = _clean(path)
        for _ in range(40):
            link = next((one for one in (real, *_parents(real)) if one in self.links), None)
            if link is None:
                return real
            target = posixpath.join(posixpath.dirname(link), self.links[link])
            real = _clean(target + real[len(link) :])
            self._refuse(real)
        raise error("ELOOP", path)

    def _all_paths(self) -> set[str]:
        return {*self.files, *self.nodes, *self.dirs, *self.links}

    def _is_dir(self, real: str) -> bool:
        prefix = "/" if real == "/" else real + "/"
        return real in self.dirs or any(one.startswith(prefix) for one in self._all_paths())


def _clean(path: str) -> str:
    return posixpath.normpath(path)


def _parents(path: str) -> list[str]:
    parents = []
    while path not in ("/", ""):
        path = posixpath.dirname(path)
        parents.append(path)
    return parents
