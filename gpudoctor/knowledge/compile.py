"""Reads a tree of rule files from disk, and packs one into the single JSON file that the wheel carries.

Reading hundreds of small TOML files takes tens of milliseconds, one JSON file a few. This module uses the standard
library and a TOML parser only and imports nothing of gpudoctor, because the build loads it by its path.
"""

from __future__ import annotations

import json
import math
import os
import sys
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = ("causes", "chains", "checks", "exits", "signatures", "tables")
NESTED = ("causes", "checks", "signatures")
RETIRED = "retired.toml"
PACKED_NAME = "compiled.json"
FORMAT = 2
_LARGEST_FILE = 4_000_000
_MOST_FILES = 20_000

Plain = Any  # a value as TOML gives it
RuleData = Mapping[str, Any]


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


def pack(files: Mapping[str, RuleData]) -> str:
    """The text of the packed file: a line that tells where each file lies, then the files, each as canonical JSON.

    A reader takes only what it needs: most answers need a few of the hundreds of files.
    """
    bodies = {path: _canonical(files[path]) for path in sorted(files)}
    whole = "".join(bodies.values())
    head = {
        "format": FORMAT,
        "digest": digest_of(files),
        "newest": max((newest_date(data) for data in files.values()), default=""),
        "checksum": zlib.crc32(whole.encode("utf-8")),
        "sizes": {path: len(body.encode("utf-8")) for path, body in bodies.items()},
    }
    return json.dumps(head, separators=(",", ":")) + "\n" + whole


class Packed:
    """A packed text, opened. ValueError when it is damaged: cut short, changed, or of another format."""

    def __init__(self, raw: bytes) -> None:
        line, _, self._body = raw.partition(b"\n")
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError("the packed rules are of another format")
        if zlib.crc32(self._body) != head["checksum"]:
            raise ValueError("the packed rules do not fit their checksum")
        self.digest = str(head["digest"])
        self.newest = str(head["newest"])
        self._places: dict[str, tuple[int, int]] = {}
        start = 0
        for path, size in head["sizes"].items():
            self._places[path] = (start, start + size)
            start += size

    def paths(self) -> list[str]:
        """The files' relative paths, sorted."""
        return list(self._places)

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self._places

    def read(self, path: str) -> RuleData:
        """One file."""
        start, end = self._places[path]
        return json.loads(self._body[start:end])  # type: ignore[no-any-return]


def unpack(text: str) -> tuple[dict[str, RuleData], str]:
    """All files of a packed text and their digest; ValueError when the text is damaged."""
    packed = Packed(text.encode("utf-8"))
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
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key}: {value} is not a number that can be compared")
    if isinstance(value, (str, int, float)):
        return value
    if type(value).__name__ != "date":
        raise ValueError(f"{key}: a time of day has no place here; write a date like 2026-11-20")
    return value.isoformat()
