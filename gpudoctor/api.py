"""The Python API: the same answers as the command line's, as typed objects.

Importing this module is cheap; each function loads what it needs when it is called. None of them loads torch, CUDA
or NVML into the calling process, prints, or writes to disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpudoctor.diagnose import CheckSettings
    from gpudoctor.model.diagnosis import Diagnosis
    from gpudoctor.model.explanation import Explained

PROBES = ("none", "quick", "full")


def check(
    *,
    python: str = "",
    probes: str = "quick",
    expect_gpus: str = "any",
    timeout: float = 60.0,
    rules: Iterable[Path] = (),
) -> Diagnosis:
    """Examine this machine, as `gpudoctor check` does.

    `python` is the interpreter to examine; empty means the active environment's. `expect_gpus` is a number, `none`
    or `any`; `timeout` in seconds. ExaminationError where it cannot be examined, RulesError for bad rules, UsageError
    for an argument that is none of these.
    """
    from gpudoctor.diagnose import diagnose

    return diagnose(_settings(probes, expect_gpus, python, timeout, rules)).diagnosis


def judge(text: str | bytes, *, name: str = "text", expect_gpus: str = "any", rules: Iterable[Path] = ()) -> Diagnosis:
    """Judge a pasted environment dump, a log, several of them in one text, or the JSON report of an earlier check, as
    `gpudoctor check --from` does.

    Nothing of this machine enters the judgement. `name` stands where the text is quoted. ExaminationError for a text
    that is empty or a report that is broken.
    """
    from gpudoctor.declared import known_specs
    from gpudoctor.documents import judge_report, judge_text
    from gpudoctor.report.read import looks_like_report, read_report

    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    settings = _settings("none", expect_gpus, rules=rules)
    words = data.decode("utf-8", "replace")
    if looks_like_report(words):
        report = read_report(words, known_specs())
        return judge_report(report.facts, report.runs, report.target, report.findings, settings).diagnosis
    return judge_text(name, data, settings).diagnosis


def explain_exit(status: str | int, evidence: Iterable[str | Path] = (), *, rules: Iterable[Path] = ()) -> Explained:
    """Explain how a process ended, as `gpudoctor explain-exit` does.

    `status` is a number (also a negative one, as Python's subprocess gives it), a signal or a scheduler's reason;
    `evidence` are paths of logs and other documents. Without any, this container's own traces are looked at.
    UsageError for a status that is none, ExaminationError for evidence that cannot be read.
    """
    from gpudoctor.explain import ExplainSettings
    from gpudoctor.explain import explain_exit as explained

    return explained(ExplainSettings(str(status), tuple(map(str, evidence)), rules=tuple(rules)))


def to_json(diagnosis: Diagnosis, *, redact: bool = True) -> str:
    """A diagnosis as the document of `check --json`; without names, addresses and secrets unless told otherwise."""
    from gpudoctor.declared import known_specs
    from gpudoctor.report.json_v1 import diagnosis_text
    from gpudoctor.report.redact import redact_diagnosis

    shown = redact_diagnosis(diagnosis, known_specs()) if redact else diagnosis
    return diagnosis_text(shown, _exit_code(diagnosis))


def to_markdown(diagnosis: Diagnosis, *, redact: bool = True) -> str:
    """A diagnosis as Markdown for an issue; without names, addresses and secrets unless told otherwise."""
    from gpudoctor.declared import known_specs
    from gpudoctor.report.markdown import render
    from gpudoctor.report.redact import redact_diagnosis

    specs = known_specs()
    return render(redact_diagnosis(diagnosis, specs) if redact else diagnosis, specs)


def _exit_code(diagnosis: Diagnosis) -> int:
    from gpudoctor.model.diagnosis import Health

    return int(diagnosis.health is Health.BROKEN)


def _settings(
    probes: str, expect_gpus: str, python: str = "", timeout: float = 60.0, rules: Iterable[Path] = ()
) -> CheckSettings:
    from gpudoctor.diagnose import CheckSettings
    from gpudoctor.model.errors import UsageError

    if probes not in PROBES:
        raise UsageError(f"probes is one of {', '.join(PROBES)}, not {probes!r}.")
    if expect_gpus not in ("any", "none") and not (expect_gpus.isdigit() and 0 < int(expect_gpus) <= 1024):
        raise UsageError(f"expect_gpus is a number from 1 on, `none` or `any`, not {expect_gpus!r}.")
    return CheckSettings(python=python, probes=probes, expect_gpus=expect_gpus, timeout=timeout, rules=tuple(rules))
