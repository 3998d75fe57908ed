"""The finished rules say what the sources say, and are passed over whenever they do not fit."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.knowledge import catalogue as catalogue_module
from gpudoctor.knowledge import source
from gpudoctor.knowledge.catalogue import FACTS, FINISHED, Catalogue
from gpudoctor.knowledge.compile import PACKED_NAME, pack, read_tree
from gpudoctor.knowledge.source import PackedTree, find_rules
from gpudoctor.knowledge.typed import TYPED_NAME, Typed, read_typed

ROOT = Path(__file__).parent / "fixtures" / "rules"


@pytest.fixture(scope="module")
def whole() -> Catalogue:
    return Catalogue(find_rules(), known_specs())


@pytest.fixture(scope="module")
def finished(whole: Catalogue) -> bytes:
    return whole.finished()


def head_changed(raw: bytes, **changes: object) -> bytes:
    line, _, body = raw.partition(b"\n")
    return json.dumps({**json.loads(line), **changes}).encode() + b"\n" + body


def test_every_section_comes_back_as_it_was_read(whole: Catalogue, finished: bytes) -> None:
    typed = Typed(finished)
    assert typed.digest == whole.source.digest()
    assert typed.section(FACTS) == known_specs()
    for name in FINISHED:
        entries = typed.section(name)
        assert entries == getattr(whole, name)
        assert list(entries or ()) == sorted(entries or ())
    assert typed.section("exits") is None


def test_it_is_made_without_any_dependency(repository: Path, tmp_path: Path) -> None:
    if not (repository / "rules").is_dir() or sys.version_info < (3, 11):
        pytest.skip("needs the sources, and a TOML reader in the standard library")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from gpudoctor.explain import known_specs as specs; "
        "from gpudoctor.knowledge.catalogue import Catalogue; from gpudoctor.knowledge.source import find_rules; "
        "open(sys.argv[2], 'wb').write(Catalogue(find_rules(), specs()).finished())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    target = tmp_path / TYPED_NAME
    command = [sys.executable, "-S", "-c", code, str(repository), str(target)]
    subprocess.run(command, check=True, env=environment)
    assert Typed(target.read_bytes()).section("causes")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: raw[:-5],
        lambda raw: raw.replace(b"driver", b"drivel"),
        lambda raw: head_changed(raw, version="0.0.0"),
        lambda raw: head_changed(raw, format=99),
        lambda raw: b"[]\n" + raw.partition(b"\n")[2],
        lambda raw: b"\xff\xfe\n",
    ],
)
def test_a_spoilt_file_is_passed_over(tmp_path: Path, finished: bytes, whole: Catalogue, spoil) -> None:
    (tmp_path / TYPED_NAME).write_bytes(spoil(finished))
    assert read_typed(str(tmp_path), whole.source.digest()) is None


def test_one_of_other_rules_is_passed_over(tmp_path: Path, finished: bytes, whole: Catalogue) -> None:
    (tmp_path / TYPED_NAME).write_bytes(finished)
    assert read_typed(str(tmp_path), "another digest") is None
    assert read_typed(str(tmp_path), whole.source.digest()) is not None
    assert read_typed(str(tmp_path / "absent"), whole.source.digest()) is None


def test_a_section_of_classes_that_are_gone_is_passed_over(finished: bytes) -> None:
    gone = pickle.dumps(whole_class := Typed(finished).section("chains")).replace(b"Chain", b"Chaim")
    assert whole_class
    typed = Typed(finished)
    typed._body, typed._places = gone, {"chains": (0, len(gone))}
    assert typed.section("chains") is None


def test_a_catalogue_of_a_wheel_takes_them_and_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PACKED_NAME).write_text(pack(read_tree(ROOT)), encoding="utf-8")
    raw = (tmp_path / PACKED_NAME).read_bytes()
    plain = Catalogue(source.RulesSource([PackedTree(raw, "rules", trusted=True)]), known_specs())
    (tmp_path / TYPED_NAME).write_bytes(plain.finished())

    def none_may_be_read(*_args: object, **_named: object) -> object:
        raise AssertionError("a rule was read")

    monkeypatch.setattr(catalogue_module.Catalogue, "_section", none_may_be_read)
    packed = source.RulesSource([PackedTree(raw, "rules", trusted=True, folder=str(tmp_path))])
    quick = Catalogue(packed, none_may_be_read)  # type: ignore[arg-type]
    assert quick.facts == known_specs()
    assert (quick.causes, quick.rules, quick.chains) == (plain.causes, plain.rules, plain.chains)


def test_beside_an_added_folder_all_is_read(tmp_path: Path) -> None:
    (tmp_path / PACKED_NAME).write_text(pack(read_tree(ROOT)), encoding="utf-8")
    tree = PackedTree((tmp_path / PACKED_NAME).read_bytes(), "rules", trusted=True, folder=str(tmp_path))
    (tmp_path / TYPED_NAME).write_bytes(Catalogue(source.RulesSource([tree]), known_specs()).finished())
    assert source.RulesSource([tree]).typed() is not None
    assert source.RulesSource([tree, source.TomlTree(ROOT, "more")]).typed() is None
