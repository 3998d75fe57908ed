"""Reads a tree of rule files from disk, and packs one into the single JSON file that the wheel carries.

Reading hundreds of small TOML files takes tens of milliseconds, one JSON file a few. This module uses the standard
library and a TOML parser only and imports nothing of gpudoctor, because the build loads it by its path.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECTIONS = ("causes", "chains", "checks", "exits", "signatures", "tables")
NESTED = ("causes", "checks", "signatures")
RETIRED = "retired.toml"
PACKED_NAME = "compiled.json"
_HEAD = '{"format":1,"digest":"%s","files":'
_TAIL = "}\n"
_LARGEST_FILE = 4_000_000
_MOST_FILES = 20_000

Plain = Any  # a value as TOML gives it
RuleData = Mapping[str, Any]


def rule_paths(root: Path, section: str) -> list[str]:
    """The rule files of one section below a rules folder, as sorted relative paths with forward slashes."""
    found = []
    for folder, folders, names in os.walk(root / section):
        folders.sort()
        rules = [Path(folder) / name for name in names if name.endswith(".toml") and not name.startswith(".")]
        found += [path.relative_to(root).as_posix() for path in rules]
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
    """The text of the packed file: one canonical JSON value behind a digest of itself."""
    body = _canonical(files)
    return _HEAD % _digest(body) + body + _TAIL


def unpack(text: str) -> tuple[dict[str, RuleData], str]:
    """The files of a packed text and their digest; ValueError when the digest does not fit the content."""
    start = len(_HEAD % ("0" * 64))
    body = text[start : -len(_TAIL)]
    digest = _digest(body)
    if text[:start] != _HEAD % digest or not text.endswith(_TAIL):
        raise ValueError("the packed rules do not fit their digest")
    return json.loads(body), digest


def digest_of(files: Mapping[str, RuleData]) -> str:
    """SHA-256 over the content: comments, spacing and the order of keys do not count."""
    return _digest(_canonical(files))


def _canonical(files: Mapping[str, RuleData]) -> str:
    return json.dumps(files, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(body: str) -> str:
    import hashlib  # loads OpenSSL, which an `explain-exit` in a checkout does not need

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
