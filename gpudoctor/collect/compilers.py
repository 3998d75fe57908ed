"""A C compiler: torch.compile and Triton start one for the first kernel that they build; slim images have none."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import printable
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (FactSpec("compiler.c_path", FactType.TEXT, "The C compiler that Triton would start."),)
# As Triton looks for one; `cc` is a link to one of them where it exists.
_NAMES = ("gcc", "clang", "cc")
_MAXIMUM_FOLDERS = 100
_NONE = Unknown(Reason.NOT_INSTALLED, "neither CC nor PATH leads to a C compiler")


def collect(host: Host) -> Iterable[Fact]:
    """The compiler.* facts."""
    yield Fact("compiler.c_path", attempt(lambda: _find(host)))


def _find(host: Host) -> str | Unknown:
    env = host.env()
    path = env.get("PATH", "")
    if not path:
        return Unknown(Reason.NO_DATA, "PATH is not set")
    chosen = _first_word(env.get("CC", ""))
    if chosen.startswith("/"):
        return printable(chosen) if _is_file(host, chosen) else _NONE
    for name in (chosen,) if chosen else _NAMES:
        for folder in path.split(":")[:_MAXIMUM_FOLDERS]:
            if folder.startswith("/") and _is_file(host, posixpath.join(folder, name)):
                return printable(posixpath.join(folder, name))
    return _NONE


def _first_word(text: str) -> str:
    try:
        return next(iter(shlex.split(text)), "")
    except ValueError:
        return text.split()[0] if text.split() else ""


def _is_file(host: Host, path: str) -> bool:
    try:
        info = host.stat(path)
    except HostError as error:
        if error.absent or error.reason is Reason.PERMISSION_DENIED:
            return False
        raise
    return info.kind == "file" and bool(info.mode & 0o111)
