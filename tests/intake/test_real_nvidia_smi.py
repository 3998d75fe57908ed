"""Texts that the real nvidia-smi of two driver branches printed: tables, lists, queries and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.explain import ExplainSettings, explain_exit
from gpudoctor.intake import nvidia_smi
from gpudoctor.model.fact import Facts

DATA = Path(__file__).resolve().parents[1] / "data" / "nvidia_smi"
VERSIONS = {"535": ("535.261.03", "12.2"), "550": ("550.163.01", "12.4")}


@pytest.mark.parametrize("branch", VERSIONS)
def test_the_table_tells_driver_cuda_and_gpus(branch: str) -> None:
    text = (DATA / f"{branch}-table.txt").read_text(encoding="utf-8")
    assert nvidia_smi.recognises(text, "out.txt") >= 0.5
    facts = Facts(nvidia_smi.read(text).facts)
    driver, cuda = VERSIONS[branch]
    assert (facts.text("driver.version"), facts.text("driver.cuda_version")) == (driver, cuda)
    assert facts["gpu.count"] == 2
    assert facts["gpu.names"] == ("NVIDIA A100-SXM4-80GB",) * 2


@pytest.mark.parametrize("branch", VERSIONS)
def test_the_list_tells_the_gpus(branch: str) -> None:
    facts = Facts(nvidia_smi.read((DATA / f"{branch}-list.txt").read_text(encoding="utf-8")).facts)
    assert facts["gpu.names"] == ("NVIDIA A100-SXM4-80GB",) * 2


@pytest.mark.parametrize("branch", VERSIONS)
@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("mismatch", "driver.kernel_user_mismatch"),
        ("no-driver", "driver.not_loaded"),
        ("lost", "hw.xid_79_fell_off_bus"),
        ("unknown", "container.nvml_lost_after_daemon_reload"),
    ],
)
def test_its_error_leads_to_the_cause(branch: str, state: str, cause: str) -> None:
    explained = explain_exit(ExplainSettings(evidence=(str(DATA / f"{branch}-{state}.txt"),)))
    assert explained.explanations[0].cause == cause
    assert explained.explanations[0].evidence
