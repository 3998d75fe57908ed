"""The directory format of a recorded machine: `host.json` and `files/<absolute path>`; reading it with care.

A recording may come from anybody, so nothing in it is trusted: links and odd files in it are refused, paths that
climb out are refused, and every value is checked for its shape before anything is built on it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping
from typing import Any, TypeVar

from gpudoctor.host.base import DiskUse, FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.record import field, names_of, record

FORMAT = 1
INDEX = "host.json"
FILES = "files"
MAXIMUM_INDEX_BYTES = 64 * 1024 * 1024
MAXIMUM_FILES = 50_000
DEFAULTS = ("absent", "unrecorded")
T = TypeVar("T")
QUESTIONS = ("read", "list", "stat", "lstat", "real", "open", "disk")
_SHAPES: Mapping[str, type] = {
    "env": dict,
    "identity": dict,
    "nodes": dict,
    "dirs": dict,
    "links": dict,
    "errors": dict,
    "disk": dict,
    "pieces": dict,
    "commands": list,
    "children": dict,
}


@record
class Piece:
    """A part of a file that was read from `offset`; `last` when the file ended within it."""

    offset: int
    data: bytes
    last: bool


@record
class Recording:
    """A recorded machine, checked. `files` maps the machine's paths to where their contents lie in the recording."""

    default: str = "unrecorded"
    env: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, FileInfo] = field(default_factory=dict)
    open_errnos: Mapping[str, str] = field(default_factory=dict)
    dirs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Any] = field(default_factory=dict)
    disk: Mapping[str, DiskUse] = field(default_factory=dict)
    pieces: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)
    commands: tuple[tuple[tuple[str, ...], ChildEnd], ...] = ()
    children: Mapping[str, ChildEnd] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def load(directory: str) -> Recording:
    """Read a recording. Raises ExaminationError that names the file and what is wrong with it."""
    where = os.path.join(directory, INDEX)
    index = _index(where)
    try:
        return Recording(files=_files(os.path.join(directory, FILES)), **_parts(index))
    except _BrokenError as error:
        raise ExaminationError(f"{where}: {error}") from None


class _BrokenError(Exception):
    """What is wrong, to be said together with the file's name."""


def _index(where: str) -> dict[str, Any]:
    try:
        fd = os.open(where, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ExaminationError(f"{where}: not a regular file")
            data = file.read(MAXIMUM_INDEX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ExaminationError(f"no recorded machine to be read here: {error}") from None
    if len(data) > MAXIMUM_INDEX_BYTES:
        raise ExaminationError(f"{where}: larger than {MAXIMUM_INDEX_BYTES} bytes")
    try:
        index = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ExaminationError(f"{where}: not JSON, perhaps cut off: {error}") from None
    if not isinstance(index, dict):
        raise ExaminationError(f"{where}: an object is expected, not {type(index).__name__}")
    return index


def _parts(index: Mapping[str, Any]) -> dict[str, Any]:
    number = index.get("format", FORMAT)
    if number != FORMAT or isinstance(number, bool):
        raise _BrokenError(f"`format` is {number!r}; this gpudoctor reads {FORMAT}")
    default = index.get("default", "unrecorded")
    if default not in DEFAULTS:
        raise _BrokenError(f"`default` is {default!r}; allowed: {', '.join(DEFAULTS)}")
    unknown = sorted(set(index) - set(_SHAPES) - {"format", "default"})
    if unknown:
        raise _BrokenError(f"unknown key `{unknown[0]}`; allowed: {', '.join(['format', 'default', *_SHAPES])}")
    parts = {key: index.get(key, shape()) for key, shape in _SHAPES.items()}
    for key, shape in _SHAPES.items():
        if not isinstance(parts[key], shape):
            raise _BrokenError(f"`{key}` must be {'an object' if shape is dict else 'a list'}")
    return {
        "default": default,
        "env": _texts("env", parts["env"]),
        "identity": parts["identity"],
        "nodes": {_path("nodes", path): _node(path, node) for path, node in parts["nodes"].items()},
        "open_errnos": {
            path: _text(f"nodes.{path}.open_errno", node["open_errno"])
            for path, node in parts["nodes"].items()
            if "open_errno" in node
        },
        "dirs": {_path("dirs", path): _names(path, names) for path, names in parts["dirs"].items()},
        "links": {_path("links", path): _path("links", real) for path, real in _texts("links", parts["links"]).items()},
        "errors": {_path("errors", path): _error(path, error) for path, error in parts["errors"].items()},
        "disk": {_path("disk", path): _fields(DiskUse, f"disk.{path}", use) for path, use in parts["disk"].items()},
        "pieces": {_path("pieces", path): _pieces(path, pieces) for path, pieces in parts["pieces"].items()},
        "commands": tuple(_command(number, one) for number, one in enumerate(parts["commands"])),
        "children": {name: _end(f"children.{name}", one) for name, one in parts["children"].items()},
    }


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise _BrokenError(f"`{where}` must be a text")
    return value


def _texts(where: str, values: Mapping[str, Any]) -> dict[str, str]:
    return {key: _text(f"{where}.{key}", value) for key, value in values.items()}


def _path(where: str, path: object) -> str:
    if not isinstance(path, str) or not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise _BrokenError(f"`{where}` holds {path!r}, which is no absolute path without `..`")
    return path


def _names(path: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) and "/" not in name for name in names):
        raise _BrokenError(f"`dirs.{path}` must be a list of names")
    return tuple(sorted(names))


def _fields(kind: type[T], where: str, values: object) -> T:
    if not isinstance(values, dict):
        raise _BrokenError(f"`{where}` must be an object")
    types: dict[str, str] = {name: str(kind.__annotations__[name]) for name in names_of(kind)}
    for key, value in values.items():
        expected = {"str": str, "int": int, "bool": bool}.get(str(types.get(key)))
        if expected is None:
            raise _BrokenError(f"`{where}` has the unknown key `{key}`; allowed: {', '.join(types)}")
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise _BrokenError(f"`{where}.{key}` must be of type {types[key]}")
    try:
        return kind(**values)
    except TypeError as error:
        raise _BrokenError(f"`{where}`: {error}") from None


def _node(path: str, node: object) -> FileInfo:
    if not isinstance(node, dict):
        raise _BrokenError(f"`nodes.{path}` must be an object")
    return _fields(FileInfo, f"nodes.{path}", {key: value for key, value in node.items() if key != "open_errno"})


def _error(path: str, error: object) -> str | dict[str, Any]:
    if isinstance(error, str):
        return error
    if isinstance(error, dict) and set(error) <= set(QUESTIONS):
        for question, answer in error.items():
            plain = isinstance(answer, str)
            if not plain and not (isinstance(answer, dict) and set(answer) == {"errno", "reason", "detail"}):
                raise _BrokenError(f"`errors.{path}.{question}` must be an errno's name or hold errno, reason, detail")
            if not plain:
                _texts(f"errors.{path}.{question}", answer)
        return error
    raise _BrokenError(f"`errors.{path}` must be an errno's name, or such names by question: {', '.join(QUESTIONS)}")


def _pieces(path: str, pieces: object) -> tuple[Piece, ...]:
    if not isinstance(pieces, list):
        raise _BrokenError(f"`pieces.{path}` must be a list")
    try:
        found = [Piece(one["offset"], base64.b64decode(one["base64"], validate=True), one["last"]) for one in pieces]
    except (TypeError, KeyError, binascii.Error, ValueError):
        raise _BrokenError(f"`pieces.{path}` must be a list of objects with offset, base64 and last") from None
    if not all(type(one.offset) is int and one.offset >= 0 and isinstance(one.last, bool) for one in found):
        raise _BrokenError(f"`pieces.{path}` has an offset or `last` of the wrong type")
    return tuple(found)


def _command(number: int, command: object) -> tuple[tuple[str, ...], ChildEnd]:
    where = f"commands[{number}]"
    if not isinstance(command, dict) or not isinstance(command.get("argv"), list):
        raise _BrokenError(f"`{where}` must be an object with a list `argv`")
    argv = tuple(_text(f"{where}.argv", word) for word in command["argv"])
    return argv, _end(where, {key: value for key, value in command.items() if key != "argv"})


def _end(where: str, end: object) -> ChildEnd:
    if not isinstance(end, dict):
        raise _BrokenError(f"`{where}` must be an object")
    values = dict(end)
    lines, extra, seconds = values.pop("lines", []), values.pop("extra", {}), values.pop("seconds", 0.0)
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise _BrokenError(f"`{where}.lines` must be a list of objects")
    if not isinstance(extra, dict) or not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise _BrokenError(f"`{where}`: `extra` must be an object and `seconds` a number")
    try:
        kind = End(values.pop("end", "exited"))
    except ValueError:
        raise _BrokenError(f"`{where}.end` must be one of {', '.join(End)}") from None
    allowed = {"status": int, "signal": str, "torn": bool, "stdout": str, "stderr": str, "errno": str, "error": str}
    for key, value in values.items():
        if key not in allowed:
            raise _BrokenError(
                f"`{where}` has the unknown key `{key}`; allowed: end, lines, extra, {', '.join(allowed)}"
            )
        if not isinstance(value, allowed[key]) or (allowed[key] is int and isinstance(value, bool)):
            raise _BrokenError(f"`{where}.{key}` must be of type {allowed[key].__name__}")
    return ChildEnd(kind, lines=tuple(lines), extra=extra, seconds=float(seconds), **values)


def _files(root: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        kept = os.lstat(root)
    except FileNotFoundError:
        return found
    except (OSError, ValueError) as error:
        raise _BrokenError(str(error)) from None
    if not stat.S_ISDIR(kept.st_mode):
        raise _BrokenError(f"{root} is not a directory of its own")
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise _BrokenError(f"{path} is a link or no regular file; a recording holds plain files only")
            if stat.S_ISREG(mode):
                found[path[len(root) :]] = path
        if len(found) > MAXIMUM_FILES:
            raise _BrokenError(f"{root} holds more than {MAXIMUM_FILES} files")
    return found
