"""A run and its machine as facts: what the crash report holds beside the explanation."""

from __future__ import annotations

import datetime
import os
import shutil
import threading
from collections.abc import Iterable

from gpudoctor.collect.registry import collectors_named, run_collectors
from gpudoctor.host.local import LocalHost
from gpudoctor.intake.run_record import FACTS
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Element, Fact, Reason, Unknown, Value
from gpudoctor.model.run import Run
from gpudoctor.probe.registry import ProbeSettings, examine
from gpudoctor.supervise.evidence import (
    difference,
    exit_of,
    gpu_events,
    gpus,
    kernel_lines,
    new_core_files,
    shell_code,
    signals_told,
)
from gpudoctor.supervise.record import Record

# Quick to read, and nothing among them asks a mount that may be wedged. No child that loads the driver's libraries.
COLLECTORS = (
    *("cgroup", "container", "core_files", "cpu", "device_nodes", "driver_kernel", "elastic", "init", "job", "kernel"),
    *("libc", "limits", "memory", "os_release", "shm"),
)
COLLECT_SECONDS = 8.0
EXAMINE_SECONDS = 20.0
HEAD_LINES, TAIL_LINES = 40, 400
LONGEST_LINE = 2000
NO_GPU_TOLD = Unknown(Reason.NO_DATA, "no GPU was watched: NVML did not answer, or there is none")


def of_machine(record: Record) -> tuple[list[Fact], list[Run], Target]:
    """The machine as it is now: limits, control group, driver's files, versions. torch is not imported."""
    facts: list[Fact] = []
    runs: list[Run] = []
    worker = threading.Thread(target=_collect, args=(facts, runs), daemon=True)
    try:
        worker.start()
        worker.join(COLLECT_SECONDS)
    except RuntimeError:  # the limit of threads is reached, which may be what killed the command
        _collect(facts, runs)
    program = os.path.basename(record.settings.command[0])
    python = shutil.which(record.settings.command[0]) if program.startswith("python") else ""
    with LocalHost(EXAMINE_SECONDS) as host:
        try:
            examination = examine(host, ProbeSettings(python=python or "", import_torch=False))
        except ExaminationError:
            examination = examine(host, ProbeSettings(import_torch=False))
    return [*facts, *examination.facts], [*runs, *examination.runs], examination.target


def _collect(facts: list[Fact], runs: list[Run]) -> None:
    with LocalHost(COLLECT_SECONDS) as host:
        for collector in collectors_named(*COLLECTORS):
            found, how = run_collectors(host, chosen=[collector])
            facts += found
            runs += how


def of_run(record: Record) -> list[Fact]:
    """The run.* facts."""
    told = dict(_plain(record))
    told.update(_outputs(record))
    told.update(_gpus(record))
    return [Fact(spec.key, told.get(spec.key, Unknown(Reason.NO_DATA, "it was not seen"))) for spec in FACTS]


def of_crash(record: Record) -> list[Fact]:
    """What an earlier report of ours may state as evidence."""
    status = exit_of(record)
    facts = [Fact("crash.exit_code", shell_code(record))]
    if status.signal and status.signal_is_certain:
        facts.append(Fact("crash.signal", status.signal))
    for name, key in (("oom_kill", "crash.oom_kill_count"), ("pids_refused", "crash.pids_limit_hits")):
        moved = difference(record, name)
        if moved is not None:
            facts.append(Fact(key, moved))
    return facts


def _plain(record: Record) -> Iterable[tuple[str, Value | Unknown]]:
    status = exit_of(record)
    killed = status.signal if status.signal_is_certain else ""
    began = datetime.datetime.fromtimestamp(record.began, datetime.timezone.utc)
    yield "run.command", " ".join(record.settings.command)
    yield "run.began", began.isoformat(timespec="seconds")
    yield "run.seconds", round(record.seconds, 3)
    yield "run.user_seconds", round(record.used.user_seconds, 3)
    yield "run.system_seconds", round(record.used.system_seconds, 3)
    yield "run.exit_code", shell_code(record)
    yield "run.signal", killed or Unknown(Reason.NOT_APPLICABLE, "it was not killed by a signal")
    yield "run.largest_process_bytes", record.used.largest_bytes
    yield "run.signals", tuple(signals_told(record))
    yield "run.new_core_files", tuple(new_core_files(record))
    refused = Unknown(Reason.PERMISSION_DENIED, record.log_refusal)
    yield "run.kernel_lines", refused if record.log_refusal else tuple(kernel_lines(record))
    numbers = {
        "run.tree_peak_bytes": record.peak_tree_bytes,
        "run.group_peak_bytes": _group_peak(record),
        "run.shm_peak_bytes": record.peak_shm_bytes,
        "run.oom_kills": difference(record, "oom_kill"),
        "run.pids_refused": difference(record, "pids_refused"),
    }
    for key, value in numbers.items():
        yield key, Unknown(Reason.NO_DATA, "nothing here tells it") if value is None else value


def _group_peak(record: Record) -> int | None:
    """The kernel's own peak where it was reached in this run, else the most that we saw."""
    before, after = record.before.get("memory_peak_bytes"), record.after.get("memory_peak_bytes")
    return after if before is not None and after is not None and after > before else record.peak_group_bytes


def _outputs(record: Record) -> Iterable[tuple[str, Value | Unknown]]:
    outputs = [("stdout" if name == "output" else name, ring) for name, ring in record.outputs]
    known = {name for name, _ in outputs}
    for name in ("stdout", "stderr"):
        if name not in known:
            why = next((text for text in record.unread if text.startswith(name)), "it was one stream with the other")
            for part in ("head", "tail"):
                yield f"run.{name}_{part}", Unknown(Reason.NO_DATA, why)
    for name, ring in outputs:
        head, tail = _lines(bytes(ring.head)), _lines(ring.tail)
        whole = head if not tail else head[:-1] + _joined(head, tail) if ring.left_out <= 0 else tail
        yield f"run.{name}_head", tuple(head[:HEAD_LINES])
        yield f"run.{name}_tail", tuple(whole[-TAIL_LINES:])


def _joined(head: list[str], tail: list[str]) -> list[str]:
    return [(head[-1] if head else "") + tail[0], *tail[1:]]


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "backslashreplace")
    lines = [line.rpartition("\r")[2] if "\r" in line.rstrip("\r") else line.rstrip("\r") for line in text.split("\n")]
    return [line[:LONGEST_LINE] for line in (lines[:-1] if lines and not lines[-1] else lines)]


def _gpus(record: Record) -> Iterable[tuple[str, Value | Unknown]]:
    seen = gpus(record)
    for key, name in (
        ("run.gpu_memory_peak_bytes", "memory_peak"),
        ("run.gpu_utilisation_peak_percent", "utilisation_peak"),
        ("run.gpu_temperature_peak_c", "temperature_peak"),
        ("run.gpu_throttle_reasons", "throttle_reasons"),
    ):
        yield key, tuple(_figure(gpu.get(name)) for gpu in seen) or NO_GPU_TOLD
    errors = [(gpu.get("ecc_uncorrected"), gpu.get("ecc_uncorrected_before")) for gpu in seen]
    moved = [now - then if isinstance(now, int) and isinstance(then, int) else None for now, then in errors]
    yield "run.gpu_new_ecc_errors", tuple(map(_figure, moved)) or NO_GPU_TOLD
    yield "run.gpu_events", tuple(gpu_events(record)) if seen else NO_GPU_TOLD


def _figure(value: object) -> Element:
    known = isinstance(value, int) and not isinstance(value, bool)
    return value if known else Unknown(Reason.NO_DATA, "NVML does not tell")  # type: ignore[return-value]
