"""Asking torch for the GPU: its words are kept, and a crash or a hang in there costs no other fact."""

from __future__ import annotations

from pathlib import Path

import pytest

import fake_torch
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.probe import torch_runtime, zygote


def test_a_working_gpu(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", is_available="return True", count=2))
    assert facts["torch.cuda_available"] is True
    assert facts["torch.device_count"] == 2
    assert facts["torch.device_names"] == ("NVIDIA H100 80GB HBM3",) * 2
    assert [str(value) for value in facts.elements("torch.device_capabilities")] == ["9.0", "9.0"]
    assert facts["torch.device_memory_bytes"] == (85_000_000_000,) * 2
    assert facts["torch.cuda_init_error"] == Unknown(Reason.NOT_APPLICABLE, "it said nothing")
    assert facts["torch.runtime_outcome"] == "completed"
    assert facts.text("cudnn.version") == "9.13.0"
    assert facts.text("nccl.version") == "2.27.5"
    assert facts["torch.distributed_backends"] == ("nccl", "gloo")
    assert [run.name for run in found.runs] == ["target", "torch.import", "step.build", "step.cuda"]


def test_no_driver_in_the_words_of_torch(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert facts["torch.cuda_available"] is False
    assert facts["torch.cuda_init_error"] == f"RuntimeError: {fake_torch.NO_DRIVER}"
    assert facts["torch.device_names"] == Unknown(Reason.NOT_APPLICABLE, "torch cannot use CUDA")


def test_the_warning_of_is_available(look, tmp_path: Path) -> None:
    body = f"import warnings; warnings.warn({fake_torch.OLD_DRIVER!r}); return False"
    facts, _ = look(fake_torch.write(tmp_path / "site", is_available=body))
    assert facts["torch.cuda_warning"] == fake_torch.OLD_DRIVER


def test_a_segfault_in_is_available(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", is_available="import ctypes; ctypes.string_at(0)"))
    assert facts["torch.import_outcome"] == "imported"
    assert (facts["torch.runtime_outcome"], facts["torch.runtime_signal"]) == ("crashed", "SIGSEGV")
    assert "is_available" in (facts.text("torch.runtime_output") or ""), "the stack names the function"
    value = facts["torch.cuda_available"]
    assert value == Unknown(Reason.CRASHED, "it was ended by SIGSEGV")
    assert facts.text("cudnn.version") == "9.13.0"
    run = next(run for run in found.runs if run.name == "step.cuda")
    assert (run.outcome, run.signal) == ("crashed", "SIGSEGV")
    assert "Segmentation fault" in run.stderr_tail


def test_a_hard_exit_in_is_available(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", is_available="import os; os._exit(7)"))
    assert facts["torch.runtime_outcome"] == "exited"
    assert facts["torch.cuda_available"] == Unknown(Reason.CRASHED, "it ended the process with status 7")
    assert found.runs[-1].exit_code == 7


def test_a_hang_in_is_available(look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = (zygote.Step("build"), zygote.Step("cuda", limit_s=0.6))
    monkeypatch.setattr(zygote, "RUNTIME", zygote.Group("runtime", steps, libraries=True))
    body = "import os, time\nif os.fork() == 0: os.setpgid(0, 0)\ntime.sleep(600)"
    facts, _ = look(fake_torch.write(tmp_path / "site", is_available=body))
    assert facts["torch.runtime_outcome"] == "timed_out"
    value = facts["torch.cuda_available"]
    assert isinstance(value, Unknown)
    assert value.reason is Reason.TIMED_OUT
    assert "is_available" in (facts.text("torch.runtime_output") or ""), "its stack comes before its death"
    assert facts["torch.import_stage"] == "end"


def test_an_exception_in_is_available(look, tmp_path: Path) -> None:
    body = "raise RuntimeError('CUDA driver initialization failed, you might not have a CUDA gpu.')"
    facts, _ = look(fake_torch.write(tmp_path / "site", is_available=body))
    assert isinstance(facts["torch.cuda_available"], Unknown)
    assert "driver initialization failed" in facts["torch.cuda_available"].detail
    assert facts["torch.device_count"] == 0


def test_cudnn_that_does_not_fit_is_kept_word_for_word(look, tmp_path: Path) -> None:
    words = (
        "cuDNN version incompatibility: PyTorch was compiled  against (9, 1, 0) but found runtime version (8, 9, 2)."
    )
    facts, _ = look(fake_torch.write(tmp_path / "site", cudnn=f"raise RuntimeError({words!r})"))
    assert facts["cudnn.error"] == f"RuntimeError: {words}"
    assert facts["cudnn.version"] == Unknown(Reason.NO_DATA, f"RuntimeError: {words}")


@pytest.mark.parametrize(("number", "text"), [(7605, "7.6.5"), (8902, "8.9.2"), (90100, "9.1.0"), (91900, "9.19.0")])
def test_cudnn_numbers(number: int, text: str) -> None:
    assert torch_runtime.cudnn_text(number) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2708, "2.7.8"), (21005, "2.10.5"), (["2", "27", "5"], "2.27.5"), (["2", "21", "5", "x"], "2.21.5")],
)
def test_nccl_numbers(value: object, text: str) -> None:
    assert torch_runtime.nccl_text(value) == text


@pytest.mark.parametrize(
    "lines", [(), ({"step": "torch_import", "outcome": "imported"}, {"step": "cuda", "devices": 3})]
)
def test_lines_that_make_no_sense(lines: tuple) -> None:
    facts = Facts(torch_runtime.facts(ChildEnd(End.EXITED, lines=lines), {}))
    assert {spec.key for spec in torch_runtime.FACTS} == set(facts)
