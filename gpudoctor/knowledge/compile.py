"""Reads a tree of rule files from disk, and packs one into the single file that the wheel carries.

Reading hundreds of small TOML files takes tens of milliseconds, one file of JSON a few. This module uses the standard
library and a TOML parser only and imports nothing of gpudoctor, because the build loads it by its path.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Mapping
from functools import cached_property

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from typing_extensions import TypeAlias

SECTIONS = ("causes", "chains", "checks", "exits", "signatures", "tables")
NESTED = ("causes", "checks", "signatures")
RETIRED = "retired.toml"
PACKED_NAME = "packed.bin"
PACKED_KIND = "gpudoctor-rules-3"
_FIRST_READ = 1 << 16  # holds the head of either file
_FEW = 16  # whoever takes more pieces than these gets the file read whole
_LARGEST_FILE = 4_000_000
_MOST_FILES = 20_000

Plain: TypeAlias = "Any"  # a value as TOML gives it
RuleData: TypeAlias = "Mapping[str, Any]"


def rule_paths(root: Path, section: str) -> list[str]:
    """The rule files of one section below a rules folder, as sorted relative paths with forward slashes."""
    found = []
    for folder, folders, names in os.walk(root / section):
        folders.sort()
        rules = [name for name in names if name.endswith(".toml") and not name.startswith(".")]
        found += [os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/") for name in rules]
        if len(found) > _MOST_FILES:
            raise ValueError(f"{root / section} holds more than {_MOST_FILES} files")
    return sorted(found)


def read_rule(path: Path) -> RuleData:
    """Read one TOML file into plain data, with dates as ISO text; ValueError tells in words what is wrong."""
    try:
        if not path.is_file():
            raise ValueError("this is not a plain file")
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"the file is larger than {_LARGEST_FILE} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return parse_rule(text)


def parse_rule(text: str) -> RuleData:
    """The same for text that is already at hand."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data = _plain(tomllib.loads(text), "")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not valid TOML: {error}") from None
    except RecursionError:
        raise ValueError("the values are nested too deeply") from None
    return data  # type: ignore[no-any-return]


def read_tree(root: Path) -> dict[str, RuleData]:
    """Every rule file below a folder by its relative path; ValueError names the file that cannot be read."""
    paths = [path for section in SECTIONS for path in rule_paths(root, section)]
    if (root / RETIRED).is_file():
        paths.append(RETIRED)
    files = {}
    for path in paths:
        try:
            files[path] = read_rule(root / path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return files


def pack(files: Mapping[str, RuleData]) -> bytes:
    """The packed file: the files as pieces, each as canonical JSON, under their digest and their newest date.

    A reader takes only what it needs: most answers need a few of the hundreds of files.
    """
    newest = max((newest_date(data) for data in files.values()), default="")
    bodies = {path: _canonical(files[path]).encode("utf-8") for path in sorted(files)}
    count = sum(path != RETIRED for path in files)
    return in_pieces(f"{PACKED_KIND} {digest_of(files)} {newest or '-'} {count}", bodies)


def in_pieces(title: str, pieces: Mapping[str, bytes]) -> bytes:
    """Named pieces in one file, behind a head that tells where each lies. The title is one line of any words."""
    lines = [title, *(f"{zlib.crc32(piece)} {len(piece)} {name}" for name, piece in pieces.items())]
    head = "\n".join(lines).encode("utf-8")
    return b"%d %d\n" % (len(head), zlib.crc32(head)) + head + b"".join(pieces.values())


class Pieces:
    """Named pieces by the path of their file, or by its bytes. The head is read and tested at once, each piece when it
    is taken: an answer needs a small part of a megabyte.

    OSError where the file cannot be read; ValueError when the head is damaged or the title begins with other words
    than `kind`.
    """

    def __init__(self, source: bytes | str, kind: str) -> None:
        self._source = source
        self._taken = 0
        first = self._bytes(0, _FIRST_READ)
        start = first.index(b"\n") + 1
        size, checksum = map(int, first[:start].split())
        if not 0 <= size <= _LARGEST_FILE:
            raise ValueError(f"a head of {size} bytes is none of ours")
        self._begin = start + size
        head = first[start : self._begin] if len(first) >= self._begin else self._bytes(start, size)
        if len(head) != size or zlib.crc32(head) != checksum:
            raise ValueError("the head does not fit its checksum")
        title, *self._lines = head.decode("utf-8").split("\n")
        if not title.startswith(kind + " "):
            raise ValueError(f"this is no {kind}: {title[:80]!r}")
        self.told = title[len(kind) :].split()

    def _bytes(self, start: int, size: int) -> bytes:
        """At most so many bytes; fewer at the end of the file."""
        if isinstance(self._source, bytes):
            return self._source[start : start + size]
        with open(self._source, "rb") as file:
            file.seek(start)
            return file.read(size)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int, int]]:
        """Where each piece begins and ends, and its checksum: a thousand lines that some answers need not read."""
        places = {}
        start = 0
        for line in self._lines:
            checksum, size, name = line.split(" ", 2)
            end = start + int(size)
            places[name] = (start, end, int(checksum))
            start = end
        return places

    def names(self) -> list[str]:
        """The pieces' names, in the order of the file."""
        return list(self._places)

    def has(self, name: str) -> bool:
        """Whether there is such a piece."""
        return name in self._places

    def take(self, name: str) -> bytes:
        """One piece. KeyError where there is none of this name, ValueError where it was changed or cut off."""
        start, end, checksum = self._places[name]
        self._taken += 1
        try:
            if self._taken > _FEW and isinstance(self._source, str):
                self._source = self._bytes(0, -1)
            piece = self._bytes(self._begin + start, end - start)
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {error.strerror}") from None
        if zlib.crc32(piece) != checksum:
            raise ValueError(f"{name} does not fit its checksum")
        return piece


class Packed:
    """Packed rules by their path or their bytes. OSError when they cannot be read, ValueError when they are of another
    format or their head is damaged."""

    def __init__(self, source: bytes | str) -> None:
        self._pieces = Pieces(source, PACKED_KIND)
        self.digest, newest, count = self._pieces.told
        self.count = int(count)
        self.newest = "" if newest == "-" else newest
        self.paths = self._pieces.names
        self.has = self._pieces.has

    def read(self, path: str) -> RuleData:
        """One file; ValueError where its piece is damaged."""
        import json

        return json.loads(self._pieces.take(path))  # type: ignore[no-any-return]


def unpack(raw: bytes) -> tuple[dict[str, RuleData], str]:
    """All files of a packed file and their digest; ValueError when it is damaged."""
    packed = Packed(raw)
    return {path: packed.read(path) for path in packed.paths()}, packed.digest


def newest_date(data: Plain) -> str:
    """The latest `checked` or `accessed` date anywhere in a file; empty where there is none."""
    if isinstance(data, Mapping):
        own = [str(data[key]) for key in ("checked", "accessed") if key in data]
        return max([*own, *(newest_date(item) for item in data.values())], default="")
    if isinstance(data, list):
        return max((newest_date(item) for item in data), default="")
    return ""


def digest_of(files: Mapping[str, RuleData]) -> str:
    """SHA-256 over the content: comments, spacing and the order of keys do not count."""
    return _digest(_canonical(files))


def _canonical(files: Mapping[str, RuleData]) -> str:
    import json  # a run that takes finished rules reads none

    return json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(body: str) -> str:
    import hashlib  # loads OpenSSL, which an `explain-exit` in a checkout does not need

    if not hasattr(hashlib, "sha256"):  # with no memory left, hashlib loads without its functions
        raise MemoryError
    return hashlib.sha256(body.encode("utf-8")).hexdigest()


def _plain(value: Plain, key: str) -> Plain:
    if isinstance(value, dict):
        return {name: _plain(item, f"{key}.{name}".lstrip(".")) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, key) for item in value]
    if isinstance(value, float) and value - value != 0:  # infinite or not a number
        raise ValueError(f"{key}: {value} is not a number that can be compared")
    if isinstance(value, str):
        return sys.intern(
            value
        )  # dates, sources and names stand in hundreds of files: once is enough, also when packed
    if isinstance(value, (int, float)):
        return value
    if type(value).__name__ != "date":
        raise ValueError(f"{key}: a time of day has no place here; write a date like 2026-11-20")
    return value.isoformat()
