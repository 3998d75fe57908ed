"""Recorded machines through the whole pipeline: each gives its cause or none, and the report that was read and agreed.

`GPUDOCTOR_UPDATE_GOLDEN=1 pytest tests/test_hosts.py` writes the agreed reports anew; read the difference before it
is committed. The machines themselves come from tests/support/make_hosts.py.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from gpudoctor.cli.check import exit_code
from gpudoctor.diagnose import CheckSettings, diagnose
from gpudoctor.judging import Result
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from gpudoctor.report.json_v1 import diagnosis_text
from gpudoctor.report.redact import redact_diagnosis
from gpudoctor.report.terminal import render

HERE = Path(__file__).parent
HOSTS = HERE / "hosts"
GOLDEN = HERE / "golden"
UPDATE = os.environ.get("GPUDOCTOR_UPDATE_GOLDEN") == "1"

SICK = {
    "container-without-gpus": "container.no_gpu_passthrough",
    "driver470-cu128": "driver.too_old_for_cuda",
    "gpu-with-cpu-wheel": "wheel.cpu_only_build",
    "hgx-cuinit-802": "driver.fabric_manager_not_running",
    "module580-library570": "driver.kernel_user_mismatch",
    "node-eperm": "container.nvml_lost_after_daemon_reload",
    "stub-libcuda": "driver.stub_library",
    "zero-byte-libcuda": "driver.user_library_empty",
}
HEALTHY = (
    "cpu-only-by-intent",
    "gh200-aarch64",
    "h100x2-driver580-cu130",
    "jetson",
    "mig",
    "python313",
    "python314",
    "rtx4090-driver535-cu128",
    "sm103-b300-cu130",
    "sm121-gb10-cu130",
    "sm86-rtx3090-cu128",
    "sm89-l4-cu130",
    "wsl2",
)


@functools.cache
def result_of(host: str) -> Result:
    """The diagnosis of one recorded machine."""
    return diagnose(CheckSettings(source=str(HOSTS / host)))


def failures(host: str) -> list[tuple[str, str, str]]:
    """Severity, check and message of whatever fails worse than a note."""
    findings = result_of(host).diagnosis.findings
    failed = [one for one in findings if one.kind is Kind.FAIL and one.severity is not Severity.NOTE]
    return [(one.severity.value, one.check, one.message) for one in failed]


def test_every_recorded_machine_is_judged() -> None:
    assert {path.name for path in HOSTS.iterdir()} == {*SICK, *HEALTHY}


@pytest.mark.parametrize(("host", "cause"), sorted(SICK.items()))
def test_a_sick_machine_gives_its_cause(host: str, cause: str) -> None:
    diagnosis = result_of(host).diagnosis
    assert diagnosis.primary == cause
    first = diagnosis.findings[0]
    assert (first.cause, first.kind, first.severity) == (cause, Kind.FAIL, Severity.ERROR)
    assert diagnosis.health.value == "broken"


@pytest.mark.parametrize("host", HEALTHY)
def test_a_healthy_machine_gives_no_error_and_no_warning(host: str) -> None:
    assert failures(host) == []
    assert result_of(host).diagnosis.health.value == "healthy"


@pytest.mark.parametrize("host", [*SICK, *HEALTHY])
def test_nothing_that_was_recorded_is_lost_on_the_way(host: str) -> None:
    """Every run came to its end, so that no fact is missing because a reader stumbled."""
    assert [run for run in result_of(host).diagnosis.runs if run.outcome != "completed"] == []


@pytest.mark.parametrize("host", sorted(SICK))
def test_no_remedy_is_left_with_a_placeholder(host: str) -> None:
    findings = result_of(host).diagnosis.findings
    texts = [f"{one.text} {one.command}" for finding in findings for one in finding.remedies]
    assert texts
    assert not [text for text in texts if re.search(r"\{[a-z]+\.[a-z_.]+\}", text)]


def test_the_install_line_keeps_the_release_and_fits_the_driver() -> None:
    finding = result_of("gpu-with-cpu-wheel").diagnosis.findings[0]
    assert finding.remedies[0].command == (
        "pip uninstall -y torch torchvision torchaudio && pip install torch==2.9.1 torchvision==0.24.1 "
        "torchaudio==2.9.1 --index-url https://download.pytorch.org/whl/cu130"
    )


def test_a_driver_too_old_for_any_build_of_the_release_gets_an_older_release() -> None:
    finding = result_of("driver470-cu128").diagnosis.findings[0]
    assert finding.remedies[0].command.endswith("https://download.pytorch.org/whl/cu118")


@pytest.mark.parametrize("host", [*SICK, *HEALTHY])
def test_the_report_is_the_agreed_one(host: str) -> None:
    """Text and JSON; how many checks passed and which rules judged changes with every new rule and is left out."""
    result = result_of(host)
    code = int(exit_code(result.diagnosis, "error"))
    shared = redact_diagnosis(result.diagnosis, result.specs)
    text = io.StringIO()
    render(shared, result.specs, text, width=80)
    agree(f"{host}.{code}.txt", steady_text(text.getvalue()))
    agree(f"{host}.{code}.json", json.dumps(steady_json(json.loads(diagnosis_text(shared, code))), indent=1) + "\n")


def agree(name: str, text: str) -> None:
    """Compare with the agreed file, or write it."""
    path = GOLDEN / name
    if UPDATE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{name} is missing; GPUDOCTOR_UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text(encoding="utf-8")


def steady_text(text: str) -> str:
    """Without the version, the rules and the tally of what did not fail."""
    text = re.sub(r"gpudoctor \d\S*, \d+ rules.*", "gpudoctor VERSION, RULES", text)
    return re.sub(r"\d+ checks? passed, \d+ not decided", "N checks passed, N not decided", text)


def steady_json(report: dict[str, Any]) -> dict[str, Any]:
    """Without version, rules, run times, the facts that nothing rests on, and what did not fail."""
    report["tool"] = {"name": report["tool"]["name"]}
    report.pop("facts")
    report["summary"].pop("counts", None)
    report["findings"] = [one for one in report["findings"] if one["kind"] == "fail"]
    report["runs"] = [{key: one[key] for key in ("name", "outcome")} for one in report["runs"]]
    for chain in report.get("chains", ()):
        chain["links"] = [one for one in chain["links"] if one.get("kind") in ("fail", "unknown")]
    return report


def test_no_agreed_report_is_left_over() -> None:
    agreed = {path.name for path in GOLDEN.iterdir()}
    hosts = {name: int(exit_code(result_of(name).diagnosis, "error")) for name in (*SICK, *HEALTHY)}
    assert agreed == {f"{name}.{code}.{kind}" for name, code in hosts.items() for kind in ("txt", "json")}
