"""Recording a machine while it is being asked: only the questions put and their answers, errors included.

What nobody asked is not in the recording and replays as unknown, so a recording says no more than its findings need.
"""

from __future__ import annotations

import contextlib
import posixpath
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from gpudoctor.host.base import DiskUse, FileInfo, Host, HostError
from gpudoctor.host.keeping import Kept, write
from gpudoctor.host.recording import Piece
from gpudoctor.model.child import ChildEnd

T = TypeVar("T")


class RecordingHost:
    """A host that passes every question on to another and keeps the answer. Safe to use from several threads."""

    def __init__(self, wrapped: Host) -> None:
        self._wrapped = wrapped
        self._lock = threading.RLock()
        self._kept = Kept()

    def save(self, directory: str, redact: Callable[[str], str] = str) -> None:
        """Write the recording into a new or empty directory. Every text passes through `redact` first, variables
        as `NAME=value`. Raises UsageError for a directory that is not empty, ExaminationError where writing fails."""
        with self._lock:
            write(self._kept, directory, redact)

    def remaining(self) -> float:
        """The wrapped host's time."""
        return self._wrapped.remaining()

    def read_text(self, path: str, limit: int = 1_000_000) -> str:
        """Pass on, and keep the content."""
        return self.read_bytes(path, limit).decode("utf-8", "surrogateescape")

    def read_bytes(self, path: str, limit: int = 1_000_000, offset: int = 0) -> bytes:
        """Pass on, and keep the piece."""
        data = self._ask("read", path, lambda: self._wrapped.read_bytes(path, limit, offset))
        with self._lock:
            pieces = self._kept.pieces.setdefault(self._key(path), [])
            piece = Piece(offset, data, last=len(data) < limit)
            if piece not in pieces:
                pieces.append(piece)
        return data

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Pass on, and keep the names."""
        names = self._ask("list", path, lambda: self._wrapped.list_dir(path))
        with self._lock:
            self._kept.dirs[self._key(path)] = names
        return names

    def stat(self, path: str, follow: bool = True) -> FileInfo:
        """Pass on, and keep what it is; of a link both the link and where it leads."""
        info = self._ask("stat" if follow else "lstat", path, lambda: self._wrapped.stat(path, follow))
        itself = self._itself(path) if follow else info
        if itself is not None and itself.kind == "link":
            self._keep_link(path, itself)
        else:
            with self._lock:
                self._kept.nodes[self._key(path)] = info
        return info

    def _itself(self, path: str) -> FileInfo | None:
        try:
            return self._wrapped.stat(path, follow=False)
        except HostError:
            return None

    def _keep_link(self, path: str, link: FileInfo) -> None:
        with self._lock:
            self._kept.nodes[self._key(path)] = link
        # A link that leads nowhere is asked about once more, so that the replay knows it too.
        try:
            end = self._ask("stat", path, lambda: self._wrapped.stat(path))
            real = self._wrapped.real_path(path)
        except HostError:
            return
        with self._lock:
            self._kept.links[self._key(path)] = real
            self._kept.nodes[real] = end

    def real_path(self, path: str) -> str:
        """Pass on, and keep where it leads."""
        real = self._ask("real", path, lambda: self._wrapped.real_path(path))
        with self._lock:
            if real != self._key(path):
                self._kept.links[self._key(path)] = real
        if real == self._key(path):
            with contextlib.suppress(HostError):
                self.stat(path)
        return real

    def open_errno(self, path: str) -> str:
        """Pass on, and keep how opening ended."""
        name = self._ask("open", path, lambda: self._wrapped.open_errno(path))
        with contextlib.suppress(HostError):
            self.stat(path)
        with self._lock:
            self._kept.opened[self._key(path)] = name
        return name

    def disk_use(self, path: str) -> DiskUse:
        """Pass on, and keep the file system."""
        use = self._ask("disk", path, lambda: self._wrapped.disk_use(path))
        with self._lock:
            self._kept.disk[self._key(path)] = use
        return use

    def env(self) -> Mapping[str, str]:
        """The wrapped host's environment, which remembers the variables that are looked at."""
        return _WatchedEnvironment(self._wrapped.env(), self._kept.env)

    def identity(self) -> Mapping[str, Any]:
        """Pass on, and keep it."""
        told = self._wrapped.identity()
        with self._lock:
            self._kept.identity.update(told)
        return told

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> ChildEnd:
        """Pass on, and keep how it ended."""
        end = self._wrapped.run(argv, limit, env)
        with self._lock:
            self._kept.commands.append((tuple(argv), end))
        return end

    def run_script(
        self,
        name: str,
        interpreter: str,
        script: str,
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str] | None = None,
    ) -> ChildEnd:
        """Pass on, and keep how it ended under its name."""
        end = self._wrapped.run_script(name, interpreter, script, plan, limit, env)
        with self._lock:
            self._kept.children[name] = end
        return end

    def _ask(self, question: str, path: str, ask: Callable[[], T]) -> T:
        key = self._key(path)
        try:
            answer = ask()
        except HostError as error:
            with self._lock:
                self._kept.errors.setdefault(key, {})[question] = error
            raise
        with self._lock:  # the last answer counts
            self._kept.errors.get(key, {}).pop(question, None)
        return answer

    def _key(self, path: str) -> str:
        """The path in the form that a replay looks it up by."""
        if not path.startswith("/"):
            path = posixpath.join(str(self.identity().get("cwd") or "/"), path)
        return "/" + posixpath.normpath(path).lstrip("/")


class _WatchedEnvironment(Mapping[str, str]):
    """An environment that notes which variables were read; going through all of them counts as reading the names."""

    def __init__(self, variables: Mapping[str, str], seen: dict[str, str]) -> None:
        self._variables = variables
        self._seen = seen

    def __getitem__(self, name: str) -> str:
        value = self._variables[name]
        self._seen[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
