"""A comparison as text: findings that one side has alone, what can explain different behaviour, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudoctor.model.comparison import Comparison, Difference
from gpudoctor.model.fact import FactSpec, Unknown, Value
from gpudoctor.model.finding import Finding
from gpudoctor.report.plain import encodable, one_line, shortened
from gpudoctor.report.summary import fact_text

LONGEST_VALUE = 160
MOST_FOLDED_NAMES = 12


def render(
    comparison: Comparison,
    specs: Mapping[str, FactSpec],
    likely: int,
    possible: int,
    verbose: bool = False,
    encoding: str = "utf-8",
) -> str:
    """The page, ending with a newline. `likely` and `possible` are the weights from which on a difference is shown."""
    lines = [f"A: {one_line(comparison.left)}", f"B: {one_line(comparison.right)}", ""]
    lines += _findings("Wrong with A and not with B", comparison.only_left)
    lines += _findings("Wrong with B and not with A", comparison.only_right)
    strong = comparison.telling(likely)
    weak = [one for one in comparison.telling(possible) if one.weight < likely]
    lines += _differences("What can explain different behaviour, the likeliest first", strong, specs)
    lines += _differences("What matters less often", weak, specs)
    rest = [one for one in comparison.differences if one not in strong and one not in weak]
    if verbose:
        lines += _differences("Everything else that differs or that one side alone tells", rest, specs)
    elif rest:
        lines += [f"{_count(rest)}: {_names(rest)} (--verbose shows them)."]
    if not strong and not weak and not comparison.only_left and not comparison.only_right:
        lines.insert(3, "Nothing that both sides tell and that matters differs.")
    lines.append(f"{comparison.same_count} facts are the same on both.")
    return encodable("\n".join(lines) + "\n", encoding)


def _findings(title: str, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    named = [
        f"  {one.severity.value}: {one_line(one.title or one.cause)} ({one.cause})\n"
        f"    {shortened(one_line(one.message), 300)}"
        for one in findings
    ]
    return [title, *named, ""]


def _differences(title: str, differences: Sequence[Difference], specs: Mapping[str, FactSpec]) -> list[str]:
    if not differences:
        return []
    lines = [title]
    for one in differences:
        unit = specs[one.key].unit if one.key in specs else ""
        lines.append(f"  {one.key}" + (f": {one.why}" if one.why else ""))
        lines += [f"    {side} {_value(value, unit)}" for side, value in (("A", one.left), ("B", one.right))]
    return [*lines, ""]


def _value(value: Value | Unknown, unit: str) -> str:
    return shortened(one_line(fact_text(value, f" {unit}" if unit else "")), LONGEST_VALUE)


def _count(rest: Sequence[Difference]) -> str:
    return f"{len(rest)} more that seldom matter{'s' if len(rest) == 1 else ''} or that one side alone tells"


def _names(rest: Sequence[Difference]) -> str:
    names = ", ".join(one.key for one in rest[:MOST_FOLDED_NAMES])
    return names + (" ..." if len(rest) > MOST_FOLDED_NAMES else "")
