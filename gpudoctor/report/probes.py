"""What reports say about probes: one row of a report, and the few lines of each that `gpudoctor probe` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from gpudoctor.model.fact import Facts, FactSpec, Unknown
from gpudoctor.model.finding import Finding
from gpudoctor.report.plain import one_line, visible

WORDS = {
    "passed": "passed",
    "wrong_result": "WRONG RESULT",
    "failed": "FAILED",
    "crashed": "CRASHED",
    "timed_out": "DID NOT END",
    "not_applicable": "does not apply",
    "not_requested": "not asked for",
}
NOTHING = (None, (), "none")
COMMON = ("level", "outcome", "device", "said", "signal", "output")
SAID_LIMIT = 400
FIGURES_WIDTH = 62  # beside the names, on a terminal of 80 columns
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"))


def probes_row(facts: Facts) -> str:
    """`6 passed on cuda:0; conv2d: WRONG RESULT`; empty where no probe ran."""
    outcomes = outcomes_of(facts)
    passed = [name for name, how in outcomes.items() if how == "passed"]
    parts = []
    if passed:
        devices = dict.fromkeys(facts.text(f"probe.{name}.device") or "" for name in passed)
        where = " and ".join(filter(None, devices))
        parts.append(f"{len(passed)} passed" + (f" on {where}" if where else ""))
    parts += [f"{name}: {WORDS[how]}" for name, how in outcomes.items() if how in WORDS and how not in QUIET]
    return "; ".join(parts)


QUIET = ("passed", "not_applicable", "not_requested")


def outcomes_of(facts: Facts) -> dict[str, str]:
    """The known outcomes by the names of the probes, sorted."""
    found = {}
    for key in sorted(facts):
        if key.startswith("probe.") and key.endswith(".outcome") and key.count(".") == 2:
            how = facts.text(key)
            if how is not None:
                found[key.split(".")[1]] = how
    return found


def lines_of(name: str, title: str, facts: Facts, specs: Mapping[str, FactSpec]) -> Iterable[str]:
    """A line with the outcome, and one for what it said or measured."""
    how = facts[f"probe.{name}.outcome"]
    if isinstance(how, Unknown):
        yield f"{name:14} not known: {visible(how.detail)}"
        return
    device = facts.text(f"probe.{name}.device")
    signal = facts.text(f"probe.{name}.signal")
    by = f" ({signal})" if signal else ""
    yield f"{name:14} {WORDS.get(str(how), str(how))}{by}: {title}" + (f", on {device}" if device else "")
    said = facts.text(f"probe.{name}.said")
    if said and how != "passed":
        yield f"{'':14} {visible(' '.join(said.split())[:SAID_LIMIT])}"
    figures = [
        f"{words_of(key)} {figure_text(facts, key, specs)}"
        for key in sorted(specs)
        if key.startswith(f"probe.{name}.") and key.split(".", 2)[2] not in COMMON and facts.known(key) not in NOTHING
    ]
    line = ""
    for figure in map(visible, figures):
        if line and len(line) + len(figure) > FIGURES_WIDTH:
            yield f"{'':14} {line};"
            line = ""
        line += f"; {figure}" if line else figure
    if line:
        yield f"{'':14} {line}"


def words_of(key: str) -> str:
    """`to host` for `probe.copies.to_host_bytes_per_second`: the unit stands behind the figure."""
    name = key.split(".", 2)[2]
    for ending in ("_bytes_per_second", "_flops_per_second"):
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def figure_text(facts: Facts, key: str, specs: Mapping[str, FactSpec]) -> str:
    """A figure with its unit, shortened for the eye."""
    value = facts.known(key)
    unit = specs[key].unit
    if isinstance(value, tuple):
        return ", ".join("?" if isinstance(one, Unknown) else number_text(one, unit) for one in value) or "none"
    return number_text(value, unit)


def number_text(value: object, unit: str) -> str:
    """`1.2 Tflop/s`; other values as they are."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if unit == "bytes":
            return f"{value / 2**20:.3g} MiB" if value >= 2**20 else f"{value:.6g} B"
        short = {"bytes per second": "B/s"}.get(unit, unit)
        for factor, prefix in PREFIXES:
            if short in ("B/s", "flop/s") and value >= factor:
                return f"{value / factor:.3g} {prefix}{short}"
        return f"{value:.3g} {short}".rstrip()
    return str(value)


def finding_lines(finding: Finding, width: int) -> list[str]:
    """One finding with its remedies; commands stand alone and whole, so that they can be copied."""
    said = f"{finding.severity.value.capitalize()}: {one_line(finding.message)} [{finding.cause}]"
    lines = textwrap.wrap(said, width, break_long_words=False, break_on_hyphens=False)
    for remedy in finding.remedies:
        text = f"- {one_line(remedy.text)}"
        lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
        lines += [f"      {row}" for row in visible(remedy.command).strip().splitlines()]
    return lines
