"""Which torch it is, told by the import, by version.py or by metadata, and what each build lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

import fake_torch
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Facts, Reason, Unknown
from gpudoctor.probe import torch_build


def facts_from(version: str, *, imported: dict | None = None, version_file: dict | None = None) -> Facts:
    lines = [
        {"step": "packages", "outcome": "completed", "details": [{"name": "torch", "version": version, "place": 0}]},
        {
            "step": "torch_files",
            "outcome": "completed",
            "kind": "package",
            "importable": True,
            "version_file": version_file or {},
        },
    ]
    if imported is not None:
        lines += [{"step": "torch_import", "outcome": "imported"}, {"step": "torch_build", **imported}]
    return Facts(torch_build.facts(ChildEnd(End.EXITED, lines=tuple(lines)), {"import_torch": imported is not None}))


def test_a_cuda_build(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site"))
    assert (facts["torch.installed"], facts["torch.package_kind"]) == (True, "package")
    assert facts["torch.path"] == str(tmp_path / "site" / "torch")
    assert (facts["torch.build"], facts.text("torch.cuda_version")) == ("cuda", "13.0")
    assert (facts.text("torch.version"), facts["torch.version_source"]) == ("2.9.1+cu130", "import")
    assert facts.text("torch.metadata_version") == "2.9.1+cu130"
    assert facts["torch.installer"] == "pip"
    assert facts["torch.arch_list"] == ("sm_80", "sm_90", "compute_90")
    assert facts.text("torch.cudnn_compiled_version") == "9.13.0"
    assert facts["torch.cxx11_abi"] is True
    assert facts["torch.is_debug_build"] is False
    assert facts["torch.cuda_initialised_by_import"] is False
    assert facts["torch.hip_version"] == Unknown(Reason.NOT_APPLICABLE, "CUDA build")


def test_a_cpu_build_has_no_cuda_version(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", version="2.9.1+cpu", cuda=None, arch_list=None))
    assert facts["torch.build"] == "cpu"
    for key in ("torch.cuda_version", "torch.arch_list", "torch.cudnn_compiled_version", "torch.device_names"):
        assert facts[key] == Unknown(Reason.NOT_APPLICABLE, "CPU-only build")


def test_a_rocm_build(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", version="2.9.1+rocm6.4", cuda=None, hip="6.4.43484-123eb5128"))
    assert (facts["torch.build"], facts.text("torch.hip_version")) == ("rocm", "6.4.43484")
    assert facts["torch.cuda_version"] == Unknown(Reason.NOT_APPLICABLE, "ROCm build")


def test_attributes_that_are_not_there_are_unknown_with_the_words(look, tmp_path: Path) -> None:
    site = fake_torch.write(tmp_path / "site", arch_list=None)
    (site / "torch" / "_C.py").write_text("")
    (site / "torch" / "distributed.py").write_text("")
    (site / "torch" / "__config__.py").write_text("")
    facts, _ = look(site)
    assert facts["torch.import_outcome"] == "imported"
    for key, name in (("torch.arch_list", "_cuda_getArchFlags"), ("torch.config", "show")):
        value = facts[key]
        assert isinstance(value, Unknown)
        assert value.reason is Reason.NO_DATA
        assert value.detail.startswith("AttributeError")
        assert name in value.detail
    assert facts["torch.cuda_available"] is False


def test_a_torch_without_metadata(look, tmp_path: Path) -> None:
    facts, _ = look(fake_torch.write(tmp_path / "site", metadata=False))
    assert facts["torch.installed"] is True
    assert facts["torch.metadata_version"] == Unknown(Reason.NO_DATA, "torch has no packaging metadata")


@pytest.mark.parametrize(
    ("version", "build", "cuda"),
    [
        ("1.12.1+cu113", "cuda", "11.3"),
        ("2.6.0+cu124", "cuda", "12.4"),
        ("1.4.0+cu92", "cuda", "9.2"),
        ("2.6.0+cpu", "cpu", None),
        ("2.4.0+rocm6.1", "rocm", None),
        ("2.7.0+xpu", "xpu", None),
        ("1.13.1+cpu.cxx11.abi", "cpu", None),
        ("2.9.0+gitabc.cu130", "cuda", "13.0"),
    ],
)
def test_the_version_text_alone(version: str, build: str, cuda: str | None) -> None:
    facts = facts_from(version)
    assert facts["torch.build"] == build
    assert facts.text("torch.cuda_version") == cuda


def test_a_bare_version_text_tells_no_build() -> None:
    facts = facts_from("2.8.0")
    assert facts["torch.build"] == Unknown(Reason.NOT_REQUESTED, "torch was not imported")
    assert facts.text("torch.version") == "2.8.0"


def test_the_imported_module_wins_over_the_file_and_the_metadata() -> None:
    facts = facts_from(
        "2.1.0",
        imported={"version": "2.3.0", "version_cuda": "12.1"},
        version_file={"__version__": "2.2.0", "cuda": None},
    )
    assert (facts.text("torch.version"), facts.text("torch.cuda_version")) == ("2.3.0", "12.1")
    assert facts.text("torch.metadata_version") == "2.1.0"


def test_a_version_that_is_none() -> None:
    value = facts_from("x", imported={"version": "<Mock name='torch.__version__'>"})["torch.version"]
    assert isinstance(value, Unknown)
    assert value.reason is Reason.UNPARSEABLE


@pytest.mark.parametrize("source", [b"\x00\xff", b"def (", b"(" * 5000, b""])
def test_a_version_file_full_of_junk(look, tmp_path: Path, source: bytes) -> None:
    site = fake_torch.write(tmp_path / "site")
    (site / "torch" / "version.py").write_bytes(source)
    facts, _ = look(site)
    assert facts["torch.import_outcome"] == "import_error"
    assert (facts.text("torch.version"), facts["torch.version_source"]) == ("2.9.1+cu130", "metadata")
