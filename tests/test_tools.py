"""What other people's tools print about an environment states what our own collectors see there.

tests/support/record_tools.py recorded both sides, and says how.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.diagnose import CheckSettings
from gpudoctor.documents import judge_text
from gpudoctor.intake.statements import STATED
from gpudoctor.judging import Result
from gpudoctor.model.fact import Facts, Unknown
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from record_tools import DUMPS, FACTS, RECIPES, jsonable

SYSTEM = {"python.version", "torch.version", "torch.build", "torch.installed", "torch.import_outcome"}
LINUX = {"kernel.name", "kernel.release", "kernel.machine", "glibc.version"}
# The least that each tool tells.
TOLD = {
    "accelerate-env-1.15.txt": {"accelerate.version", "numpy.version", "torch.cuda_available", *LINUX, *SYSTEM},
    "transformers-env-5.24.txt": {
        "transformers.version",
        "accelerate.version",
        "torch.cuda_available",
        *LINUX,
        *SYSTEM,
    },
    "ds-report-0.19.txt": {"deepspeed.version", "shm.size_bytes", *(SYSTEM - {"python.version"})},
    "collect-env-2.13.txt": {
        *("cpu.count", "cpu.model", "cpu.socket_count", "cuda_toolkit.nvcc_version", "numpy.version", "os.name"),
        *("packages.names_versions", "torch.cuda_available"),
        *LINUX,
        *SYSTEM,
    },
}
ROUNDED_BYTES = 0.005 * (1 << 30)  # ds_report prints two decimals


def judged(text: str) -> Result:
    return judge_text("dump.txt", text.encode(), CheckSettings())


def told(facts: Facts) -> dict[str, Any]:
    """What a text states, without what is concluded from it."""
    found = {key: facts[key] for key in STATED if key in facts}
    return {key: jsonable(value, "/nowhere") for key, value in found.items() if not isinstance(value, Unknown)}


def check_same(pasted: dict[str, Any], seen: dict[str, Any]) -> None:
    """Nothing that the text says differs from what was seen there."""
    for key, value in pasted.items():
        if key == "shm.size_bytes":
            assert abs(value - seen[key]) <= ROUNDED_BYTES
        elif key == "packages.names_versions":  # each tool lists its own choice of packages
            assert set(value) <= set(seen[key])
        else:
            assert value == seen[key], key


def test_every_recipe_was_recorded() -> None:
    assert {path.name for path in FACTS.iterdir()} == {Path(name).with_suffix(".json").name for name in RECIPES}
    assert set(TOLD) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_tools_text_states_what_our_collectors_saw(name: str) -> None:
    pasted = told(judged((DUMPS / name).read_text(encoding="utf-8")).diagnosis.facts)
    seen = json.loads((FACTS / name).with_suffix(".json").read_text(encoding="utf-8"))
    assert set(pasted) == TOLD[name]
    check_same(pasted, seen)


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_is_held_against_what_is_well(name: str) -> None:
    findings = judged((DUMPS / name).read_text(encoding="utf-8")).diagnosis.findings
    failed = [one for one in findings if one.kind is Kind.FAIL and one.severity is not Severity.NOTE]
    assert [(one.check, one.message) for one in failed] == []


@pytest.mark.parametrize("name", RECIPES)
def test_every_line_of_it_is_understood(name: str) -> None:
    runs = judged((DUMPS / name).read_text(encoding="utf-8")).diagnosis.runs
    strange = [line for line in runs[0].detail.split("\n") if "says nothing known" in line]
    words = ("JIT", "runtime if needed", "meet the required", "WARNING", ": Not found")
    assert [line for line in strange if not any(word in line for word in words)] == []


@pytest.mark.torch
def test_the_real_collect_env_states_what_the_live_machine_does(torch_python: str) -> None:
    import subprocess

    from gpudoctor.diagnose import see

    argv = [torch_python, "-m", "torch.utils.collect_env"]
    text = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=True).stdout
    live, _specs = see(CheckSettings(python=torch_python, probes="none"))
    pasted = told(judged(text).diagnosis.facts)
    assert set(pasted) >= {"torch.cuda_available", "os.name", *LINUX, *SYSTEM}
    check_same(pasted, {key: jsonable(live[key], "/nowhere") for key in pasted})
