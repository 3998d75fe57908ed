"""What every format says about a diagnosis in the same words: the verdict, the order of findings, the environment.

The verdict claims no more than was seen: "can train" stands only where torch itself said that CUDA is available.
"""

from __future__ import annotations

from gpudoctor.model.diagnosis import Diagnosis, Health
from gpudoctor.model.fact import Element, Facts, Reason, Unknown, Value
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.record import record
from gpudoctor.model.rule import Severity
from gpudoctor.model.run import Run
from gpudoctor.report.plain import one_line, shortened
from gpudoctor.report.probes import probes_row

REASONS = {
    Reason.NOT_INSTALLED: "not installed",
    Reason.NOT_APPLICABLE: "does not apply",
    Reason.PERMISSION_DENIED: "permission denied",
    Reason.TIMED_OUT: "timed out",
    Reason.CRASHED: "crashed",
    Reason.UNPARSEABLE: "not understood",
    Reason.NO_DATA: "no data",
    Reason.NOT_REQUESTED: "not requested",
}
NO_GAP = (Reason.NOT_APPLICABLE, Reason.NOT_INSTALLED)
MAXIMUM_NAMED = 6


@record
class Sorted:
    """Failed findings by the place they get in a report; `primary` stands in none of the others."""

    primary: Finding | None
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    demoted: tuple[Finding, ...]


def sort_findings(diagnosis: Diagnosis) -> Sorted:
    """Each failed finding in its place; the order of the judgement stays within each."""
    failed = [item for item in diagnosis.findings if item.kind is Kind.FAIL]
    primary = next((item for item in failed if diagnosis.primary in (item.cause, item.check)), None)
    if primary is None:
        loud = (item for item in failed if item.severity is not Severity.NOTE and not item.explained_by)
        primary = min(loud, key=lambda item: item.severity.rank, default=None)
    rest = [item for item in failed if item is not primary]

    def at(severity: Severity) -> tuple[Finding, ...]:
        return tuple(item for item in rest if item.severity is severity and not item.explained_by)

    return Sorted(
        primary=primary,
        errors=at(Severity.ERROR),
        warnings=at(Severity.WARNING),
        notes=at(Severity.NOTE),
        demoted=tuple(item for item in rest if item.explained_by),
    )


def verdict_line(diagnosis: Diagnosis) -> str:
    """The verdict as one sentence."""
    primary = sort_findings(diagnosis).primary
    cause = (primary.title or primary.cause) if primary is not None else ""
    if diagnosis.health is Health.BROKEN:
        return f"This environment cannot train: {cause}" if cause else "This environment cannot train."
    if diagnosis.health is Health.DEGRADED:
        start = "This environment can train, but not as it should" if can_train(diagnosis.facts) else "Not all is well"
        return f"{start}: {cause}" if cause else f"{start}."
    if diagnosis.health is Health.UNDECIDED:
        return "Whether this environment can train could not be found out."
    return _healthy_line(diagnosis.facts)


def can_train(facts: Facts) -> bool:
    """Whether torch itself said that it can use CUDA."""
    return facts.flag("torch.cuda_available") is True


def tally(diagnosis: Diagnosis) -> str:
    """How many checks failed, passed and were not decided."""
    kinds = [item.kind for item in diagnosis.findings]
    failed = [item.severity for item in diagnosis.findings if item.kind is Kind.FAIL]
    parts = [
        _count(failed.count(Severity.ERROR), "error"),
        _count(failed.count(Severity.WARNING), "warning"),
        _count(failed.count(Severity.NOTE), "note"),
        _count(kinds.count(Kind.PASS), "check") + " passed",
        f"{kinds.count(Kind.UNKNOWN)} not decided",
    ]
    return ", ".join(parts) + "."


def environment(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The environment in a few rows of label and text; rows about which nothing is known are left out."""
    facts = diagnosis.facts
    rows = [
        ("System", _joined(facts, ("", "os.name"), ("kernel", "kernel.release"), ("glibc", "glibc.version"))),
        ("Container", facts.text("container.kind") or ""),
        ("Python", _joined(facts, ("", "python.version"), ("", "python.environment")) or diagnosis.target.interpreter),
        ("torch", _torch_text(facts)),
        ("Driver", _joined(facts, ("", "driver.version"), ("for CUDA up to", "driver.cuda_version"))),
        ("GPUs", gpu_text(facts)),
        ("cuDNN", facts.text("cudnn.version") or ""),
        ("NCCL", facts.text("nccl.version") or ""),
        (
            "Memory",
            _bytes_text(facts, "cgroup.memory_limit_bytes", "limit") or _bytes_text(facts, "memory.total_bytes"),
        ),
        ("/dev/shm", _bytes_text(facts, "shm.size_bytes")),
        ("Probes", probes_row(facts)),
    ]
    return [(label, one_line(text)) for label, text in rows if text]


def gpu_text(facts: Facts) -> str:
    """The GPUs: `2x NVIDIA H100`, `none`, or why it is not known."""
    names = [str(name) for name in facts.elements("gpu.names") if not isinstance(name, Unknown)]
    if names:
        groups = _grouped(names)
        lost = len(facts.elements("gpu.names")) - len(names)
        return ", ".join(groups) + (f", {lost} that did not answer" if lost else "")
    count = facts.number("gpu.count")
    if count is not None:
        return str(count) if count else "none"
    unknown = facts["gpu.count"]
    return f"not known ({_reason(unknown)})" if "gpu.count" in facts and isinstance(unknown, Unknown) else ""


def _grouped(names: list[str]) -> list[str]:
    return [f"{names.count(name)}x {name}" for name in dict.fromkeys(names)]


def gaps(diagnosis: Diagnosis) -> list[str]:
    """What could not be examined and why, one sentence for each reason, what blocked most checks first.

    Only what could have been a fault counts: neither a check that would tell a mere note nor a fact that this machine
    cannot have is a gap, nor one more thing about a package that is not installed.
    """
    groups: dict[str, list[str]] = {}
    blocked: dict[str, int] = {}
    for finding in diagnosis.findings:
        if finding.kind is not Kind.UNKNOWN or finding.severity is Severity.NOTE:
            continue
        for key in finding.blocked_by:
            unknown = diagnosis.facts[key]
            if isinstance(unknown, Unknown) and unknown.reason in NO_GAP:
                continue
            why = _reason(unknown) if isinstance(unknown, Unknown) else "not known for every device"
            names = groups.setdefault(why, [])
            if key not in names:
                names.append(key)
            blocked[why] = blocked.get(why, 0) + 1
    lines = [f"{run.name} {_run_text(run.outcome, run.signal)}{_colon(run.detail)}" for run in _broken_runs(diagnosis)]
    for why in sorted(groups, key=lambda text: (-blocked[text], text)):
        names = groups[why]
        more = f" and {len(names) - MAXIMUM_NAMED} more" if len(names) > MAXIMUM_NAMED else ""
        lines.append(f"{', '.join(names[:MAXIMUM_NAMED])}{more}: {why}")
    return lines


def fact_text(value: Value | Unknown, unit: str = "") -> str:
    """A fact's value for people: text as it is, lists with commas, unknowns with their reason."""
    if isinstance(value, Unknown):
        return f"unknown, {_reason(value)}"
    if isinstance(value, tuple):
        return ", ".join(_element_text(element) for element in value) + unit if value else "(none)"
    return _element_text(value) + unit


def _element_text(element: Element) -> str:
    if isinstance(element, Unknown):
        return f"unknown ({_reason(element)})"
    if isinstance(element, bool):
        return "yes" if element else "no"
    return str(element) if element != "" else '""'


def _reason(unknown: Unknown) -> str:
    detail = shortened(one_line(unknown.detail), 200)
    return f"{REASONS[unknown.reason]}: {detail}" if detail else REASONS[unknown.reason]


def _healthy_line(facts: Facts) -> str:
    if can_train(facts):
        # What torch sees may be less than the machine has: a slice of a GPU, or those that a variable leaves.
        seen = [str(name) for name in facts.elements("torch.device_names") if not isinstance(name, Unknown)]
        gpus = ", ".join(_grouped(seen)) or gpu_text(facts)
        return f"This environment can train: torch {facts.text('torch.version') or ''} sees {gpus or 'its GPUs'}."
    if facts.flag("torch.installed") is False:
        return "Nothing is wrong here, but torch is not installed."
    if facts.number("gpu.count") == 0 or facts.text("torch.build") == "cpu":
        return "Nothing is wrong here; this environment works on the CPU, without a GPU."
    return "Nothing wrong was found."


def _torch_text(facts: Facts) -> str:
    version = facts.text("torch.version") or facts.text("torch.metadata_version")
    if version is None:
        return "not installed" if facts.flag("torch.installed") is False else ""
    cuda = facts.text("torch.cuda_version")
    build = f"built for CUDA {cuda}" if cuda else (facts.text("torch.build") or "").replace("cpu", "CPU build")
    available = facts.flag("torch.cuda_available")
    seen = {True: "CUDA available", False: "CUDA not available", None: ""}[available]
    return ", ".join(part for part in (version, build, seen) if part)


def _joined(facts: Facts, *parts: tuple[str, str]) -> str:
    known = [(label, facts.text(key)) for label, key in parts]
    return ", ".join(f"{label} {text}".strip() for label, text in known if text)


def _bytes_text(facts: Facts, key: str, label: str = "") -> str:
    number = facts.number(key)
    if number is None:
        return ""
    size = f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"
    return f"{label} {size}".strip()


def _broken_runs(diagnosis: Diagnosis) -> list[Run]:
    return [run for run in diagnosis.runs if run.outcome not in ("completed", "skipped")]


def _run_text(outcome: str, signal: str) -> str:
    return outcome.replace("_", " ") + (f" by {signal}" if signal else "")


def _colon(detail: str) -> str:
    return f": {shortened(one_line(detail), 300)}" if detail else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
