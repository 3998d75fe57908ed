"""GPU names in all their spellings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derived import tables
from gpudoctor.knowledge import rows
from gpudoctor.knowledge.gpu_names import capability_of, kind_of, leads_of, model_of, rows_for


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA H100 80GB HBM3", "9.0"),
        ("NVIDIA H100", "9.0"),
        ("NVIDIA H100 PCIe", "9.0"),
        ("NVIDIA H200", "9.0"),
        ("NVIDIA GH200 480GB", "9.0"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA A100 80GB PCIe", "8.0"),
        ("A100-PCIE-40GB", "8.0"),
        ("NVIDIA A800-SXM4-80GB", "8.0"),
        ("NVIDIA A10", "8.6"),
        ("NVIDIA A10G", "8.6"),
        ("Tesla T4", "7.5"),
        ("Tesla P4", "6.1"),
        ("Tesla V100-SXM2-16GB", "7.0"),
        ("Tesla V100-DGXS-32GB", "7.0"),
        ("Tesla V100-SXM2...", "7.0"),
        ("Tesla K80", "3.7"),
        ("NVIDIA GeForce RTX 4090", "8.9"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "8.9"),
        ("GeForce RTX 2080 Ti", "7.5"),
        ("GeForce RTX 2080 with Max-Q Design", "7.5"),
        ("GeForce RTX 207...", "7.5"),
        ("GTX 1050Ti", "6.1"),
        ("NVIDIA GeForce GTX 1650 SUPER", "7.5"),
        ("NVIDIA RTX 4000 Ada Generation", "8.9"),
        ("NVIDIA RTX 4500 Ada Generation", "8.9"),
        ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("Quadro RTX 6000", "7.5"),
        ("NVIDIA RTX A6000", "8.6"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "12.0"),
        ("NVIDIA B200", "10.0"),
        ("NVIDIA B300 SXM6 AC", "10.3"),
        ("NVIDIA GB10", "12.1"),
        ("Orin (nvgpu)", "8.7"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "9.0"),
    ],
)
def test_capability_by_name(name: str, capability: str) -> None:
    assert str(capability_of(name, tables())) == capability


@pytest.mark.parametrize("name", ["", "...", "NVIDIA", "NVIDIA Something New", "Device 66a1", "GeForce G...", "RTX"])
def test_a_name_that_says_too_little_gives_nothing(name: str) -> None:
    assert capability_of(name, tables()) is None


def test_kinds() -> None:
    assert kind_of("NVIDIA GeForce RTX 3090", tables()) == "geforce"
    assert kind_of("NVIDIA L40S", tables()) == "datacenter"


def test_every_row_of_the_table_is_found_and_agrees_with_the_others() -> None:
    for row in tables()["gpus"].rows:
        pattern = rows.text(row, "pattern")
        assert not pattern or re.compile(pattern)
        if pattern and "variants" not in rows.text(row, "name"):
            found = {str(rows.version(one, "capability")) for one in rows_for(rows.text(row, "name"), tables())}
            assert not found or found == {str(rows.version(row, "capability"))}, rows.text(row, "name")


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    model_of(text)
    capability_of(text, tables())


ODD_PATTERNS = [
    "A|B",
    "(a)|b",
    "ab(c)|d",
    "T4G?$",
    "x{2}y",
    "a[|]b",
    r"ab\|c",
    "(a|(b))c|d",
    "ab(c|(d|e))",
    "",
    "ab*",
    "a+b",
    "(A|B(C|D))E|F",
    r"\bab|c\|d|[|]e",
]
PATTERNS = sorted({rows.text(row, "pattern") for row in tables()["gpus"].rows})


@given(st.sampled_from(PATTERNS + ODD_PATTERNS).flatmap(lambda p: st.tuples(st.just(p), st.from_regex(rf"\A(?:{p})"))))
def test_whatever_fits_a_pattern_begins_with_its_lead(case: tuple[str, str]) -> None:
    pattern, text = case
    assert re.match(pattern, text)
    assert text.startswith(leads_of(pattern))


def test_leads_leave_few_patterns_to_compile() -> None:
    assert leads_of("RTX 4070 Ti SUPER$") == ("RTX 4070 Ti SUPER",)
    assert leads_of("T4G?$") == ("T4",)
    assert leads_of("Tegra X1|Jetson Nano") == ("Tegra X1", "Jetson Nano")
    assert leads_of(r"\bOrin\b") == ("Orin",)
    assert leads_of("(?i)ab|c") == ("",)
    tried = [pattern for pattern in PATTERNS if "RTX 4090".startswith(leads_of(pattern))]
    assert len(tried) < 20
