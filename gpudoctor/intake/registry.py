"""From paths to documents: each piece of evidence is scanned once, recognised by content, and read by its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType

import gpudoctor.intake as rooms
from gpudoctor.host.evidence import read_chunks
from gpudoctor.intake.base import Reading
from gpudoctor.intake.scan import LONGEST_PIECE, Scan, Triggers, clean, decode, scan
from gpudoctor.model.document import Document, Line
from gpudoctor.model.fact import FactSpec
from gpudoctor.model.registry import modules_of, specs_of

RECOGNITION_BYTES = 256 << 10
SURE_ENOUGH = 0.5


def readers() -> tuple[ModuleType, ...]:
    """All reader modules, sorted by name."""
    return modules_of(rooms, having="recognises")


def intake_specs() -> dict[str, FactSpec]:
    """The facts that documents can state, by key."""
    return specs_of(readers())


def read_evidence(
    paths: Iterable[str], triggers: Triggers, progress: Callable[[str], None] = lambda _step: None
) -> list[Document]:
    """Read each path once; ExaminationError for one that cannot be read at all."""
    documents = []
    for path in paths:
        progress(f"reading {path}")
        documents.append(document_of(path, scan(read_chunks(path), triggers), triggers))
    return documents


def document_of(name: str, scanned: Scan, triggers: Triggers) -> Document:
    """Recognise what was scanned and let its reader take the facts from it."""
    shown = "standard input" if name == "-" else name
    notes = []
    if not scanned.size_bytes:
        return Document(shown, "log", notes=("it is empty",))
    if scanned.dropped:
        notes.append(f"{scanned.dropped} further lines differ from one another too much to keep all of them")
    whole = clean_text(scanned.head)
    reader = recognise(whole[:RECOGNITION_BYTES], name)
    if reader is None:
        return Document(shown, "log", scanned.lines, (), scanned.line_count, scanned.size_bytes, tuple(notes))
    if not scanned.is_whole:
        notes.append("only its first 16 MiB were read for facts")
    reading: Reading = reader.read(whole)
    lines = scanned.lines + _message_lines(reading.messages, triggers)
    return Document(
        shown,
        reader.KIND,
        lines,
        reading.facts,
        scanned.line_count,
        scanned.size_bytes,
        (*notes, *reading.notes),
    )


def recognise(beginning: str, name: str) -> ModuleType | None:
    """The reader that is surest; ties go to the first by name."""
    best, surest = None, 0.0
    for reader in readers():
        sure = reader.recognises(beginning, name)
        if sure > surest:
            best, surest = reader, sure
    return best if surest >= SURE_ENOUGH else None


def clean_text(raw: bytes) -> str:
    """Decode and clean a document line by line, so that one bad byte spoils one line."""
    return "\n".join(clean(decode(line)) for line in raw.split(b"\n"))


def _message_lines(messages: Sequence[str], triggers: Triggers) -> tuple[Line, ...]:
    pieces = (piece for message in messages for piece in message.splitlines())
    return tuple(
        Line(0, clean(piece)[:LONGEST_PIECE])
        for piece in pieces
        if triggers.find(piece.encode("utf-8", "replace")) >= 0
    )
