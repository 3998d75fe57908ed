"""A machine from a recording: the same questions, the recorded answers. It starts nothing and asks nothing else."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from gpudoctor.host.base import DiskUse, FileInfo, HostError
from gpudoctor.host.failures import named_error
from gpudoctor.host.recording import load
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason

# A replay costs no time; the number only has to be larger than any limit that a child is given.
REMAINING_SECONDS = 3600.0
MAXIMUM_LINKS = 40


class RecordedHost:
    """The machine in `directory`. Making one raises ExaminationError where the recording is broken."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._recording = load(os.fspath(directory))
        one = self._recording
        self._absent = one.default == "absent"
        self._asked: dict[tuple[str, ...], int] = {}
        self._known = {*one.files, *one.nodes, *one.dirs, *one.links}
        self._folders = {parent for path in self._known for parent in _parents(path)} | set(one.dirs)

    def __enter__(self) -> RecordedHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing runs, so there is nothing to end; here for whoever treats all hosts alike."""

    def remaining(self) -> float:
        """Always more than enough."""
        return REMAINING_SECONDS

    def read_text(self, path: str, limit: int = 1_000_000) -> str:
        """The recorded text of a file."""
        return self.read_bytes(path, limit).decode("utf-8", "surrogateescape")

    def read_bytes(self, path: str, limit: int = 1_000_000, offset: int = 0) -> bytes:
        """A recorded piece of a file."""
        path = self._look("read", path)
        for real in dict.fromkeys((path, self._resolve(path))):
            for piece in self._recording.pieces.get(real, ()):
                begin = offset - piece.offset
                if begin >= 0 and (piece.last or begin + limit <= len(piece.data)):
                    return piece.data[begin : begin + limit]
            if real in self._recording.files:
                return _content(self._recording.files[real], limit, offset)
        if self._absent and self._resolve(path) in self._folders:
            raise named_error(path, "EISDIR")
        raise self._missing(path)

    def list_dir(self, path: str) -> tuple[str, ...]:
        """The recorded names in a directory. Where `default` is `absent`, whatever lies below it counts as well."""
        path = self._look("list", path)
        for real in dict.fromkeys((path, self._resolve(path))):
            recorded = self._recording.dirs.get(real)
            if self._absent and real in self._folders:
                return tuple(sorted({*(recorded or ()), *self._below(real)}))
            if recorded is not None:
                return recorded
        if self._absent and self._exists(self._resolve(path)):
            raise named_error(path, "ENOTDIR")
        raise self._missing(path)

    def stat(self, path: str, follow: bool = True) -> FileInfo:
        """What a path was; with `follow` the end of its links."""
        path = self._look("stat" if follow else "lstat", path)
        node = self._recording.nodes.get(path)
        if node is not None and not (follow and node.kind == "link"):
            return node
        if not follow and path in self._recording.links:
            return FileInfo("link", mode=0o120777, link_target=self._recording.links[path])
        real = self._resolve(path)
        node = self._recording.nodes.get(real)
        if node is not None:
            return node
        if real in self._recording.files:
            return FileInfo("file", size=os.path.getsize(self._recording.files[real]), mode=0o100644)
        if real in self._folders:
            return FileInfo("directory", mode=0o040755)
        raise self._missing(path)

    def real_path(self, path: str) -> str:
        """The path with its recorded links resolved."""
        path = self._look("real", path)
        real = self._resolve(path)
        if real != path or self._exists(real):
            return real
        raise self._missing(path)

    def open_errno(self, path: str) -> str:
        """How opening the path ended: an empty text when it opened, else the errno's name."""
        try:
            path = self._look("open", path)
        except HostError as error:
            if error.errno_name:
                return error.errno_name
            raise
        real = self._resolve(path)
        for one in (path, real):
            if one in self._recording.open_errnos:
                return self._recording.open_errnos[one]
        if self._absent:
            return "" if self._exists(real) else "ENOENT"
        raise self._missing(path)

    def disk_use(self, path: str) -> DiskUse:
        """The recorded file system; where `default` is `absent`, that of the nearest directory above."""
        path = self._look("disk", path)
        for one in (path, *(_parents(path) if self._absent else ())):
            if one in self._recording.disk:
                return self._recording.disk[one]
        raise self._missing(path)

    def env(self) -> Mapping[str, str]:
        """The recorded environment."""
        return self._recording.env

    def identity(self) -> Mapping[str, Any]:
        """The recorded data about process and kernel."""
        return self._recording.identity

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str] | None = None) -> ChildEnd:
        """How the command ended then. Recorded more than once, it ends so in turn, and at last always the same."""
        key = tuple(argv)
        ends = [end for words, end in self._recording.commands if words == key]
        if not ends:
            return self._not_started(" ".join(argv))
        turn = self._asked.get(key, 0)
        self._asked[key] = turn + 1
        return ends[min(turn, len(ends) - 1)]

    def run_script(
        self,
        name: str,
        interpreter: str,
        script: str,
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str] | None = None,
    ) -> ChildEnd:
        """How the child of this name ended then."""
        end = self._recording.children.get(name)
        return end if end is not None else self._not_started(name)

    def _not_started(self, what: str) -> ChildEnd:
        if self._absent:
            return ChildEnd(End.NOT_STARTED, errno="ENOENT", error=f"{what}: {os.strerror(errno.ENOENT)}")
        return ChildEnd(End.NOT_STARTED, error="not recorded")

    def _look(self, question: str, path: str) -> str:
        """The path in normal form; raises the error that was recorded for it or for a directory above it."""
        if "\0" in path:
            raise named_error(path, "EINVAL")
        path = posixpath.join(str(self._recording.identity.get("cwd") or "/"), path)
        path = "/" + posixpath.normpath(path).lstrip("/")
        for one in (path, *(() if self._exists(path) else _parents(path))):
            recorded = self._recording.errors.get(one)
            if isinstance(recorded, dict) and one == path:
                recorded = recorded.get(question)
            if isinstance(recorded, str):
                raise named_error(path, recorded)
            if isinstance(recorded, dict) and one == path:
                raise _kept_error(recorded)
        return path

    def _resolve(self, path: str) -> str:
        links = self._recording.links
        for _ in range(MAXIMUM_LINKS):
            link = next((one for one in (path, *_parents(path)) if one in links), None)
            if link is None or links[link] == link:
                return path
            path = links[link].rstrip("/") + path[len(link) :] or "/"
        raise named_error(path, "ELOOP")

    def _exists(self, real: str) -> bool:
        return real in self._known or real in self._folders

    def _below(self, folder: str) -> set[str]:
        prefix = folder.rstrip("/") + "/"
        return {path[len(prefix) :].split("/")[0] for path in self._known if path.startswith(prefix) and path != prefix}

    def _missing(self, path: str) -> HostError:
        if self._absent:
            return named_error(path, "ENOENT")
        return HostError(Reason.NO_DATA, f"{path}: not recorded")


def _kept_error(recorded: Mapping[str, str]) -> HostError:
    try:
        reason = Reason(recorded["reason"])
    except ValueError:
        reason = Reason.NO_DATA
    return HostError(reason, recorded["detail"], recorded["errno"])


def _content(place: str, limit: int, offset: int) -> bytes:
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            file.seek(offset)
            return file.read(limit)
    except OSError as error:
        raise HostError(Reason.NO_DATA, f"the recording cannot be read: {error}") from error


def _parents(path: str) -> list[str]:
    parents = []
    while path not in ("/", ""):
        path = posixpath.dirname(path)
        parents.append(path)
    return parents
