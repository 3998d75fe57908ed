"""From paths to documents: each piece of evidence is scanned once, recognised by content, and read by its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType

import gpudoctor.intake as rooms
from gpudoctor.host.evidence import read_chunks, size_bytes
from gpudoctor.intake.base import Reading
from gpudoctor.intake.scan import LONGEST_PIECE, Scan, Triggers, clean, decode, scan
from gpudoctor.model.document import Document, Line
from gpudoctor.model.fact import FactSpec
from gpudoctor.model.registry import modules_of, specs_of

RECOGNITION_BYTES = 256 << 10
SURE_ENOUGH = 0.5
MOST_MESSAGE_LINES = 2_000
BAR_WIDTH = 24
SHORTEST_KNOWN = 12


def readers() -> tuple[ModuleType, ...]:
    """All reader modules, sorted by name."""
    return modules_of(rooms, having="recognises")


def intake_specs() -> dict[str, FactSpec]:
    """The facts that documents can state, by key."""
    return specs_of(modules_of(rooms, having="FACTS"))


def read_evidence(
    paths: Iterable[str], triggers: Triggers, progress: Callable[[str], None] = lambda _step: None
) -> list[Document]:
    """Read each path once; ExaminationError for one that cannot be read at all."""
    documents = []
    for path in paths:
        chunks = _counted(read_chunks(path), path, size_bytes(path), progress)
        documents.append(document_of(path, scan(chunks, triggers), triggers))
    return documents


def _counted(chunks: Iterable[bytes], path: str, size: int, progress: Callable[[str], None]) -> Iterator[bytes]:
    """The chunks as they are, telling on the way how far they have come; a packed file tells only how much."""
    name = "standard input" if path == "-" else path.rpartition("/")[2]
    done = 0
    progress(f"reading {name}")
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if done <= size:
            filled = done * BAR_WIDTH // size
            progress(f"[{'#' * filled}{'-' * (BAR_WIDTH - filled)}] {done * 100 // size:3} %  {name}")
        else:
            progress(f"{done >> 20} MiB  {name}")


def document_of(name: str, scanned: Scan, triggers: Triggers) -> Document:
    """Recognise what was scanned and let its reader take the facts from it."""
    shown = "standard input" if name == "-" else name
    notes = []
    if not scanned.size_bytes:
        return Document(shown, "log", notes=("it is empty",))
    if scanned.dropped:
        notes.append(f"{scanned.dropped} further lines differ from one another too much to keep all of them")
    reader = recognise(clean_text(scanned.head[:RECOGNITION_BYTES]), name)
    if reader is None:
        return Document(shown, "log", scanned.lines, (), scanned.line_count, scanned.size_bytes, tuple(notes))
    if not scanned.is_whole:
        notes.append("only its first 16 MiB were read for facts")
    whole = clean_text(scanned.head)
    reading: Reading = reader.read(whole)
    lines = () if reading.replaces_lines else scanned.lines
    lines += _message_lines(reading.messages, lines, whole)
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


def _message_lines(messages: Sequence[str], lines: Sequence[Line], whole: str) -> tuple[Line, ...]:
    """What a reader took out of its document, as lines; not again what stands in a line that was kept anyway."""
    seen = "\n".join(line.text for line in lines)
    pieces = dict.fromkeys(clean(piece)[:LONGEST_PIECE] for message in messages for piece in message.splitlines())
    wanted = [piece for piece in pieces if piece.strip() and piece not in seen and _told(piece) not in seen]
    wanted = wanted[:MOST_MESSAGE_LINES]
    where = whole if len(whole) <= RECOGNITION_BYTES else ""
    return tuple(Line(_number(where, piece), piece) for piece in wanted)


def _told(piece: str) -> str:
    """A message without the key that its reader put before it, where enough is left of it to be known again."""
    key, _, told = piece.partition(": ")
    return told if key.isalpha() and len(told) > SHORTEST_KNOWN else piece


def _number(text: str, piece: str) -> int:
    """The line in which a message stands or begins; 0 where it cannot be told."""
    for words in (piece, _told(piece)[:40]):
        place = text.find(words) if words else -1
        if place >= 0:
            return text.count("\n", 0, place) + 1
    return 0
