"""Reads the plain part of YAML that Kubernetes prints: mappings, lists, scalars and blocks of text.

Nothing is refused: a line that fits nothing is passed over. Anchors, tags and several documents in one file are not
needed here. A value that begins with a brace or a bracket is read as JSON.
"""

from __future__ import annotations

import re
from typing import Any

from gpudoctor.intake import partial_json

Plain = Any
MOST_LINES = 100_000
DEEPEST = 60
_ENTRY = re.compile(
    r"""(?P<key>"[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s"'#{}\[\],:][^:\n]{0,200}?)\s*:(?:\s+(?P<value>.*))?$"""
)
_NUMBER = re.compile(r"-?\d{1,18}$")
_WORDS: dict[str, Plain] = {"true": True, "false": False, "null": None, "~": None, "": None}


class _Level:
    """One open container: `indent` is where its entries stand; `put` stores a value for its newest entry."""

    def __init__(self, indent: int, box: Plain, key: str = "") -> None:
        self.indent, self.box, self.key = indent, box, key

    def put(self, value: Plain) -> None:
        if isinstance(self.box, dict):
            self.box[self.key] = value
        elif self.box:
            self.box[-1] = value


def parse(text: str) -> Plain:
    """The value of a text; {} where nothing of it is YAML as we know it."""
    lines = text.split("\n")[:MOST_LINES]
    root: dict[str, Plain] = {}
    levels = [_Level(-1, root)]
    place = 0
    while place < len(lines):
        line = lines[place].rstrip()
        place += 1
        body = line.lstrip(" ")
        if not body or body.startswith(("#", "---", "...")):
            continue
        indent = len(line) - len(body)
        while body.startswith("- ") or body == "-":
            _enter_list(levels, indent)
            indent, body = indent + 2 + len(body[2:]) - len(body[2:].lstrip()), body[2:].lstrip()
        entry = _ENTRY.match(body)
        if entry is None:
            _continue_scalar(levels, body)
            continue
        _enter_mapping(levels, indent, _plain(entry["key"].strip()), root)
        value = (entry["value"] or "").strip()
        if re.fullmatch(r"[|>][-+]?\d?", value):
            block, place = _block(lines, place, indent)
            levels[-1].put(block)
        elif value:
            levels[-1].put(_scalar(value))
    return root


def _enter_list(levels: list[_Level], indent: int) -> None:
    """Make the list at this indentation the current container, with a new empty element."""
    while len(levels) > 1 and (
        levels[-1].indent > indent or (levels[-1].indent == indent and _is_element(levels, levels[-1]))
    ):
        levels.pop()
    current = levels[-1]
    if isinstance(current.box, list) and current.indent == indent:
        current.box.append(None)
        return
    fresh: list[Plain] = [None]
    current.put(fresh)
    if len(levels) < DEEPEST:
        levels.append(_Level(indent, fresh))


def _is_element(levels: list[_Level], level: _Level) -> bool:
    """Whether a mapping at this level belongs to a list element rather than holding the list."""
    return isinstance(level.box, dict) and any(
        isinstance(outer.box, list) and outer.indent == level.indent for outer in levels
    )


def _enter_mapping(levels: list[_Level], indent: int, key: str, root: dict[str, Plain]) -> None:
    while len(levels) > 1 and (
        levels[-1].indent > indent or (levels[-1].indent == indent and isinstance(levels[-1].box, list))
    ):
        levels.pop()
    current = levels[-1]
    if isinstance(current.box, dict) and (current.indent == indent or (current.box is root and current.indent < 0)):
        if current.indent < 0:
            current.indent = indent
    else:
        fresh: dict[str, Plain] = {}
        current.put(fresh)
        current = _Level(indent, fresh)
        if len(levels) < DEEPEST:
            levels.append(current)
        else:
            levels[-1] = current
    current.key = key
    current.box.setdefault(key, None)


def _continue_scalar(levels: list[_Level], body: str) -> None:
    """A list element that is a scalar, or a plain text that goes on in the next line."""
    current = levels[-1]
    if isinstance(current.box, list):
        current.box[-1] = _scalar(body)
    elif isinstance(current.box.get(current.key), str) and len(current.box[current.key]) < 20_000:
        current.box[current.key] += " " + body.strip("\"'")


def _block(lines: list[str], place: int, indent: int) -> tuple[str, int]:
    taken = []
    while place < len(lines):
        line = lines[place]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            break
        taken.append(line.strip())
        place += 1
    return "\n".join(taken).strip("\n"), place


def _scalar(value: str) -> Plain:
    if value[:1] in ("{", "["):
        return partial_json.parse(value)[0]
    if value[:1] in ("'", '"'):
        return _plain(value)
    value = value.split(" #", 1)[0].rstrip()
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    return int(value) if _NUMBER.match(value) else value


def _plain(quoted: str) -> str:
    if quoted[:1] == '"':
        return partial_json.unquoted(quoted if len(quoted) > 1 and quoted.endswith('"') else quoted + '"')
    if quoted[:1] == "'":
        return quoted.strip("'").replace("''", "'")
    return quoted
