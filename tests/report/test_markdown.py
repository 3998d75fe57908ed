"""Markdown for issues: short on top, folded below, and nothing quoted becomes markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.cause import Reference
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Fact, Facts
from gpudoctor.report.markdown import block, code, prose, render
from report_samples import INSTALL, SPECS, diagnosis, finding


def test_the_verdict_leads_and_the_environment_is_folded() -> None:
    text = render(diagnosis(), SPECS)
    assert text.startswith(
        "### gpudoctor: This environment cannot train: Host driver older than the CUDA build needs\n"
    )
    assert f"```sh\n{INSTALL}\n```" in text
    assert text.count("<details>") == text.count("</details>") == 3
    assert text.index("CUDA will not start") < text.index("<details>")
    assert "| Driver | `470.57.02, for CUDA up to 11.4` |" in text
    assert "| driver.version | `470.57.02` |" in text
    assert "See <https://docs.nvidia.com/deploy/cuda-compatibility/>" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a|b", "`a|b`"),
        ("a`b", "``a`b``"),
        ("`x`", "`` `x` ``"),
        ("", ""),
        ("a\nb", "`a b`"),
    ],
)
def test_code_spans(text: str, told: str) -> None:
    assert code(text) == told


def test_pipes_in_tables_and_fences_in_blocks() -> None:
    assert code("a|b", in_table=True) == "`a\\|b`"
    assert block("x\n```\ny") == ["````text", "x", "```", "y", "````"]


def test_html_mentions_and_references_are_defused() -> None:
    assert prose("<script>alert(1)</script> @torvalds #12 [a](b) **c**") == (
        "\\<script\\>alert(1)\\</script\\> @\u200btorvalds \\#12 \\[a\\](b) \\*\\*c\\*\\*"
    )


def test_hostile_text_stays_in_its_place() -> None:
    hostile = "</details><img src=x> | ``` \x1b[31m\n### owned\n"
    planted = diagnosis(
        facts=Facts([Fact("a.b", hostile)]),
        findings=(finding(title=hostile, message=hostile, evidence=(Evidence("f", hostile, 1),)),),
        explanations=(),
    )
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", render(planted, SPECS))
    assert "\x1b" not in outside
    assert "\n### owned" not in outside
    assert not re.search(r"(?<!\\)<img", re.sub(r"(`+)[^\n]*?\1", "", outside))


def test_an_address_cannot_leave_its_brackets() -> None:
    text = render(diagnosis(findings=(finding(references=(Reference("https://x/> <b>", "2026-11-20"),)),)), SPECS)
    assert "See <https://x/%3E%20%3Cb%3E>" in text


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(blacklist_categories=()), max_size=80))
def test_any_text_keeps_the_document_in_shape(text: str) -> None:
    planted = diagnosis(
        facts=Facts([Fact("a.b", text)]), findings=(finding(title=text, message=text, evidence=(Evidence("f", text),)),)
    )
    told = render(planted, SPECS)
    told.encode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", told)
    assert sum(line == "<details>" for line in told.splitlines()) == sum(
        line == "</details>" for line in told.splitlines()
    )
