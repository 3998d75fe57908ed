"""The packages of an environment: thousands are cheap, and no metadata is too broken to be told about."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import fake_torch
from gpudoctor.model.fact import Reason, Unknown
from gpudoctor.probe import packages


def test_the_gpu_stack(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, version in (
        ("numpy", "2.1.3"),
        ("pytorch-triton", "3.1.0"),
        ("requests", "2.32.0"),
        ("flash-attn", "2.6.3"),
    ):
        fake_torch.write_metadata(site, name, version)
    facts, _ = look(site)
    assert facts["packages.names_versions"] == ("flash-attn==2.6.3", "numpy==2.1.3", "pytorch-triton==3.1.0")
    assert facts["packages.count"] == 4
    assert [facts.text(key) for key in ("numpy.version", "triton.version", "flash_attn.version")] == [
        "2.1.3",
        "3.1.0",
        "2.6.3",
    ]
    assert facts["torchvision.version"] == Unknown(Reason.NOT_INSTALLED)


def test_nvidia_wheels_tell_their_cuda(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, version in (
        ("nvidia-cublas-cu12", "12.4.5.8"),
        ("nvidia-cudnn-cu12", "9.1.0.70"),
        ("nvidia-nccl-cu11", "2.20.5"),
        ("nvidia-cuda-runtime", "13.0.48"),
    ):
        fake_torch.write_metadata(site, name, version)
    facts, _ = look(site)
    assert facts["packages.cuda_majors"] == ("cu11", "cu12", "cu13")
    assert facts.text("packages.cudnn_wheel_version") == "9.1.0.70"
    assert facts.text("packages.cuda_runtime_wheel_version") == "13.0.48"


def test_doubles_and_the_one_that_counts(look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    fake_torch.write_metadata(first, "numpy", "1.26.4")
    fake_torch.write_metadata(second, "NumPy", "2.1.3")
    monkeypatch.setenv("PYTHONPATH", f"{first}:{second}:{first}/")
    facts, _ = look()
    assert facts.text("numpy.version") == "1.26.4"
    assert facts["packages.duplicates"] == (f"numpy: 1.26.4 in {first}, 2.1.3 in {second}",)


def test_broken_metadata(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    fake_torch.write_metadata(site, "~orch", "2.1.0")
    (site / "torch-2.2.0.dist-info").mkdir()
    (site / "numpy-.dist-info").mkdir()
    (site / ".dist-info").mkdir()
    (site / "triton-3.0.0.dist-info").mkdir()
    (site / "triton-3.0.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00" * 1000)
    (site / "jax-0.4.0.dist-info").mkdir()
    (site / "jax-0.4.0.dist-info" / "METADATA").mkdir()
    facts, _ = look(site)
    broken = facts.elements("packages.broken")
    assert len(broken) == 6
    assert any("~orch-2.1.0.dist-info: left over from an interrupted install" in str(entry) for entry in broken)
    assert facts["torch.installed"] is True, "its metadata folder is there, and pip believes it"
    assert facts.text("jax.version") == "0.4.0"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_garbage_in_names(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / os.fsdecode(b"caf\xe9\xff-1.0.dist-info")).mkdir()
    (site / "snow\u2603-2.0.dist-info").mkdir()
    facts, _ = look(site)
    assert facts["packages.count"] == 2
    str(facts["packages.broken"]).encode("utf-8")


def test_eggs_and_development_installs(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    egg = site / "apex-0.1-py3.10.egg-info"
    egg.mkdir(parents=True)
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: apex\nVersion: 0.1\n")
    (egg / "requires.txt").write_text("numpy>=2\n\n[extra]\nscipy\n")
    source = site / "flash_attn.egg-info"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: flash_attn\nVersion: 2.7.0\n")
    (site / "vllm.egg-link").write_text("/src/vllm\n.")
    fake_torch.write_metadata(site, "numpy", "1.26.0")
    facts, _ = look(site)
    assert facts.text("apex.version") == "0.1"
    assert facts.text("flash_attn.version") == "2.7.0"
    assert facts["packages.requirement_conflicts"] == ("apex 0.1 requires numpy>=2, but 1.26.0 is installed",)


def test_unreadable_places(look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no archive")
    os.symlink("loop", tmp_path / "loop")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/nowhere:{tmp_path}/file:{tmp_path}/loop")
    facts, _ = look()
    assert facts["packages.count"] == 0
    assert any("loop" in str(entry) for entry in facts.elements("packages.unreadable_paths"))


def test_two_thousand_packages(look, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for number in range(2000):
        (site / f"package_{number}-1.{number}.dist-info").mkdir()
    facts, _ = look(site)
    assert facts["packages.count"] == 2000
    assert facts["packages.names_versions"] == ()


def test_every_version_fact_names_a_known_distribution() -> None:
    keys = [spec.key for spec in packages.FACTS]
    assert len(keys) == len(set(keys))
