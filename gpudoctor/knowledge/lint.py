"""Looks through a rules folder and says everything that is wrong with it, for people who write rules and no Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.compile import NESTED, RETIRED, SECTIONS
from gpudoctor.knowledge.fields import suggestion
from gpudoctor.knowledge.source import RulesSource, TomlTree, added_tree
from gpudoctor.model.errors import RulesError

if TYPE_CHECKING:
    from gpudoctor.knowledge.catalogue import FactSpecs


def lint(directory: Path, fact_specs: FactSpecs = None, beside: RulesSource | None = None) -> list[str]:
    """One line for each thing that is wrong; an empty list for a folder that is right.

    `beside` are rules that the folder's own may point to (gpudoctor's, for an added folder). UsageError when the
    folder is no rules folder.
    """
    own = added_tree(directory)
    problems = _strangers(own)
    source = RulesSource([own])
    if beside is not None and not beside.ids("causes") <= source.ids("causes"):  # else it is their own source
        source = RulesSource([*beside.trees, own])
    catalogue = Catalogue(source, fact_specs)
    for look in _looks(catalogue):
        problems += _complaints(look)
    return list(dict.fromkeys(problems))


def _looks(catalogue: Catalogue) -> Sequence[Callable[[], object]]:
    if _complaints(lambda: catalogue.retired):
        return [lambda: catalogue.retired]  # every other section would only repeat these
    sections: list[Callable[[], object]] = [
        lambda: catalogue.facts,  # first, so that causes can be checked against them
        lambda: catalogue.causes,
        lambda: catalogue.rules,
        lambda: catalogue.chains,
        lambda: catalogue.exits,
        lambda: catalogue.signatures,
    ]
    return [*sections, *(_table_of(catalogue, name) for name in catalogue.tables)]


def _table_of(catalogue: Catalogue, name: str) -> Callable[[], object]:
    return lambda: catalogue.tables[name]


def _complaints(look: Callable[[], object]) -> list[str]:
    try:
        look()
    except RulesError as error:
        return error.problems
    return []


def _strangers(tree: TomlTree) -> list[str]:
    """Rule files that no section would ever read."""
    problems = []
    for path in sorted(tree.root.iterdir()):
        if path.is_dir() and path.name not in SECTIONS and any(path.rglob("*.toml")):
            hint = suggestion(path.name, SECTIONS)
            problems.append(f"{tree.label}/{path.name}: nothing reads this folder{hint}")
        elif path.suffix == ".toml" and path.name != RETIRED:
            problems.append(f"{tree.label}/{path.name}: the file is in the wrong place; rules lie in {_layout()}")
    return problems


def _layout() -> str:
    return ", ".join(f"{section}/<folder>/" if section in NESTED else f"{section}/" for section in SECTIONS)


def counts(catalogue: Catalogue) -> Mapping[str, int]:
    """How many entries each section holds, by file names alone."""
    return {section: len(catalogue.source.ids(section)) for section in SECTIONS}
