"""Explanations as text: what it means, the causes in order with their proof, what decides, what to do."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.evidence import Evidence
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.explanation import Explained, Explanation, Likelihood, Verdict
from gpudoctor.model.record import replace
from gpudoctor.model.rule import Confidence, Operator, Question, Rule, Severity
from gpudoctor.report.explain_text import cause_page, check_page, exit_page, render, status_words, table_page
from gpudoctor.report.plain import columns_of
from report_samples import CAUSE, MEANING, explained


def test_it_tells_meaning_causes_evidence_and_what_to_do_in_this_order() -> None:
    text = render(explained(), width=100)
    assert text.startswith("-11 (exit status 139, SIGSEGV): Segmentation fault\n")
    order = [
        "The kernel stopped the process",
        "1. Native code touched",
        "(confirmed)",
        "train.log:812: Fatal Python error",
    ]
    order += [
        "What to do",
        "On the command line: Run it",
        "Other usual causes, for which nothing was seen",
        "- The stack limit was hit (memory.stack_limit)",
        "Ruled out",
    ]
    order += [
        "Out of memory: no kill was counted",
        "memory.events: oom 0",
        "the kernel log of the host",
        "Looked at",
        "notes.txt",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.endswith("\n")


def test_without_evidence_each_candidate_says_how_it_looks_and_what_decides_in_few_lines() -> None:
    item = replace(explained().explanations[0], evidence=(), likelihood=Likelihood.POSSIBLE, looks_like="a bare 139")
    text = render(explained(explanations=(item, replace(item, cause="native.other")), verdict=Verdict.CANDIDATES))
    assert "Looks like: a bare 139" in text
    assert text.count("python -X faulthandler train.py") == 1, "the same command is not worth two readings"
    assert "gpudoctor explain native.other" in text
    assert "What to do" not in text


@pytest.mark.parametrize(
    ("given_text", "words"),
    [
        ("139", "Exit status 139 (SIGSEGV)"),
        ("-11", "-11 (exit status 139, SIGSEGV)"),
        ("SIGKILL", "SIGKILL (exit status 137)"),
        ("0:9", "0:9 (exit status 137, SIGKILL)"),
        ("OOMKilled", "OOMKilled (exit status 137, SIGKILL)"),
        ("Error", "Error"),
        ("1", "Exit status 1"),
    ],
)
def test_a_status_in_words(given_text: str, words: str) -> None:
    assert status_words(ExitStatus.parse(given_text)) == words


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.NO_FAILURE, "Nothing failed."),
        (Verdict.UNEXPLAINED, "What is known does not explain it."),
        (Verdict.CANDIDATES, "Nothing seen so far decides between these"),
        (Verdict.EXPLAINED, "What the evidence says"),
    ],
)
def test_the_verdict_is_said(verdict: Verdict, said: str) -> None:
    assert said in render(explained(verdict=verdict), width=100)


def test_an_answer_without_a_status() -> None:
    text = render(Explained(None, None, Verdict.UNEXPLAINED, bring=("the log",)))
    assert text.startswith("? What is known does not explain it.\n")
    assert "- the log" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_keep_to_the_width_and_commands_stay_whole(width: int) -> None:
    long = "docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' my-training-container-with-a-long-name"
    item = Explanation("a.b", "A title of several words", Likelihood.POSSIBLE, decide="The flag. " * 9, command=long)
    for line in render(explained(explanations=(item,)), width=width).splitlines():
        assert columns_of(line) <= width or line.strip() == long or "https://" in line
    assert f"\n       {long}\n" in render(explained(explanations=(item,)), width=width)


def test_colour_adds_nothing_but_colour() -> None:
    plain = render(explained())
    assert re.sub(r"\x1b\[[0-9;]*m", "", render(explained(), color=True)) == plain
    assert "\x1b" not in plain
    assert render(explained(), encoding="ascii").isascii()


def test_the_page_of_a_cause() -> None:
    text = cause_page(CAUSE)
    for part in (CAUSE.title, CAUSE.id, "A library crashed.", "It is seldom", "How it shows", "distributed.peer_lost"):
        assert part in text
    assert "      python -X faulthandler train.py\n" in text


def test_the_page_of_an_exit() -> None:
    text = exit_page(MEANING, {CAUSE.id: CAUSE})
    assert text.startswith("Segmentation fault\n")
    assert f"1. {CAUSE.title}\n   {CAUSE.id}\n" in text
    assert "2. memory.stack_limit\n" in text
    assert "ulimit -s" in text
    assert "Note: abort()" in text
    assert "Source: signal(7) (checked 2026-11-20)" in text


def test_the_page_of_a_check_and_of_a_table_row() -> None:
    known = Question("driver.version", Operator.KNOWN)
    rule = Rule("a-b", CAUSE.id, Severity.ERROR, Confidence.HIGH, "stable", "0.1", known, known, "It will not start.")
    text = check_page(rule, CAUSE)
    assert "Check a-b" in text
    assert "It will not start." in text
    assert CAUSE.title in text
    text = table_page("Xid 79", (("Meaning", "The GPU left the bus."), ("Empty", "")), CAUSE, "NVIDIA", "2026-11-20")
    assert text.startswith("Xid 79\n")
    assert "Meaning: The GPU left the bus." in text
    assert "Empty" not in text
    assert CAUSE.title in text


def test_it_needs_no_rich() -> None:
    code = "import sys, gpudoctor.report.explain_text, gpudoctor.report.json_v1; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(blacklist_categories=()), max_size=120), st.sampled_from([20, 40, 80]))
def test_no_text_reaches_the_terminal_raw(text: str, width: int) -> None:
    item = Explanation("a.b", text, Likelihood.LIKELY, summary=text, evidence=(Evidence(text, text, 2),), command=text)
    told = render(explained(explanations=(item,), unused=(text,), bring=(text,)), width=width)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", told)
    told.encode("utf-8")
