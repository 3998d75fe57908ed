"""From a pasted text to findings: what it says counts, what it does not say is never held against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudoctor.declared import known_specs
from gpudoctor.diagnose import CheckSettings
from gpudoctor.documents import judge_report, judge_text
from gpudoctor.judging import Result
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Unknown
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.rule import Severity
from gpudoctor.report.json_v1 import diagnosis_text
from gpudoctor.report.read import read_report

DUMPS = Path(__file__).parent / "intake" / "dumps"
HEALTHY = (
    "collect-env-1.0.txt",
    "collect-env-rocm.txt",
    "collect-env-windows.txt",
    "collect-env-macos.txt",
    "vllm-boxes-quoted.txt",
    "sglang.txt",
    "mmengine.txt",
    "accelerate-env.txt",
    "issue-of-several-tools.md",
    "bitsandbytes.txt",
    "lightning.txt",
    "conda-list.txt",
)


def judged(text: str, **asked: str) -> Result:
    return judge_text("dump.txt", text.encode(), CheckSettings(**asked))


def failed(result: Result, *severities: Severity) -> dict[str, Finding]:
    wanted = severities or (Severity.ERROR, Severity.WARNING)
    return {one.cause: one for one in result.diagnosis.findings if one.kind is Kind.FAIL and one.severity in wanted}


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_held_against_a_sound_environment(name: str) -> None:
    assert failed(judged((DUMPS / name).read_text(encoding="utf-8")), Severity.ERROR) == {}


def test_a_torch_that_uses_its_gpu_is_healthy() -> None:
    result = judged((DUMPS / "vllm-boxes-quoted.txt").read_text(encoding="utf-8"))
    assert result.diagnosis.health is Health.HEALTHY
    assert result.diagnosis.target.kind == "document"


def test_an_old_driver_is_found_and_the_warning_quoted() -> None:
    result = judged((DUMPS / "collect-env-old-driver.txt").read_text(encoding="utf-8"))
    found = failed(result)
    assert result.diagnosis.primary == "driver.too_old_for_cuda"
    quotes = [quote for quote in found["driver.too_old_for_cuda"].evidence if quote.line == 1]
    assert quotes
    assert "too old (found version 11020)" in quotes[0].text


def test_an_observed_success_outranks_the_comparison_of_versions() -> None:
    text = (DUMPS / "collect-env-old-driver.txt").read_text(encoding="utf-8")
    works = "\n".join(text.split("\n")[2:]).replace("Is CUDA available: False", "Is CUDA available: True")
    assert failed(judged(works)) == {}


def test_a_message_alone_makes_a_finding() -> None:
    found = failed(judged("$ nvidia-smi\nFailed to initialize NVML: Driver/library version mismatch\n"))
    finding = found["driver.kernel_user_mismatch"]
    assert finding.severity is Severity.ERROR
    assert "Driver/library version mismatch" in " ".join(quote.text for quote in finding.evidence)
    assert finding.remedies


def test_a_message_in_a_quoted_and_broken_text_is_seen() -> None:
    text = (
        "> RuntimeError: cuDNN version incompatibility: PyTorch was compiled\n"
        "> against (9, 1, 0) but found runtime version (8, 9, 2).\n"
    )
    assert "loader.library_shadowed_by_ld_library_path" in failed(judged(text))


def test_a_build_without_cuda_is_no_fault_where_nothing_speaks_of_a_gpu() -> None:
    assert failed(judged("PyTorch version: 2.3.0\nCUDA used to build PyTorch: None\nIs CUDA available: False\n")) == {}


def test_a_build_without_cuda_is_a_fault_beside_a_gpu() -> None:
    text = "PyTorch version: 2.6.0+cpu\nCUDA used to build PyTorch: None\nGPU 0: NVIDIA A30\nIs CUDA available: False\n"
    assert "wheel.cpu_only_build" in failed(judged(text), Severity.ERROR)


def test_nvcc_of_another_major_is_told() -> None:
    text = (
        (DUMPS / "sglang.txt").read_text(encoding="utf-8").replace("release 12.4, V12.4.131", "release 11.8, V11.8.89")
    )
    assert "build.toolchain.version_mismatch" in failed(judged(text), Severity.WARNING)


def test_what_the_text_does_not_tell_stays_unknown() -> None:
    facts = judged("PyTorch version: 2.6.0+cu124\n").diagnosis.facts
    for key in ("driver.version", "gpu.names", "gpu.count", "torch.cuda_available", "glibc.version"):
        assert isinstance(facts[key], Unknown), key


def test_expected_gpus_are_asked_of_the_document() -> None:
    facts = judged("GPU 0: NVIDIA A30\nIs CUDA available: True\n", expect_gpus="2").diagnosis.facts
    assert facts.text("expect.gpus") == "2"


def test_the_run_tells_kinds_and_lines() -> None:
    run = judged("Is CUDA available: True\nxyzzy\n").diagnosis.runs[0]
    assert "torch.utils.collect_env" in run.detail
    assert "xyzzy" in run.detail


@pytest.mark.parametrize("data", [b"", b"  \n\n", b"\t"])
def test_an_empty_document_cannot_be_judged(data: bytes) -> None:
    with pytest.raises(ExaminationError):
        judge_text("-", data, CheckSettings())


@pytest.mark.parametrize("data", [b"hello world\n", b"\x7fELF\x02\x01\x01" + b"\0" * 400])
def test_a_text_without_anything_known_is_not_judged(data: bytes) -> None:
    with pytest.raises(ExaminationError, match="holds nothing"):
        judge_text("dump.txt", data, CheckSettings())


@pytest.mark.parametrize("name", sorted(path.name for path in DUMPS.iterdir()))
def test_its_report_read_back_gives_the_same(name: str) -> None:
    first = diagnosis_text(judged((DUMPS / name).read_text(encoding="utf-8")).diagnosis, 0)
    report = read_report(first, known_specs())
    again = judge_report(report.facts, report.runs, report.target, report.findings, CheckSettings())
    assert json.loads(diagnosis_text(again.diagnosis, 0)) == json.loads(first)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(HEALTHY), st.sets(st.integers(0, 60), max_size=30))
def test_lines_missing_from_a_sound_report_are_no_fault(name: str, missing: set[int]) -> None:
    lines = (DUMPS / name).read_text(encoding="utf-8").split("\n")
    text = "\n".join(line for place, line in enumerate(lines) if place not in missing)
    try:
        result = judged(text)
    except ExaminationError:
        return
    assert failed(result, Severity.ERROR) == {}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(min_size=1, max_size=600), st.text(min_size=1, max_size=600).map(str.encode)))
def test_any_bytes_are_read_and_nothing_is_made_up(data: bytes) -> None:
    try:
        result = judge_text("dump.txt", data, CheckSettings())
    except ExaminationError:
        return
    for finding in failed(result).values():
        assert finding.evidence, finding
