"""Writing a recording: the answers that were kept become `host.json` and `files/`, in an order that never varies."""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from gpudoctor.host.base import DiskUse, FileInfo, HostError
from gpudoctor.host.failures import named_error
from gpudoctor.host.recording import FILES, FORMAT, INDEX, Piece
from gpudoctor.model.child import ChildEnd
from gpudoctor.model.errors import ExaminationError, UsageError
from gpudoctor.model.record import as_dict, field, record, replace

# These say that there is nothing at a path, whatever one asks of it; other refusals hold for one question only.
NOTHING_THERE = ("ENOENT", "ENOTDIR")
MAXIMUM_NAME_BYTES = 255


@record(frozen=False)
class Kept:
    """The answers so far, by path, name or command."""

    env: dict[str, str] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, FileInfo] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)
    dirs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    errors: dict[str, dict[str, HostError]] = field(default_factory=dict)
    disk: dict[str, DiskUse] = field(default_factory=dict)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    commands: list[tuple[tuple[str, ...], ChildEnd]] = field(default_factory=list)
    children: dict[str, ChildEnd] = field(default_factory=dict)


def write(kept: Kept, directory: str, redact: Callable[[str], str]) -> None:
    """Write into a new or empty directory. Raises UsageError where it is not, ExaminationError where that fails."""
    try:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise UsageError(f"{directory} is not empty; a recording needs a directory of its own")
        kept = _renamed(kept, redact)
        files, pieces = _contents(kept)
        for path in sorted(files):
            if not _write_file(directory, path, _redacted(path, files[path], redact)):
                pieces[path] = [Piece(0, files[path], last=True)]
        index = json.dumps(_index(kept, pieces, redact), indent=1, sort_keys=True, ensure_ascii=True)
        with open(os.path.join(directory, INDEX), "x", encoding="ascii") as file:
            file.write(index + "\n")
    except (OSError, ValueError) as error:
        raise ExaminationError(f"the recording could not be written: {error}") from error


def _renamed(kept: Kept, redact: Callable[[str], str]) -> Kept:
    """The same with redacted paths. All paths alike, so that what a recorded text names is still found in a replay."""

    def place(path: str) -> str:
        return "/" + redact(path).lstrip("/")

    by_path: dict[str, Any] = {
        name: {place(path): value for path, value in getattr(kept, name).items() if "\0" not in path}
        for name in ("nodes", "opened", "dirs", "links", "errors", "disk", "pieces")
    }
    by_path["links"] = {path: place(real) for path, real in by_path["links"].items()}
    by_path["errors"] = {path: errors for path, errors in by_path["errors"].items() if errors}
    return replace(kept, **by_path)


def _contents(kept: Kept) -> tuple[dict[str, bytes], dict[str, list[Piece]]]:
    """Files that were read whole, and the pieces of those that were not."""
    files: dict[str, bytes] = {}
    rest: dict[str, list[Piece]] = {}
    for path, pieces in kept.pieces.items():
        whole = [piece for piece in pieces if piece.offset == 0 and piece.last]
        others = [piece for piece in pieces if not any(_covers(one, piece) for one in whole)]
        if whole and _is_plain(path):
            files[path] = whole[-1].data
        else:
            others = pieces
        if others:
            rest[path] = [one for one in others if not any(_covers(two, one) for two in others if two is not one)]
    return files, rest


def _covers(one: Piece, other: Piece) -> bool:
    begin = other.offset - one.offset
    end = begin + len(other.data)
    if begin < 0 or one.data[begin:end] != other.data or len(other.data) > max(0, len(one.data) - begin):
        return False
    return not other.last or (one.last and end >= len(one.data))


def _is_plain(path: str) -> bool:
    names = path.split("/")[1:]
    return (
        path.startswith("/")
        and all(name not in ("", ".", "..") for name in names)
        and all(len(os.fsencode(name)) <= MAXIMUM_NAME_BYTES for name in names)
    )


def _write_file(directory: str, path: str, data: bytes) -> bool:
    """Whether it could be kept as a file: a path may have been a file at one time and a directory at another."""
    target = os.path.join(directory, FILES, path.lstrip("/"))
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            file.write(data)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ):
            return False
        raise
    return True


def _redacted(path: str, data: bytes, redact: Callable[[str], str]) -> bytes:
    # The inside of a library holds no secrets, and moving its bytes would make it unreadable.
    if data.startswith(b"\x7fELF"):
        return data
    return redact(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _index(kept: Kept, pieces: Mapping[str, list[Piece]], redact: Callable[[str], str]) -> dict[str, Any]:
    index: dict[str, Any] = {
        "env": {name: _variable(name, value, redact) for name, value in kept.env.items()},
        "identity": _deep(dict(kept.identity), redact),
        "nodes": {path: _node(info, redact) for path, info in kept.nodes.items()},
        "dirs": {path: [redact(name) for name in names] for path, names in kept.dirs.items()},
        "links": kept.links,
        "errors": _errors(kept, redact),
        "disk": {path: as_dict(use) for path, use in kept.disk.items()},
        "pieces": {
            path: [_piece(path, one, redact) for one in sorted(some, key=lambda piece: piece.offset)]
            for path, some in pieces.items()
        },
        "commands": [{"argv": [redact(word) for word in argv], **_end(end, redact)} for argv, end in kept.commands],
        "children": {name: _end(end, redact) for name, end in kept.children.items()},
    }
    for path, name in kept.opened.items():
        if path in kept.nodes:
            index["nodes"][path]["open_errno"] = name
    return {"format": FORMAT, "default": "unrecorded", **{key: part for key, part in index.items() if part}}


def _variable(name: str, value: str, redact: Callable[[str], str]) -> str:
    # With the name before it a value can be recognised as a password or token.
    changed = redact(f"{name}={value}")
    return changed[len(name) + 1 :] if changed.startswith(f"{name}=") else redact(value)


def _node(info: FileInfo, redact: Callable[[str], str]) -> dict[str, Any]:
    plain = {name: value for name, value in as_dict(info).items() if value}
    if "link_target" in plain:
        plain["link_target"] = redact(plain["link_target"])
    return plain


def _errors(kept: Kept, redact: Callable[[str], str]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for path, by_question in kept.errors.items():
        nothing = by_question.get("stat") or by_question.get("lstat") or next(iter(by_question.values()))
        answered = any(path in some for some in (kept.nodes, kept.dirs, kept.links, kept.pieces, kept.disk))
        if (
            nothing.errno_name in NOTHING_THERE
            and not answered
            and len({str(one) for one in by_question.values()}) == 1
        ):
            written[path] = nothing.errno_name
            continue
        written[path] = {question: _error(path, error, redact) for question, error in by_question.items()}
    for path, name in kept.opened.items():
        if path not in kept.nodes and name and not isinstance(written.setdefault(path, {}), str):
            written[path]["open"] = name
    return written


def _error(path: str, error: HostError, redact: Callable[[str], str]) -> str | dict[str, str]:
    if error.errno_name:
        same = named_error(path, error.errno_name)
        if (same.reason, same.detail) == (error.reason, error.detail):
            return error.errno_name
    return {"errno": error.errno_name, "reason": error.reason.value, "detail": redact(error.detail)}


def _piece(path: str, piece: Piece, redact: Callable[[str], str]) -> dict[str, Any]:
    data = _redacted(path, piece.data, redact) if _is_text(piece.data) else piece.data
    return {"offset": piece.offset, "base64": base64.b64encode(data).decode("ascii"), "last": piece.last}


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _end(end: ChildEnd, redact: Callable[[str], str]) -> dict[str, Any]:
    plain: dict[str, Any] = {"end": end.end.value}
    for name, value in as_dict(end).items():
        if name != "end" and value:
            plain[name] = _deep(list(value) if name == "lines" else value, redact)
    return plain


def _deep(value: Any, redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON there is
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _deep(one, redact) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_deep(one, redact) for one in value]
    return value
