"""What `gpudoctor ring` and `gpudoctor probe` print: within the terminal, and nothing that steers it."""

from __future__ import annotations

from gpudoctor.model.cause import Actor, Remedy
from gpudoctor.model.fact import Fact, Facts
from gpudoctor.model.finding import Kind
from gpudoctor.report.probes import finding_lines
from gpudoctor.report.ring_text import ring_text
from report_samples import diagnosis, finding

ESCAPE = "\x1b]0;owned\x07"
FACTS = Facts(
    [
        Fact("probe.ring_across.outcome", "failed"),
        Fact("probe.ring_across.ranks", 2),
        Fact("probe.ring_across.host_names", ("node-a", f"node-b{ESCAPE}")),
        Fact("probe.ring_across.how_it_ended", "rank 1 raised"),
        Fact("probe.ring_across.output", f"last words {ESCAPE}"),
    ]
)
REMEDY = Remedy(Actor.COMMAND_LINE, "word " * 40, command="export A=" + "b" * 100)
FOUND = finding(message=f"It fails: {ESCAPE} " + "word " * 40, remedies=(REMEDY,), kind=Kind.FAIL)


def test_what_hosts_and_ranks_say_cannot_steer_the_terminal() -> None:
    text = ring_text(diagnosis(facts=FACTS, findings=(FOUND,)))
    assert text.startswith("The ring of 2 ranks on node-a, node-b\\x1b]0;owned\\x07 did not pass: rank 1 raised.")
    assert text.isprintable() or set(text) - set(text.replace("\n", "")) == {"\n"}
    assert "\x1b" not in text
    assert "last words" in text


def test_findings_are_wrapped_and_commands_stay_whole() -> None:
    lines = finding_lines(FOUND, 80)
    command = next(line for line in lines if "export A=" in line)
    assert command.strip() == REMEDY.command
    assert max(len(line) for line in lines if line is not command) <= 80
    assert "\x1b" not in "".join(lines)
