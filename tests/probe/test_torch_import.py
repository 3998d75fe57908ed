"""Importing a broken torch: the outcome is right, its words are kept, time is bounded, and nobody is left running."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import fake_torch
from gpudoctor.model.fact import Facts, Reason, Unknown


def reason(facts: Facts, key: str) -> Reason:
    value = facts[key]
    assert isinstance(value, Unknown), f"{key} is {value!r}"
    return value.reason


def test_a_healthy_import(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site"))
    assert facts["torch.import_outcome"] == "imported"
    assert facts["torch.import_stage"] == "end"
    assert reason(facts, "torch.import_error") is Reason.NOT_APPLICABLE
    assert reason(facts, "torch.import_signal") is Reason.NOT_APPLICABLE
    assert facts["torch.import_warnings"] == ()
    assert [run.outcome for run in found.runs] == ["completed"] * 4


@pytest.mark.parametrize(
    ("behaviour", "signal", "words"),
    [("segfault", "SIGSEGV", "Fatal Python error: Segmentation fault"), ("abort", "SIGABRT", "terminate called")],
)
def test_a_crash_is_a_fact(look, tmp_path: Path, behaviour: str, signal: str, words: str) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", behaviour))
    assert facts["torch.import_outcome"] == "crashed"
    assert facts["torch.import_signal"] == signal
    assert facts["torch.import_stage"] == "torch_import"
    stderr = facts.text("torch.import_stderr") or ""
    assert words in stderr
    assert "site/torch/__init__.py" in stderr, "the stack names the place"
    assert facts["torch.installed"] is True
    assert facts.text("torch.version") == "2.9.1+cu130"
    assert facts.text("torch.cuda_version") == "13.0"
    assert reason(facts, "torch.cuda_available") is Reason.CRASHED
    run = found.runs[0]
    assert (run.name, run.outcome, run.signal) == ("target", "crashed", signal)


def test_sys_exit_is_an_exit(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "sys_exit"))
    assert (facts["torch.import_outcome"], facts["torch.import_exit_code"]) == ("exited", 3)
    assert facts["torch.import_stage"] == "end", "SystemExit is caught, and the examination goes on"


def test_a_hard_exit_is_an_exit(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", "os_exit"))
    assert (facts["torch.import_outcome"], facts["torch.import_exit_code"]) == ("exited", 3)
    assert facts["torch.import_stage"] == "torch_import"
    assert found.runs[0].exit_code == 3


@pytest.mark.parametrize("behaviour", ["hang", "hang_with_child"])
def test_a_hang_ends_at_the_limit_with_its_stack(look, tmp_path: Path, behaviour: str) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", behaviour), timeout=4.0)
    assert facts["torch.import_outcome"] == "timed_out"
    assert reason(facts, "torch.device_count") is Reason.TIMED_OUT
    assert facts.text("torch.version") == "2.9.1+cu130"
    assert "torch/__init__.py" in (facts.text("torch.import_stderr") or "")
    assert {run.name: run.outcome for run in found.runs} == {"target": "timed_out", "torch.import": "timed_out"}


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("missing_cudart", f"ImportError: {fake_torch.MISSING_CUDART}"),
        ("nvjitlink", f"ImportError: {fake_torch.NVJITLINK}"),
        ("numpy", "ImportError: numpy.core.multiarray failed to import"),
        ("no_module", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
    ],
)
def test_an_import_error_is_kept_word_for_word(look, tmp_path: Path, behaviour: str, error: str) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", behaviour))
    assert facts["torch.import_outcome"] == "import_error"
    assert facts["torch.import_error"] == error
    assert "torch/__init__.py" in (facts.text("torch.import_traceback") or "")
    assert facts["torch.installed"] is True
    assert (facts.text("torch.version"), facts["torch.version_source"]) == ("2.9.1+cu130", "version_file")
    value = facts["torch.cuda_available"]
    assert isinstance(value, Unknown)
    assert error in value.detail


def test_the_missing_module_is_named(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "no_module"))
    assert facts["torch.import_missing_module"] == "a_module_that_nobody_has"


def test_a_circular_import_is_an_import_error(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "circular"))
    assert facts["torch.import_error_type"] == "ImportError"
    assert "is_available_too" in (facts.text("torch.import_error") or "")


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [("recursion", "RecursionError"), ("huge_error", "RuntimeError"), ("error_without_text", "Bad")],
)
def test_strange_errors_stay_small(look, tmp_path: Path, behaviour: str, kind: str) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", behaviour))
    assert facts["torch.import_error_type"] == kind
    assert len(facts.text("torch.import_error") or "") < 10_000
    assert len(facts.text("torch.import_traceback") or "") < 10_000


def test_binary_noise_is_evidence_and_no_disturbance(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "binary_noise"))
    assert facts["torch.import_outcome"] == "imported"
    assert "from a library" in (facts.text("torch.import_stderr") or "")
    assert "ABCDEFG" in (facts.text("torch.import_stdout") or "")


def test_ten_megabytes_of_noise(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "flood"))
    assert facts["torch.import_outcome"] == "imported"
    assert len(facts.text("torch.import_stdout") or "") < 10_000


def test_warnings_are_kept(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "warns"))
    assert facts["torch.import_warnings"] == ("UserWarning: Failed to initialize NumPy: _ARRAY_API not found",)


def test_an_import_that_closes_every_file(look, tmp_path: Path) -> None:
    facts, found = look(fake_torch.write(tmp_path / "site", "closes_files"))
    assert facts["torch.installed"] is True
    assert reason(facts, "torch.import_outcome") is Reason.NO_DATA
    assert found.runs[0].outcome == "failed"


def test_no_torch(look) -> None:
    facts, _ = look()
    assert facts["torch.import_outcome"] == "not_installed"
    assert facts["torch.installed"] is False
    assert reason(facts, "torch.version") is Reason.NOT_INSTALLED
    assert reason(facts, "torch.cuda_available") is Reason.NOT_INSTALLED
    assert reason(facts, "torch.maps") is Reason.NOT_INSTALLED


def test_not_asked_for(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", "segfault"), import_torch=False)
    assert facts["torch.import_outcome"] == "not_requested"
    assert reason(facts, "torch.cuda_available") is Reason.NOT_REQUESTED
    assert facts.text("torch.cuda_version") == "13.0", "version.py tells without an import"


def test_an_empty_folder_called_torch_is_no_torch(look, tmp_path: Path) -> None:
    (tmp_path / "site" / "torch" / "lib").mkdir(parents=True)
    facts, _ = look(tmp_path / "site")
    assert facts["torch.package_kind"] == "namespace"
    assert facts["torch.installed"] is False
    assert facts["torch.import_outcome"] == "not_installed"


def test_metadata_without_the_package(look, tmp_path: Path) -> None:
    (tmp_path / "site" / "torch" / "lib").mkdir(parents=True)
    fake_torch.write_metadata(tmp_path / "site", "torch", "2.4.0+cu121")
    facts, _ = look(tmp_path / "site")
    assert facts["torch.installed"] is True
    assert facts["torch.import_error"] == "AttributeError: module 'torch' has no attribute '__version__'"
    assert (facts.text("torch.version"), facts["torch.version_source"]) == ("2.4.0+cu121", "metadata")
    assert (facts["torch.build"], facts.text("torch.cuda_version")) == ("cuda", "12.1")


def test_a_script_called_torch_is_reported_and_not_run(look, tmp_path: Path) -> None:
    script = Path.cwd() / "torch.py"
    script.write_text("open('it-ran', 'w')\n")
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert facts["torch.shadow_path"] == str(script)
    assert facts["torch.import_outcome"] == "imported", "the torch behind it is examined"
    assert not (Path.cwd() / "it-ran").exists()


def test_a_script_called_torch_and_no_torch(look) -> None:
    script = Path.cwd() / "torch.py"
    script.write_text("open('it-ran', 'w')\n")
    facts, _ = look()
    assert facts["torch.shadow_path"] == str(script)
    assert facts["torch.installed"] is False
    assert not (Path.cwd() / "it-ran").exists()


def test_a_source_checkout_in_the_working_directory(look, tmp_path: Path) -> None:
    fake_torch.write(Path.cwd(), "no_module", metadata=False)
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert facts["torch.shadow_path"] == str(Path.cwd() / "torch" / "__init__.py")
    assert facts["torch.import_outcome"] == "imported"


def test_the_only_torch_may_lie_in_the_working_directory(look) -> None:
    fake_torch.write(Path.cwd(), metadata=False)
    facts, _ = look()
    assert facts["torch.import_outcome"] == "imported"
    assert reason(facts, "torch.shadow_path") is Reason.NOT_APPLICABLE


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the variable came with Python 3.11")
def test_a_safe_path_has_no_working_directory(look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    fake_torch.write(Path.cwd(), metadata=False)
    facts, _ = look()
    assert facts["torch.installed"] is False
