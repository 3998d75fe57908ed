"""What `run` says of a command that failed: a few lines on stderr, which fit into what a container leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from gpudoctor.model.explanation import Explained, Explanation, Likelihood, Verdict
from gpudoctor.model.fact import Facts, Unknown
from gpudoctor.report.plain import one_line, shortened, visible

MOST_QUOTES = 3
MOST_CANDIDATES = 3
LONGEST_QUOTE = 200
TERMINATION_BYTES = 4096
SUMMARY = (
    ("run.seconds", "Elapsed (wall clock) time (seconds)", 1),
    ("run.user_seconds", "User time (seconds)", 1),
    ("run.system_seconds", "System time (seconds)", 1),
    ("run.largest_process_bytes", "Maximum resident set size of a process (kbytes)", 1024),
    ("run.tree_peak_bytes", "Peak resident memory of all processes together (kbytes)", 1024),
    ("run.group_peak_bytes", "Peak memory of the control group (kbytes)", 1024),
    ("run.shm_peak_bytes", "Peak use of /dev/shm (kbytes)", 1024),
    ("run.oom_kills", "OOM kills in the control group", 1),
    ("run.pids_refused", "Processes refused by the control group", 1),
    ("run.gpu_memory_peak_bytes", "Peak memory of each GPU (kbytes)", 1024),
    ("run.gpu_utilisation_peak_percent", "Highest utilisation of each GPU (percent)", 1),
    ("run.gpu_temperature_peak_c", "Highest temperature of each GPU (degrees Celsius)", 1),
    ("run.exit_code", "Exit status", 1),
)


def ending(facts: Facts) -> str:
    """`was killed by SIGKILL (137) after 12.3 s`."""
    signal, code, seconds = facts.text("run.signal"), facts.text("run.exit_code"), facts.text("run.seconds")
    how = f"was killed by {signal} ({code})" if signal else f"ended with {code}"
    return f"{how} after {seconds} s"


def crash_lines(explained: Explained, facts: Facts) -> list[str]:
    """The short explanation, line by line."""
    lines = [f"gpudoctor: the command {ending(facts)}."]
    first = explained.explanations[0] if explained.explanations else None
    if first is None or explained.verdict is Verdict.UNEXPLAINED:
        lines.append("  Nothing that this run left explains it.")
    elif not first.evidence:
        lines.append("  Nothing that this run left tells why. What ends like this most often:")
        for item in explained.explanations[:MOST_CANDIDATES]:
            lines.append(f"    {item.title} [{item.cause}]")
            lines += [f"      what decides: {one_line(item.decide)}"] if item.decide else []
    else:
        lines += _cause(first)
    if facts.text("run.signal") == "SIGKILL" and facts.text("run.oom_kills") == "0":
        lines.append("  In its control group the kernel killed nothing for memory during this run.")
    lines += [f"  Sent from outside during the run: {one_line(text)}" for text in _texts(facts, "run.signals")[:3]]
    lines += [f"  Core file: {one_line(text)}" for text in _texts(facts, "run.new_core_files")[:2]]
    return [visible(line) for line in lines]


def report_lines(report: str, trouble: Sequence[str]) -> list[str]:
    """Where the report is, and what else went wrong."""
    lines = [f"  Report: {report} (read it with `gpudoctor explain-log {report}`)"] if report else []
    return [visible(line) for line in [*lines, *(f"  {one_line(text)}" for text in trouble)]]


def _cause(item: Explanation) -> list[str]:
    how = "Possibly" if item.likelihood is Likelihood.POSSIBLE else "Most likely"
    lines = [f"  {how}: {item.title} [{item.cause}, {item.likelihood.value}]"]
    if item.summary:
        lines.append(f"  {one_line(item.summary)}")
    for quote in item.evidence[:MOST_QUOTES]:
        place = f"{quote.source}:{quote.line}" if quote.line else quote.source
        lines.append(f"    {place}: {shortened(one_line(quote.text), LONGEST_QUOTE)}")
    for remedy in item.remedies[:1]:
        lines.append(f"  What to do ({remedy.who.value.replace('_', ' ')}): {one_line(remedy.text)}")
        lines += [f"    {line}" for line in remedy.command.strip().splitlines()[:4]]
    return lines


def success_lines(explained: Explained, facts: Facts) -> list[str]:
    """What is worth a mention although the command ended well."""
    lines = [f"gpudoctor: the command {ending(facts)}."]
    kills = facts.text("run.oom_kills")
    if kills and kills != "0":
        lines.append(
            f"  {kills} of the control group's processes was killed for memory meanwhile; the command went on."
        )
    lines += [
        f"  Seen besides: {item.title} [{item.cause}, {item.likelihood.value}]"
        for item in explained.explanations
        if not item.cause.startswith("benign.")
    ][:3]
    return [visible(line) for line in lines]


def summary_lines(facts: Facts) -> list[str]:
    """The figures of the run, in the manner of GNU time."""
    lines = [f'\tCommand being timed: "{facts.text("run.command") or ""}"']
    for key, title, unit in SUMMARY:
        value = facts.get(key, Unknown)
        shown = [_shown(one, unit) for one in value] if isinstance(value, tuple) else [_shown(value, unit)]
        lines.append(f"\t{title}: {' '.join(shown)}")
    return [visible(line.replace("\t", "    ")) for line in lines]


def _shown(value: object, unit: int) -> str:
    if isinstance(value, (int, float)):
        return str(value // unit if unit > 1 else value)
    return "unknown"


def _texts(facts: Facts, key: str) -> list[str]:
    value = facts.get(key, ())
    return [str(one) for one in value if isinstance(one, str)] if isinstance(value, tuple) else []


def fitting(lines: Sequence[str], most: int = TERMINATION_BYTES) -> bytes:
    """The lines as UTF-8 that fits, whole characters only."""
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")[:most].decode("utf-8", "ignore").encode()
