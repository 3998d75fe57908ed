"""The same examination of a real torch, the CPU build."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpudoctor.model.fact import Reason, Unknown

pytestmark = pytest.mark.torch


def test_the_cpu_build(look, torch_python: str) -> None:
    facts, found = look(python=torch_python, timeout=120.0)
    assert facts["torch.import_outcome"] == "imported", facts["torch.import_error"]
    assert facts["torch.import_stage"] == "end"
    assert facts["torch.build"] == "cpu"
    assert facts["torch.cuda_version"] == Unknown(Reason.NOT_APPLICABLE, "CPU-only build")
    assert facts["cudnn.version"] == Unknown(Reason.NOT_APPLICABLE, "CPU-only build")
    assert facts["nccl.version"] == Unknown(Reason.NOT_APPLICABLE, "CPU-only build")
    assert facts["torch.cuda_available"] is False
    assert facts["torch.device_count"] == 0
    assert facts["torch.distributed_backends"] == ("gloo",)
    assert facts.version("torch.version") == facts.version("torch.metadata_version")
    assert "PyTorch built with" in (facts.text("torch.config") or "")
    assert Path(facts.text("torch.libtorch_path") or "").name == "libtorch_cpu.so"
    assert facts["torch.maps_outside"] == ()
    assert {run.outcome for run in found.runs} == {"completed"}


def test_what_the_import_would_not_tell_is_known_without_it(look, torch_python: str) -> None:
    facts, _ = look(python=torch_python, import_torch=False)
    assert facts["torch.build"] == "cpu"
    assert (facts["torch.version_source"], facts["torch.import_outcome"]) == ("version_file", "not_requested")
