"""The built-in rules as finished objects, which the build leaves beside the packed ones.

Reading a check means testing every key of it against every declared fact. For the rules that come with gpudoctor the
build has done that once; a run takes the objects as they are, section by section. They fit exactly one version of the
code and of the rules, and whatever does not fit is passed over: the packed rules say the same. Pickles are as much
code as the modules beside them, so only this file of our own package is read this way, never an added folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gpudoctor._version import VERSION
from gpudoctor.knowledge.compile import Pieces, in_pieces
from gpudoctor.model.garbage import NoCollection

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any

    from gpudoctor.knowledge.tables import Table


TYPED_NAME = "typed.bin"
KIND = f"gpudoctor-finished-3-{VERSION}"
TABLE = "table "  # before a table's name: each is a piece of its own, since a run needs a few of them
_PROTOCOL = 4


class Typed:
    """The finished sections of one file, by its path or its bytes. OSError when it cannot be read, ValueError when its
    head is damaged or it was made for other code."""

    def __init__(self, source: bytes | str) -> None:
        self._pieces = Pieces(source, KIND)
        (self.digest,) = self._pieces.told

    def section(self, name: str) -> Mapping[str, Any] | None:
        """The entries of a section by id, sorted; None where the file has no such section or the code has changed."""
        found = self._load(name)
        return found if isinstance(found, dict) else None

    def tables(self) -> frozenset[str]:
        """The names of the tables."""
        names = self._pieces.names()
        return frozenset(name[len(TABLE) :] for name in names if name.startswith(TABLE))

    def table(self, name: str) -> Table | None:
        """One table, None as above."""
        from gpudoctor.knowledge.tables import Table

        found = self._load(TABLE + name)
        return found if isinstance(found, Table) else None

    def _load(self, name: str) -> object:
        # What `pickle` itself takes its functions from, where it is there: loading the rest costs more than reading.
        try:
            from _pickle import UnpicklingError, loads
        except ImportError:
            from pickle import UnpicklingError, loads

        try:
            with NoCollection():
                return loads(self._pieces.take(name))
        except (UnpicklingError, AttributeError, ImportError, ValueError, TypeError, KeyError):
            return None


def read_typed(folder: str, digest: str) -> Typed | None:
    """What the build left in a rules folder, where it is whole and made from the rules of this digest."""
    try:
        typed = Typed(os.path.join(folder, TYPED_NAME))
    except (OSError, ValueError):
        return None
    return typed if typed.digest == digest else None


def typed_bytes(sections: Mapping[str, Mapping[str, object]], tables: Mapping[str, Table], digest: str) -> bytes:
    """The file for finished sections and tables by name, made from the rules of this digest."""
    import pickle

    pieces: dict[str, object] = {name: dict(entries) for name, entries in sections.items()}
    pieces.update((TABLE + name, table) for name, table in tables.items())
    bodies = {name: pickle.dumps(piece, protocol=_PROTOCOL) for name, piece in pieces.items()}
    return in_pieces(f"{KIND} {digest}", bodies)
