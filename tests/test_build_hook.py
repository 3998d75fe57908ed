"""The wheel carries the packed rules, nothing stale, and no build code; the source archive can build it again."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gpudoctor.knowledge.compile import read_tree, unpack
from gpudoctor.knowledge.source import id_of
from gpudoctor.knowledge.typed import Typed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="setuptools is not installed"),
]


def copy_sources(repository: Path, folder: Path) -> Path:
    wanted = ["gpudoctor", "rules", "pyproject.toml", "LICENSE"]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *wanted]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    for name in listed.stdout.splitlines():
        if (repository / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((repository / name).read_bytes())
    (folder / "README.md").write_text("# gpudoctor\n", encoding="utf-8")
    return folder


def build(sources: Path, kind: str, out: Path) -> Path:
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=sources, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out / done.stdout.strip().splitlines()[-1]


def packed_rules(wheel: Path) -> dict:
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "build_hook" in name]
        rules, digest = unpack(archive.read("gpudoctor/_rules/packed.bin"))
        finished = Typed(archive.read("gpudoctor/_rules/typed.bin"))
        assert finished.digest == digest
        assert set(finished.section("causes") or ()) == {id_of(path) for path in rules if path.startswith("causes/")}
        return rules


def test_wheel_and_source_archive(repository: Path, tmp_path: Path) -> None:
    sources = copy_sources(repository, tmp_path / "src")
    doomed = sources / "rules/exits/doomed.toml"
    doomed.parent.mkdir(exist_ok=True)
    doomed.write_text('id = "doomed"\n', encoding="utf-8")
    assert "exits/doomed.toml" in packed_rules(build(sources, "wheel", tmp_path))
    doomed.unlink()
    wheel = build(sources, "wheel", tmp_path)
    assert packed_rules(wheel) == read_tree(sources / "rules")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if "doomed" in name]
    with tarfile.open(build(sources, "sdist", tmp_path)) as archive:
        root = archive.getnames()[0].split("/")[0]
        if sys.version_info >= (3, 12):
            archive.extractall(tmp_path / "unpacked", filter="data")
        else:
            archive.extractall(tmp_path / "unpacked")
    again = build(tmp_path / "unpacked" / root, "wheel", tmp_path / "unpacked")
    assert packed_rules(again) == read_tree(sources / "rules")
