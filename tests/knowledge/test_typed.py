"""The finished rules say what the sources say, and are passed over whenever they do not fit."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from gpudoctor._version import VERSION
from gpudoctor.declared import known_specs
from gpudoctor.knowledge import catalogue as catalogue_module
from gpudoctor.knowledge import source
from gpudoctor.knowledge.catalogue import FACTS, FINISHED, Catalogue
from gpudoctor.knowledge.compile import PACKED_NAME, in_pieces, pack, read_tree
from gpudoctor.knowledge.source import PackedTree, find_rules
from gpudoctor.knowledge.tables import Row
from gpudoctor.knowledge.typed import KIND, TYPED_NAME, Typed, read_typed

ROOT = Path(__file__).parent / "fixtures" / "rules"


@pytest.fixture(scope="module")
def whole() -> Catalogue:
    return Catalogue(find_rules(), known_specs())


@pytest.fixture(scope="module")
def finished(whole: Catalogue) -> bytes:
    return whole.finished()


def test_every_section_comes_back_as_it_was_read(whole: Catalogue, finished: bytes) -> None:
    typed = Typed(finished)
    assert typed.digest == whole.source.digest()
    assert typed.section(FACTS) == known_specs()
    for name in FINISHED:
        entries = typed.section(name)
        assert entries == getattr(whole, name)
        assert list(entries or ()) == sorted(entries or ())
    assert typed.section("exits") is None


def test_every_table_comes_back_as_it_was_read(whole: Catalogue, finished: bytes) -> None:
    typed = Typed(finished)
    assert typed.tables() == set(whole.tables)
    for name, table in whole.tables.items():
        found = typed.table(name)
        assert found is not None
        shown, wanted = vars(found), vars(table)
        for part in ("id", "title", "keys", "columns", "source", "checked", "unique"):
            assert shown[part] == wanted[part]
        assert [told(row) for row in found.rows] == [told(row) for row in table.rows]
    assert typed.table("nothing") is None
    assert typed.section("table gpus") is None


def told(row: Row) -> tuple[object, ...]:
    return dict(row), row.source, row.checked, row.confidence, row.note


def test_it_is_made_without_any_dependency(repository: Path, tmp_path: Path) -> None:
    if not (repository / "rules").is_dir() or sys.version_info < (3, 11):
        pytest.skip("needs the sources, and a TOML reader in the standard library")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from gpudoctor.declared import known_specs as specs; "
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
        lambda raw: raw[:90],
        lambda raw: raw.replace(b"driver", b"drivel"),
        lambda raw: raw.replace(f"-{VERSION} ".encode(), b"-0.0.0 ", 1),
        lambda raw: in_pieces("gpudoctor-finished-3-0.0.0 digest", {}),
        lambda raw: in_pieces(KIND + " two words", {}),
        lambda raw: b"[]\n" + raw,
        lambda raw: b"\xff\xfe\n",
    ],
)
def test_a_spoilt_file_is_passed_over(tmp_path: Path, finished: bytes, whole: Catalogue, spoil) -> None:
    (tmp_path / TYPED_NAME).write_bytes(spoil(finished))
    typed = read_typed(str(tmp_path), whole.source.digest())
    # What is wrong in one piece costs that one; a head that is wrong costs all.
    pieces = [*map(typed.section, FINISHED), *map(typed.table, whole.tables)] if typed else [None]
    assert None in pieces
    assert typed is None or any(pieces)


def test_one_of_other_rules_is_passed_over(tmp_path: Path, finished: bytes, whole: Catalogue) -> None:
    (tmp_path / TYPED_NAME).write_bytes(finished)
    assert read_typed(str(tmp_path), "another digest") is None
    assert read_typed(str(tmp_path), whole.source.digest()) is not None
    assert read_typed(str(tmp_path / "absent"), whole.source.digest()) is None


def test_a_section_of_classes_that_are_gone_is_passed_over(finished: bytes) -> None:
    gone = pickle.dumps(whole_class := Typed(finished).section("chains")).replace(b"Chain", b"Chaim")
    assert whole_class
    assert Typed(in_pieces(f"{KIND} digest", {"chains": gone})).section("chains") is None


def test_a_catalogue_of_a_wheel_takes_them_and_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PACKED_NAME).write_bytes(pack(read_tree(ROOT)))
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
    (tmp_path / PACKED_NAME).write_bytes(pack(read_tree(ROOT)))
    tree = PackedTree((tmp_path / PACKED_NAME).read_bytes(), "rules", trusted=True, folder=str(tmp_path))
    (tmp_path / TYPED_NAME).write_bytes(Catalogue(source.RulesSource([tree]), known_specs()).finished())
    assert source.RulesSource([tree]).typed() is not None
    assert source.RulesSource([tree, source.TomlTree(ROOT, "more")]).typed() is None
