"""What Slurm says of a job: `sacct` in any columns, with or without -P, and `scontrol show job`.

Traps: sacct takes 128 off exit codes above it, so a batch script that died of SIGSEGV shows 11:0 there and 139:0 in
scontrol; 0:125 is Slurm's own mark for a step that hit its memory limit; a step can be OUT_OF_MEMORY in a job that
is merely FAILED; a step that crashed under srun is CANCELLED with its signal (0:11), though nobody cancelled it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import bytes_of
from gpudoctor.model.fact import Fact
from gpudoctor.model.record import record

KIND = "slurm"
FACTS = ()
# The most telling first.
STATES = (
    "OUT_OF_MEMORY NODE_FAIL PREEMPTED TIMEOUT DEADLINE BOOT_FAIL REVOKED CANCELLED FAILED COMPLETED RUNNING PENDING"
).split()
# The states as narrow columns cut them, which sacct marks with a plus.
_SHORT = {state[:length]: state for state in STATES for length in range(6, len(state))}
_COLUMNS = frozenset(
    "jobid jobidraw jobname state exitcode derivedexitcode maxrss reqmem elapsed partition account alloccpus start end "
    "nodelist timelimit reason".split()
)
_PAIR = re.compile(r"\b(\d{1,3}):(\d{1,3})\b")
_CRASH_SIGNALS = (4, 6, 7, 8, 9, 11, 15)
# A step that ends by one of these was not cancelled by anybody, whatever its state says.
_OWN_SIGNALS = (4, 5, 6, 7, 8, 11, 31)
_SCONTROL = re.compile(
    r"\b(JobId|JobState|ExitCode|DerivedExitCode|Reason|MinMemoryNode|MinMemoryCPU|TresPerNode|Gres)=(\S*)"
)


@record
class _Row:
    state: str = ""
    exit: str = ""
    derived: str = ""
    is_step: bool = False
    peak: int = 0


def recognises(beginning: str, name: str) -> float:
    """The header of sacct or the fields of scontrol."""
    part = beginning[:65536]
    if "JobId=" in part and "JobState=" in part:
        return 0.9
    header = _header(part.split("\n")[:400])
    if header is not None:
        return 0.9
    return 0.6 if "JobState=" in part and len(part) < 20_000 else 0.0


def read(document: str) -> Reading:
    """State and exit of the job, by its worst row."""
    lines = document.split("\n")[:20_000]
    facts = [Fact("crash.context", ("slurm",))]
    notes: tuple[str, ...] = ()
    by_scontrol = "JobState=" in document or "JobId=" in document
    rows = [_from_scontrol(document)] if by_scontrol else list(_from_sacct(lines))
    state = min((row.state for row in rows if row.state in STATES), key=STATES.index, default="")
    if state:
        facts.append(Fact("crash.slurm_state", state))
    pair, restored = _worst_exit(rows, is_sacct=not by_scontrol)
    if pair and state not in ("RUNNING", "PENDING"):
        facts.append(Fact("crash.slurm_exit", pair))
        if restored:
            notes = (f"sacct takes 128 off exit codes; {restored} was read as {pair}",)
    peak = max((row.peak for row in rows), default=0)
    if peak:
        facts.append(Fact("crash.memory_peak_bytes", peak))
    return Reading((*facts, *_requests(document)), (), notes)


def _header(lines: list[str]) -> tuple[int, str] | None:
    """(line, separator) of the line that names sacct's columns."""
    for place, line in enumerate(lines):
        for separator in ("|", None):
            words = [word.strip().rstrip("%+").lower() for word in line.split(separator)]
            known = len(_COLUMNS.intersection(words))
            if known >= 2 and {"state", "exitcode", "derivedexitcode"}.intersection(words) and known * 2 >= len(words):
                return place, separator or ""
    return None


def _from_sacct(lines: list[str]) -> Iterator[_Row]:
    found = _header(lines)
    if found is None:
        return
    place, separator = found
    names = [name.strip().lower() for name in lines[place].split(separator or None)]
    rule = lines[place + 1] if place + 1 < len(lines) else ""
    spans = [match.span() for match in re.finditer(r"-+", rule)] if re.fullmatch(r"[\s-]{5,}", rule) else []
    for line in lines[place + 1 :]:
        if not line.strip() or re.fullmatch(r"[\s-]+", line):
            continue
        if separator:
            cells = [cell.strip() for cell in line.split("|")]
        elif len(spans) == len(names):
            cells = [line[start:end].strip() for start, end in spans]
        else:
            cells = line.split()
        row = dict(zip(names, cells))
        state = _state(row.get("state", "")) or next(filter(None, map(_state, cells)), "")
        exits = _PAIR.findall(line)
        code = row.get("exitcode", "")
        pair = code if _PAIR.fullmatch(code) else ":".join(exits[0]) if exits and not separator else ""
        yield _Row(
            "FAILED" if state == "CANCELLED" and _died_by_itself(pair) else state,
            pair,
            row.get("derivedexitcode", ""),
            "." in row.get("jobid", row.get("jobidraw", "")),
            bytes_of(row.get("maxrss", "")) or 0,
        )


def _died_by_itself(pair: str) -> bool:
    return pair.endswith(tuple(f":{signal}" for signal in _OWN_SIGNALS))


def _state(cell: str) -> str:
    word = cell.split()[0].rstrip("+").upper() if cell.split() else ""
    return word if word in STATES else _SHORT.get(word, "")


def _from_scontrol(document: str) -> _Row:
    fields = {match[1]: match[2] for match in reversed(list(_SCONTROL.finditer(document)))}
    return _Row(_state(fields.get("JobState", "")), fields.get("ExitCode", ""), fields.get("DerivedExitCode", ""))


def _worst_exit(rows: list[_Row], is_sacct: bool) -> tuple[str, str]:
    """The pair that tells most, and the pair as it stood where it had to be restored."""
    pairs = [pair for row in rows for pair in (row.exit, row.derived) if _PAIR.fullmatch(pair)]
    if not pairs:
        return "", ""
    signalled = [pair for pair in pairs if not pair.endswith(":0")]
    for wanted in (":125", ""):
        for pair in signalled:
            if pair.endswith(wanted):
                return pair, ""
    code = next((pair for pair in pairs if pair != "0:0"), "0:0")
    number = int(code.split(":")[0])
    if is_sacct and number in _CRASH_SIGNALS:
        return f"{128 + number}:0", code
    return code, ""


def _requests(document: str) -> Iterator[Fact]:
    memory = re.search(r"\b(?:MinMemoryNode|ReqMem)=(\d{1,12}(?:\.\d{1,3})?[KMGT]?)", document)
    size = bytes_of(memory[1]) if memory else None
    if size:
        yield Fact("crash.memory_limit_bytes", size)
    if "JobState=" in document:
        yield Fact("crash.gpu_requested", bool(re.search(r"gres[:/]gpu|gpu[:=]\d", document)))
