"""What happens after the command of `run` has ended badly: it is explained, reported, and handed on.

This runs in a process of its own. Each step stands alone: a full disk costs the report, not the explanation.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from gpudoctor.host.child import Children
from gpudoctor.intake.run_record import FACTS
from gpudoctor.judging import Result, judge_again
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.errors import GpudoctorError
from gpudoctor.model.explanation import Explained
from gpudoctor.model.fact import Fact, Facts, FactSpec
from gpudoctor.model.record import replace
from gpudoctor.report.crash_text import crash_lines, fitting, report_lines, success_lines, summary_lines
from gpudoctor.report.redact import hide_explained_secrets, redact_diagnosis
from gpudoctor.supervise.evidence import explained, shell_code
from gpudoctor.supervise.facts import of_crash, of_machine, of_run
from gpudoctor.supervise.launch import lift_limits
from gpudoctor.supervise.record import Record

TERMINATION_LOG = "/dev/termination-log"
HOOK_SECONDS = 60.0
MOST_NAMES = 100


def tell(record: Record) -> None:
    """Say why the command failed, write the report, tell the container, call the hook; or tell of its success."""
    lift_limits(resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_NOFILE)
    catalogue = Catalogue(find_rules(()))
    answer = explained(record, catalogue)
    facts = Facts([*of_run(record), *of_crash(record)])
    shown = hide_explained_secrets(answer)
    if record.status == 0:
        lines = success_lines(shown, facts) if record.settings.verbose else []
        _say([*lines, *(summary_lines(facts) if record.settings.summary else [])])
        return
    # Each thing is said as soon as it is known: the same limit or shortage may end us as it ended the command.
    _say(crash_lines(shown, facts))
    with contextlib.suppress(OSError):
        _tell_container(record, crash_lines(_nameless(shown), facts))
    trouble = list(record.unread)
    report = ""
    if record.settings.report:
        try:
            report = write_report(record, answer, facts)
        except (OSError, GpudoctorError) as error:
            trouble.append(f"no report could be written: {getattr(error, 'strerror', None) or error}")
        except Exception as error:  # noqa: BLE001 - the explanation matters more than the report
            trouble.append(f"no report could be made: {type(error).__name__}: {error}")
    _say([*report_lines(report, trouble), *(summary_lines(facts) if record.settings.summary else [])])
    if record.settings.on_failure:
        _call_hook(record.settings.on_failure, report)


def write_report(record: Record, answer: Explained, run_facts: Facts) -> str:
    """Write the crash report under a name that nobody has yet, whole or not at all; gives its path."""
    found, runs, target = of_machine(record)
    own = {fact.key: fact for fact in [*found, *run_facts.items_sorted(), Fact("expect.gpus", "any")]}
    result = judge_again(Facts(own.values()), runs, Target("live", target.interpreter, target.reason))
    first = next((item.cause for item in answer.explanations if item.likelihood.value != "possible"), "")
    diagnosis = replace(result.diagnosis, explanations=(answer,), primary=first or result.diagnosis.primary)
    return _save(record, replace(result, diagnosis=diagnosis))


def _save(record: Record, result: Result) -> str:
    from gpudoctor.report.json_v1 import diagnosis_text

    specs: dict[str, FactSpec] = {**result.specs, **{spec.key: spec for spec in FACTS}}
    text = diagnosis_text(redact_diagnosis(result.diagnosis, specs), shell_code(record))
    folder = Path(record.settings.report_dir)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"gpudoctor-crash-{datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')}"
    partial = folder / f".{name}-{os.getpid()}.part"
    try:
        with partial.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return str(_named(partial, folder, name))
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _named(partial: Path, folder: Path, name: str) -> Path:
    """Give the whole file its final name. Ranks that die in the same second must not overwrite one another."""
    for number in range(MOST_NAMES):
        path = folder / f"{name}{f'-{number}' if number else ''}.json"
        try:
            os.link(partial, path)
            return path
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            break
    path = folder / f"{name}-{os.getpid()}.json"
    partial.replace(path)
    return path


def _say(lines: Sequence[str]) -> None:
    if lines:
        text = "\n".join(lines) + "\n"
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        with contextlib.suppress(OSError):
            data = memoryview(text.encode(encoding, "backslashreplace"))
            while data:
                data = data[os.write(2, data) :]


def _nameless(answer: Explained) -> Explained:
    from gpudoctor.report.redact import redact_explained

    return redact_explained(answer)


def _tell_container(record: Record, lines: Sequence[str]) -> None:
    """Leave it where Kubernetes looks when a container has ended, unless the program left a message of its own."""
    path = record.settings.termination_log
    if not path:
        path = TERMINATION_LOG
        if not Path(path).is_file() or Path(path).stat().st_size:
            return
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(opened, fitting(lines))
    finally:
        os.close(opened)


def _call_hook(command: str, report: str) -> None:
    children = Children()
    env = {**os.environ, "GPUDOCTOR_REPORT": report}
    end = children.run(["/bin/sh", "-c", f'{command} "$@"', "gpudoctor", report], HOOK_SECONDS, env)
    children.close()
    said = (end.stdout + end.stderr).rstrip()
    if said:
        _say([said])
    if not end.ok:
        _say([f"gpudoctor: --on-failure did not end well: {end.error or end.signal or end.status}"])
