"""The report on a terminal: the verdict first, commands whole, nothing by colour alone, nothing that steers it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.diagnosis import Diagnosis, Health
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Fact, Facts, Reason, Unknown
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from gpudoctor.model.version import Version
from gpudoctor.report.plain import columns_of
from gpudoctor.report.terminal import render
from report_samples import INSTALL, SPECS, diagnosis, facts, finding


def shown(given_diagnosis: Diagnosis, **options: Any) -> str:
    out = io.StringIO()
    render(given_diagnosis, SPECS, out, **options)
    return out.getvalue()


def healthy(**changed: Any) -> Diagnosis:
    fields = {"health": Health.HEALTHY, "primary": "", "findings": (), "chains": (), "explanations": (), "runs": ()}
    return diagnosis(**{**fields, **changed})


def test_the_first_line_is_the_verdict_and_the_primary_cause_follows() -> None:
    lines = shown(diagnosis(), width=100).splitlines()
    assert lines[0] == "✗ This environment cannot train: Host driver older than the CUDA build needs"
    assert lines[2] == "✗ Error: Host driver older than the CUDA build needs"
    text = "\n".join(lines)
    order = ["CUDA will not start", "How we know", "driver.version: 470.57.02", "What to do", INSTALL, "To see that it"]
    order += ["A GPU was lost (gpu:1)", "Small /dev/shm", "Most likely only a consequence", "Worth knowing"]
    order += [
        "Why torch.cuda.is_available() is False",
        "What could not be examined",
        "The environment",
        "More about the cause",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_keep_to_the_width_but_commands_and_addresses_stay_whole(width: int) -> None:
    lines = shown(diagnosis(), width=width, verbose=True).splitlines()
    assert f"        {INSTALL}" in lines
    assert "    https://docs.nvidia.com/deploy/cuda-compatibility/" in lines
    for line in lines:
        whole = line.strip().startswith(("pip install", "python ", "gpudoctor ", "https://"))
        assert whole or columns_of(line) <= width, line
        assert line == line.rstrip()


def test_every_part_names_who_can_do_it() -> None:
    text = shown(diagnosis(), width=100)
    assert "In the image or environment: Install a torch build" in text
    assert "On the host: Or update the host driver" in text


def test_quoted_lines_keep_their_blanks() -> None:
    assert "        second   line of /home/ada/train.py\n" in shown(diagnosis(), width=100)


def test_what_follows_from_another_cause_is_one_line() -> None:
    lines = shown(diagnosis(), width=100).splitlines()
    assert "  - No CUDA seen (follows from: Host driver older than the CUDA build needs)" in lines


def test_the_chain_stops_at_the_broken_link_and_says_each_outcome_in_words() -> None:
    text = shown(diagnosis(), width=100)
    chain = text[text.index("Why torch.cuda") :].split("\n\n")[0].splitlines()
    assert chain[1:] == [
        "  ✓ ruled out: No device nodes",
        "  ? not known: Two cuDNNs (missing: cudnn.version)",
        "  ✗ this is it: Host driver older than the CUDA build needs",
        "  The question after it does not matter until this is mended.",
    ]


def test_what_could_not_be_examined_is_told_with_its_reason() -> None:
    text = shown(diagnosis(), width=120)
    assert "? libcuda timed out by SIGKILL: no answer within 5 s" in text
    assert "? cudnn.version: not requested: the convolution was not run" in text


def test_what_is_not_installed_is_no_gap() -> None:
    kept = [Fact("x.one", Unknown(Reason.NOT_INSTALLED, "no torch")), Fact("x.two", Unknown(Reason.CRASHED, "SIGSEGV"))]
    items = (finding("c-one", kind=Kind.UNKNOWN, blocked_by=("x.one", "x.two")),)
    text = shown(healthy(facts=facts().merged(kept), findings=items), width=120)
    assert "? x.two: crashed: SIGSEGV" in text
    assert "x.one" not in text


def test_passes_and_facts_stand_only_in_the_verbose_report() -> None:
    assert "device-nodes-missing" not in shown(diagnosis(), width=100)
    text = shown(diagnosis(), width=100, verbose=True)
    assert "✓ device-nodes-missing: passed" in text
    assert "gpu.names: NVIDIA H100 80GB HBM3, unknown (crashed: GPU is lost)" in text
    assert "libcuda: timed_out by SIGKILL after 5.00 s: no answer within 5 s" in text
    for key in diagnosis().facts:
        assert f"{key}:" in text


def test_the_environment_is_summed_up() -> None:
    text = shown(diagnosis(), width=100)
    assert "torch   2.7.1+cu128, built for CUDA 12.8, CUDA not available" in text
    assert "Driver  470.57.02, for CUDA up to 11.4" in text
    assert "GPUs    1x NVIDIA H100 80GB HBM3, 1 that did not answer" in text


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"torch_cuda_available": True, "gpu_names": ("A", "A")},
            "This environment can train: torch 2.7.1+cu128 sees 2x A.",
        ),
        ({"torch_installed": False}, "Nothing is wrong here, but torch is not installed."),
        ({"gpu_count": 0}, "Nothing is wrong here; this environment works on the CPU, without a GPU."),
        ({}, "Nothing wrong was found."),
    ],
)
def test_a_healthy_verdict_claims_no_more_than_was_seen(changed: dict[str, Any], line: str) -> None:
    assert shown(healthy(facts=facts(**changed)), width=120).splitlines()[0] == f"✓ {line}"


def test_a_degraded_and_an_undecided_verdict() -> None:
    warning = finding(severity=Severity.WARNING, title="Small /dev/shm")
    text = shown(healthy(health=Health.DEGRADED, findings=(warning,)), width=120)
    assert text.startswith("! Not all is well: Small /dev/shm\n")
    text = shown(healthy(health=Health.UNDECIDED), width=120)
    assert text.startswith("? Whether this environment can train could not be found out.\n")


def test_the_worst_finding_leads_where_the_judgement_names_none() -> None:
    items = (finding(severity=Severity.WARNING, title="mild"), finding(title="grave"))
    assert shown(healthy(health=Health.BROKEN, findings=items), width=100).startswith(
        "✗ This environment cannot train: grave"
    )


def test_without_colour_there_is_no_escape_and_with_colour_the_words_are_the_same() -> None:
    plain = shown(diagnosis(), width=100, verbose=True)
    coloured = shown(diagnosis(), width=100, verbose=True, color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_an_encoding_without_the_symbols_gets_others() -> None:
    text = shown(diagnosis(), width=100, encoding="ascii")
    assert text.isascii()
    assert text.startswith("x This environment cannot train")
    assert "  + ruled out: No device nodes" in text


def test_a_foreign_name_is_written_out_where_the_encoding_lacks_it() -> None:
    named = facts(os_name="Größe 中")
    assert "Gr\\xf6\\xdfe \\u4e2d" in shown(diagnosis(facts=named), width=100, encoding="ascii")
    assert "Größe 中" in shown(diagnosis(facts=named), width=100)


def test_wide_characters_count_twice() -> None:
    text = shown(diagnosis(findings=(finding(message="显卡驱动版本太旧" * 12),)), width=40)
    assert max(columns_of(line) for line in text.splitlines() if "显" in line) <= 40
    assert "显卡驱动版本太旧" * 12 in re.sub(r"\n\s+", "", text)


def test_markup_and_escapes_in_evidence_are_only_text() -> None:
    hostile = "[bold red]x[/] \x1b[2J\x1b]0;owned\x07 :boom: \u202eabc \x9b31m \r over"
    text = shown(
        diagnosis(findings=(finding(title=hostile, evidence=(Evidence("train.log", hostile, 1),)),)), width=200
    )
    assert "[bold red]x[/] \\x1b[2J\\x1b]0;owned\\x07 :boom: \\u202eabc \\x9b31m \\x0d over" in text


def test_long_evidence_is_cut_unless_verbose() -> None:
    long = diagnosis(findings=(finding(evidence=(Evidence("a", "word " * 1000), Evidence("b", "line\n" * 50))),))
    text = shown(long, width=100)
    assert "more characters]" in text
    assert "[... 38 more lines]" in text
    assert len(text) < 6000
    assert "more characters]" not in shown(long, width=100, verbose=True)


def test_many_gaps_are_folded() -> None:
    unknown = facts().merged(Fact(f"x.{n}", Unknown(Reason.CRASHED, f"why {n}")) for n in range(20))
    items = tuple(finding(f"c-{n}", kind=Kind.UNKNOWN, blocked_by=(f"x.{n}",)) for n in range(20))
    text = shown(healthy(facts=unknown, findings=items), width=100)
    assert "... and 12 more; --verbose tells." in text


NASTY = st.text(st.characters(blacklist_categories=()), max_size=80)


@settings(max_examples=60, deadline=None)
@given(NASTY, st.sampled_from([40, 80, 200]))
def test_no_text_reaches_the_terminal_raw(text: str, width: int) -> None:
    planted = diagnosis(
        facts=Facts([Fact("os.name", text), Fact("torch.version", Version.parse("1.0"))]),
        findings=(finding(title=text, message=text, evidence=(Evidence(text, text, 3),)),),
        explanations=(),
    )
    told = shown(planted, width=width, verbose=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", told)
    told.encode("utf-8")
