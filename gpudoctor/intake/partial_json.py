"""Reads JSON as far as it goes: cut off, trimmed by hand, or with only a piece of it pasted.

Nothing is refused. What is open at the end is closed, keys without surrounding braces are taken as an object, and
trailing commas, comments, ellipses, single quotes and Python's True, False and None are understood.
"""

from __future__ import annotations

import json
import re
from typing import Any

Plain = Any  # what JSON can hold
DEEPEST = 60
MOST_TOKENS = 400_000
_TOKEN = re.compile(
    r"""
    (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')(?P<is_key>\s{0,40}:)?
    |(?P<open>[{\[])
    |(?P<close>[}\]])
    |(?P<word>[A-Za-z_][\w.-]{0,80})(?P<is_bare_key>\s{0,4}:)?
    |(?P<number>-?\d{1,40}(?:\.\d{1,40})?(?:[eE][-+]?\d{1,4})?)
    |(?P<cut>["'][^"'\n]{1,20000})
    """,
    re.VERBOSE,
)
_WORDS: dict[str, Plain] = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


def parse(text: str) -> tuple[Plain, bool]:
    """The value, and whether it was whole. A text without anything of JSON gives ({}, False)."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            return json.loads(stripped), True
        except (ValueError, RecursionError):
            pass
    builder = _Builder()
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count >= MOST_TOKENS:
            break
        builder.take(token)
    return builder.value(), False


class _Builder:
    """Puts tokens together; keys and closers that fit nothing are passed over."""

    def __init__(self) -> None:
        self._loose: dict[str, Plain] = {}  # keys that stand outside of any braces
        self._tops: list[Plain] = []
        self._stack: list[tuple[Plain, str | None]] = []
        self._key: str | None = None
        self._skipped = 0

    def take(self, token: re.Match[str]) -> None:
        """Take in one token."""
        if token["open"]:
            self._open(token["open"])
        elif token["close"]:
            self._close(token["close"])
        elif token["is_key"]:
            self._key = unquoted(token["string"])
        elif token["is_bare_key"]:
            self._key = token["word"]
        elif token["string"] is not None:
            self._add(unquoted(token["string"]))
        elif token["number"]:
            self._add(_number(token["number"]))
        elif token["cut"]:
            if self._key is not None:
                self._add(token["cut"][1:])
        elif token["word"] in _WORDS and self._key is not None:
            self._add(_WORDS[token["word"]])

    def value(self) -> Plain:
        """What was built: an object, or a list of the objects that stood side by side."""
        tops = [top for top in self._tops if top or top == []]
        if self._loose:
            tops.append(self._loose)
        if len(tops) == 1:
            return tops[0]
        return tops or {}

    def _open(self, bracket: str) -> None:
        if self._skipped or len(self._stack) >= DEEPEST:
            self._skipped += 1
            return
        fresh: Plain = {} if bracket == "{" else []
        if self._stack or self._key is not None:
            self._add(fresh)
        else:
            self._tops.append(fresh)
        self._stack.append((fresh, None))
        self._key = None

    def _close(self, bracket: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        wanted = dict if bracket == "}" else list
        if any(isinstance(item, wanted) for item, _ in self._stack):
            while not isinstance(self._stack.pop()[0], wanted):
                pass
        self._key = None

    def _add(self, value: Plain) -> None:
        if self._skipped:
            return
        inside = self._stack[-1][0] if self._stack else self._loose
        if isinstance(inside, list):
            inside.append(value)
        elif self._key is not None:
            inside[self._key] = value
        self._key = None


def unquoted(quoted: str) -> str:
    """The text inside quotation marks, escapes resolved as far as they are valid."""
    body = quoted[1:-1]
    if "\\" not in body:
        return body
    if quoted[0] == '"':
        try:
            return str(json.loads(quoted, strict=False))
        except ValueError:
            pass
    return body.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'").replace("\\\\", "\\")


def _number(text: str) -> int | float:
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    value = float(text)
    return value if abs(value) < float("inf") else 0.0
