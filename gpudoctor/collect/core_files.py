"""Core files: whether a crash leaves one, where, and whether some lie about in the working directory already."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import printable, read_line
from gpudoctor.host.base import FileInfo, Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("core_files.pattern", FactType.TEXT, "kernel.core_pattern: the name of core files, or a program."),
    FactSpec("core_files.go_to_program", FactType.BOOLEAN, "Whether cores are piped to a program of the host."),
    FactSpec(
        "core_files.found",
        FactType.TEXT_LIST,
        "Core files here, the newest first, as `name (size in bytes, when written)`.",
        private=True,
    ),
    FactSpec("core_files.count", FactType.INTEGER, "How many core files were found."),
    FactSpec("core_files.total_bytes", FactType.INTEGER, "What they take together.", "bytes"),
    FactSpec("core_files.newest_seconds", FactType.INTEGER, "When the newest was written, since 1970.", "seconds"),
)
_MAXIMUM_NAMES = 5000
_MAXIMUM_FILES = 50
_DEFAULT_NAME = re.compile(r"core(?:\.\d{1,10})?")


def name_pattern(core_pattern: str) -> re.Pattern[str]:
    """What core files are called under a core_pattern; `%` marks stand for anything, as `core` does for itself."""
    name = core_pattern.rpartition("/")[2]
    if core_pattern.startswith("|") or "%" not in name:
        return _DEFAULT_NAME
    pieces = re.split(r"%.", name)
    if not "".join(pieces).strip(".-_"):
        return _DEFAULT_NAME
    joined = r"[^/]{0,100}".join(re.escape(piece) for piece in pieces)
    return re.compile(rf"{_DEFAULT_NAME.pattern}|{joined}")


def _folders(host: Host, pattern: str | Unknown) -> Sequence[str]:
    folders = [str(host.identity().get("cwd") or "")]
    if isinstance(pattern, str) and pattern.startswith("/"):
        folders.append(pattern.rpartition("/")[0] or "/")
    return [folder for folder in dict.fromkeys(folders) if folder]


def _found(host: Host, pattern: str | Unknown) -> list[tuple[str, FileInfo]]:
    wanted = name_pattern(pattern if isinstance(pattern, str) else "core")
    found = []
    for folder in _folders(host, pattern):
        names = attempt(partial(host.list_dir, folder))
        fitting = (
            [name for name in names[:_MAXIMUM_NAMES] if wanted.fullmatch(name)] if isinstance(names, tuple) else []
        )
        for name in fitting[:_MAXIMUM_FILES]:
            info = attempt(partial(host.stat, f"{folder}/{name}"))
            if isinstance(info, FileInfo) and info.kind == "file":
                found.append((f"{folder}/{name}", info))
    return sorted(found, key=lambda one: (-one[1].modified_seconds, one[0]))


def _shown(path: str, info: FileInfo) -> str:
    written = f", {utc(info.modified_seconds)}" if info.modified_seconds else ""
    return f"{printable(path, 300)} ({info.size}{written})"


def utc(seconds: int) -> str:
    """A time as people write it, in UTC; the number itself where the calendar ends before it."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s"


def collect(host: Host) -> Iterable[Fact]:
    """The core_files.* facts."""
    pattern = attempt(lambda: read_line(host, "/proc/sys/kernel/core_pattern"))
    yield Fact("core_files.pattern", pattern)
    yield Fact("core_files.go_to_program", pattern if isinstance(pattern, Unknown) else pattern.startswith("|"))
    found = _found(host, pattern)
    yield Fact("core_files.found", tuple(_shown(path, info) for path, info in found))
    yield Fact("core_files.count", len(found))
    yield Fact("core_files.total_bytes", sum(info.size for _, info in found))
    newest = max((info.modified_seconds for _, info in found), default=0)
    untold = Unknown(Reason.NO_DATA, "when they were written is not told")
    none = Unknown(Reason.NOT_APPLICABLE, "there are no core files here")
    yield Fact("core_files.newest_seconds", newest or (untold if found else none))
