"""The built-in rules as finished objects, which the build leaves beside the packed ones.

Reading a check means testing every key of it against every declared fact. For the rules that come with gpudoctor the
build has done that once; a run takes the objects as they are, section by section. They fit exactly one version of the
code and of the rules, and whatever does not fit is passed over: the packed rules say the same. Pickles are as much
code as the modules beside them, so only this file of our own package is read this way, never an added folder.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

from gpudoctor._version import VERSION

TYPED_NAME = "typed.bin"
FORMAT = 1
_PROTOCOL = 4


class Typed:
    """The finished sections of one file. ValueError when it is damaged or made for other code."""

    def __init__(self, raw: bytes) -> None:
        line, _, self._body = raw.partition(b"\n")
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("version") != VERSION:
            raise ValueError("the finished rules are of another format or version")
        if zlib.crc32(self._body) != head["checksum"]:
            raise ValueError("the finished rules do not fit their checksum")
        self.digest = str(head["digest"])
        self._places: dict[str, tuple[int, int]] = {}
        start = 0
        for name, size in head["sizes"].items():
            self._places[name] = (start, start + size)
            start += size

    def section(self, name: str) -> Mapping[str, Any] | None:
        """The entries of a section by id, sorted; None where the file has no such section or the code has changed."""
        import pickle

        if name not in self._places:
            return None
        start, end = self._places[name]
        try:
            found = pickle.loads(self._body[start:end])
        except (pickle.UnpicklingError, AttributeError, ImportError, ValueError, TypeError):
            return None
        return found if isinstance(found, dict) else None


def read_typed(folder: str, digest: str) -> Typed | None:
    """What the build left in a rules folder, where it is whole and made from the rules of this digest."""
    try:
        with open(os.path.join(folder, TYPED_NAME), "rb") as file:
            typed = Typed(file.read())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return typed if typed.digest == digest else None


def typed_bytes(sections: Mapping[str, Mapping[str, object]], digest: str) -> bytes:
    """The file for finished sections by name, made from the rules of this digest."""
    import pickle

    bodies = {name: pickle.dumps(dict(entries), protocol=_PROTOCOL) for name, entries in sections.items()}
    whole = b"".join(bodies.values())
    head = {
        "format": FORMAT,
        "version": VERSION,
        "digest": digest,
        "checksum": zlib.crc32(whole),
        "sizes": {name: len(body) for name, body in bodies.items()},
    }
    return json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n" + whole
