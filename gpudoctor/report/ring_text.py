"""The answer of `gpudoctor ring` for a person: how the ring went, who reaches whom, and what mends it."""

from __future__ import annotations

from gpudoctor.model.diagnosis import Diagnosis
from gpudoctor.model.fact import Facts, Unknown
from gpudoctor.model.finding import Kind
from gpudoctor.report.plain import visible
from gpudoctor.report.probes import finding_lines

PREFIX = "probe.ring_across."
OUTPUT_LINES = 12
GIGA = 1e9


def ring_text(diagnosis: Diagnosis, width: int = 100, verbose: bool = False) -> str:
    """The whole text, ending in a line break."""
    facts = diagnosis.facts
    failing = [finding for finding in diagnosis.findings if finding.kind is Kind.FAIL]
    lines = [headline(facts)]
    for title, key in (
        ("Announced", "announced"),
        ("Does not reach", "unreachable"),
        ("Reaches", "reached"),
        ("Tried further", "tries"),
        ("NCCL warns", "nccl_warnings"),
    ):
        rows = listed(facts, key)
        if rows and (failing or verbose or key == "announced"):
            lines += ["", f"{title}:", *(f"  {row}" for row in rows)]
    output = value(facts, "output")
    if output and (failing or verbose):
        lines += ["", "What that rank printed last:", *(f"  {row}" for row in output.splitlines()[-OUTPUT_LINES:])]
    for finding in failing:
        lines += ["", *finding_lines(finding, width)]
    return visible("\n".join(lines)) + "\n"  # hosts and ranks say what they like


def headline(facts: Facts) -> str:
    """One line: passed or not, how many ranks on which hosts, over what, how fast."""
    hosts = listed(facts, "host_names")
    where = f" on {', '.join(hosts)}" if hosts else ""
    backend = value(facts, "backend")
    over = f" over {backend} ({value(facts, 'backend_reason')})" if backend else ""
    ring = f"The ring of {value(facts, 'ranks')} ranks{where}{over}"
    if value(facts, "outcome") == "passed":
        speed = facts.known(PREFIX + "bus_bandwidth_bytes_per_second")
        fast = f"; each link carried {speed / GIGA:.2f} GB/s" if isinstance(speed, (int, float)) else ""
        return f"{ring} passed: {value(facts, 'how_it_ended')}{fast}."
    return f"{ring} did not pass: {value(facts, 'how_it_ended')}."


def value(facts: Facts, key: str) -> str:
    """A fact as text, or nothing where it is not known."""
    found = facts[PREFIX + key]
    return "" if isinstance(found, Unknown) else str(found)


def listed(facts: Facts, key: str) -> list[str]:
    """A fact that is a list of texts."""
    found = facts[PREFIX + key]
    return [str(item) for item in found] if isinstance(found, tuple) else []
