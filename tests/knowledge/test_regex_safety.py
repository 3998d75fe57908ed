"""Patterns that can run away are refused; the ordinary ones of log signatures are not."""

from __future__ import annotations

import re

import pytest

from gpudoctor.knowledge.regex_safety import danger_of

RUNAWAYS = [
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|a)*b",
    r"(|a)+b",
    r"(a*)*b",
    r"(.*)*x",
    r"(.*a){12}",
    r"(\w+\s?)*$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^(\d+)*$",
    r"(x+x+)+y",
    r"([a-zA-Z]+)*$",
    r"(a.|.b)*c",
    r"(ab|a)*c",
    r"(?:a?b?)*c",
    r"(a?){30}a{30}",
    r"(\d{1,50}){1,50}x",
    r"(.{0,200}x){20}",
    r".*.*=.*",
    r"x*x*y",
    r"\s*\s*x",
    r"\s*\s*$",
    r"\w+\d+\w+x",
    r"a.*b.*c",
    r"(?:ab|cd)*(?:cd|ab)*x",
    r"lib[\w.+-]+\.so[.\d]*: gone",
    r"a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaaaaaaa",
    r"a.{0,200}b.{0,200}c.{0,200}d",
    r"(?i)[a-z]+[A-Z]+x",
    r"(a)\1",
    r"(?P<x>a)(?P=x)",
    r"(a)?(?(1)b|c)",
    r"(?<=a)b",
    r"(?<!a)b",
    r"(?=.*a.*b)c",
    r"(?:(?=a)a)*b",
]
HARMLESS = [
    r"CUDA error: (?P<text>.*)",
    r"CUDA error: (?P<text>.*)$",
    r"\d+\.\d+\.\d+",
    r"foo\s+bar\s+baz",
    r"NVRM: Xid \(PCI:(?P<bus>[0-9a-fA-F:.]+)\): (?P<xid>\d+)",
    r"foo.{0,200}bar",
    r"a.{0,100}b.{0,100}c",
    r"(?:foo|bar)+",
    r"(?:ab|cd){2,40}x",
    r"error[: ]+.*",
    r"(?i)out of memory",
    r'^\s*File "(?P<file>[^"]+)", line \d+',
    r"Killed process (\d+) \((.+)\)",
    r"\[rank\d+\]: .*",
    r"exit(?:ed)? (?:code|status)[ :=]+-?\d+",
    r"(?!not )found",
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"a?b?c?d",
    r"显存不足",
]


@pytest.mark.parametrize("pattern", RUNAWAYS)
def test_refused(pattern: str) -> None:
    re.compile(pattern)
    assert danger_of(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_accepted(pattern: str) -> None:
    re.compile(pattern)
    assert danger_of(pattern) == ""


def test_ignoring_case_joins_what_case_keeps_apart() -> None:
    assert danger_of("[a-z]+[A-Z]+x") == ""
    assert danger_of("[a-z]+[A-Z]+x", re.IGNORECASE)
