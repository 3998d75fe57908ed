"""Core files by name, by what `file` says of them, or the file itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.model.fact import Fact

KIND = "core_files"
FACTS = ()
_ELF = "\x7fELF"
_NAME = re.compile(r"(?:^|[\s/])(core(?:\.[\w.%+-]{1,120})?)$")
_LISTED = re.compile(r"(?:^|\s|/)(core(?:\.[\w.+-]{1,120})?)\s*$")
_FILE = re.compile(
    r"^(?P<path>[^\n:]{1,300}): +ELF (?:32|64)-bit [LM]SB core file[^\n]{0,200}?"
    r"(?:, from '(?P<program>[^'\n]{0,200}))?(?:'|$|\n)",
    re.MULTILINE,
)
MOST_FILES = 50


def recognises(beginning: str, name: str) -> float:
    """An ELF file named like a core, lines of `file`, or a listing of nothing but core files."""
    if beginning.startswith(_ELF):
        return 0.95
    if "core file" in beginning and _FILE.search(beginning[:65536]):
        return 0.8
    lines = [line for line in beginning[:65536].split("\n") if line.strip()]
    named = sum(1 for line in lines if re.search(r"(?:^|\s|/)core(?:\.[\w.+-]{1,120})\s*$", line))
    return 0.7 if named and named * 2 >= len(lines) else 0.0


def read(document: str) -> Reading:
    """How many there are and what they are called."""
    if document.startswith(_ELF):
        note = "it is a program or core file; a debugger (gdb -c) reads the stack from it"
        return Reading((Fact("core_files.count", 1),), (), (note,), replaces_lines=True)
    found = list(dict.fromkeys(_names(document)))
    if not found:
        return Reading()
    return Reading((Fact("core_files.count", len(found)), Fact("core_files.found", tuple(found[:MOST_FILES]))))


def _names(document: str) -> Iterator[str]:
    for match in _FILE.finditer(document[:1_000_000]):
        yield match["path"] + (f" (from {match['program']})" if match["program"] else "")
    for line in document[:1_000_000].split("\n"):
        listed = _LISTED.search(line.rstrip())
        if listed and "ELF" not in line:
            yield listed[1]
