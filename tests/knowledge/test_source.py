"""Where the rules are found, and in which of their two forms."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gpudoctor.knowledge import source
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.compile import PACKED_NAME, SECTIONS, digest_of, in_pieces, pack, read_tree, unpack
from gpudoctor.knowledge.source import PackedTree, RulesSource, TomlTree, find_rules
from gpudoctor.model.errors import RulesError, UsageError
from mini_rules import ROOT, SPECS, copy_to


def package_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = folder / "gpudoctor"
    package.mkdir()
    monkeypatch.setattr(source, "_PACKAGE", package)
    return package


def test_a_checkout_reads_the_files_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package_at(tmp_path, monkeypatch)
    copy_to(tmp_path)
    (tree,) = find_rules().trees
    assert isinstance(tree, TomlTree)
    assert "driver.too_old" in find_rules().ids("causes")


def test_a_wheel_reads_the_packed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_at(tmp_path, monkeypatch)
    (package / "_rules").mkdir()
    (package / "_rules" / PACKED_NAME).write_bytes(pack(read_tree(ROOT)))
    (tree,) = find_rules().trees
    assert isinstance(tree, PackedTree)
    assert "driver.too_old" in find_rules().ids("causes")


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.replace(b"causes/", b"clauses/", 1),
        lambda raw: raw[:90],
        lambda raw: b"",
        lambda raw: b"\xff\n",
        lambda raw: b"{}\n" + raw,
        lambda _: in_pieces("gpudoctor-rules-1 digest -", {}),
    ],
)
def test_a_packed_file_with_a_damaged_head_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage) -> None:
    package = package_at(tmp_path, monkeypatch)
    copy_to(tmp_path).rename(package / "_rules")
    (package / "_rules" / PACKED_NAME).write_bytes(damage(pack(read_tree(ROOT))))
    (tree,) = find_rules().trees
    assert isinstance(tree, TomlTree)


@pytest.mark.parametrize("damage", [lambda raw: raw.replace(b"Cool it", b"Heat it"), lambda raw: raw[:-90]])
def test_a_packed_piece_that_was_changed_is_read_from_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage
) -> None:
    package = package_at(tmp_path, monkeypatch)
    copy_to(tmp_path).rename(package / "_rules")
    raw = pack(read_tree(ROOT))
    assert damage(raw) != raw
    (package / "_rules" / PACKED_NAME).write_bytes(damage(raw))
    rules = find_rules()
    assert isinstance(rules.trees[0], PackedTree)
    whole = RulesSource([TomlTree(ROOT, "rules")])
    for section in SECTIONS:
        assert [file.data for file in rules.files(section, [])] == [file.data for file in whole.files(section, [])]


def test_a_packed_piece_that_was_changed_and_has_no_source_is_named() -> None:
    problems: list[str] = []
    changed = RulesSource([PackedTree(pack(read_tree(ROOT)).replace(b"Cool it", b"Heat it"), "rules")])
    files = list(changed.files("causes", problems))
    (problem,) = problems
    assert "does not fit its checksum" in problem
    assert len(files) == len(changed.ids("causes")) - 1


def test_without_rules_the_error_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_at(tmp_path, monkeypatch)
    with pytest.raises(RulesError) as caught:
        find_rules()
    assert str(package / "_rules") in str(caught.value)
    assert str(tmp_path / "rules") in str(caught.value)


def test_an_added_folder_is_read_besides(tmp_path: Path) -> None:
    (tmp_path / "causes/own").mkdir(parents=True)
    (tmp_path / "causes/own/thing.toml").write_text("", encoding="utf-8")
    found = find_rules([tmp_path])
    assert "own.thing" in found.ids("causes")
    assert found.ids("tables") == find_rules().ids("tables")


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no such folder"), ("empty", "not a rules folder")])
def test_an_added_folder_that_is_none(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=words):
        find_rules([tmp_path / name])


def test_the_packed_form_says_what_the_sources_say() -> None:
    packed = RulesSource([PackedTree(pack(read_tree(ROOT)), "rules")])
    toml = RulesSource([TomlTree(ROOT, "rules")])
    assert packed.digest() == toml.digest()
    assert (packed.newest(), packed.count()) == (toml.newest(), toml.count())
    for section in SECTIONS:
        assert list(packed.files(section, [])) == list(toml.files(section, []))
        if section != "tables":
            name = {"checks": "rules"}.get(section, section)
            assert getattr(Catalogue(packed, SPECS), name) == getattr(Catalogue(toml, SPECS), name)
    assert [*Catalogue(packed).tables["toolkits"].columns] == [*Catalogue(toml).tables["toolkits"].columns]


def test_the_shipped_rules_survive_packing(repository: Path) -> None:
    files = read_tree(repository / "rules")
    unpacked, digest = unpack(pack(files))
    assert unpacked == files
    assert digest == TomlTree(repository / "rules", "rules").digest()


def test_comments_and_order_do_not_change_the_digest(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    before = TomlTree(root, "rules").digest()
    path = root / "exits/general-error.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("# a remark\n" + "\n".join(reversed(lines)) + "\n", encoding="utf-8")
    assert TomlTree(root, "rules").digest() == before
    path.write_text(path.read_text(encoding="utf-8").replace("Any error", "Some error"), encoding="utf-8")
    assert TomlTree(root, "rules").digest() != before


def test_an_id_never_leads_out_of_the_folder() -> None:
    own = RulesSource([TomlTree(ROOT, "rules")])
    for evil in ("../driver.too_old", "driver.../../x", "driver./etc/passwd", "\0.x", ".", "driver."):
        assert own.file("causes", evil, []) is None


def test_hashes_that_could_not_be_loaded_are_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(hashlib, "sha256")
    with pytest.raises(MemoryError):
        digest_of({})
