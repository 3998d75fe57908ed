"""Finds the rule files: those that came with gpudoctor, and any folder that was added with `--rules`.

A wheel carries them as `gpudoctor/_rules`, a source checkout has them in `rules` beside the package. Files are read
one by one where they lie as TOML, so that naming one cause does not cost reading all; a packed file is read at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from gpudoctor.knowledge.compile import (
    NESTED,
    PACKED_NAME,
    RETIRED,
    SECTIONS,
    Packed,
    RuleData,
    digest_of,
    newest_date,
    read_rule,
    rule_paths,
)
from gpudoctor.model.errors import RulesError, UsageError
from gpudoctor.model.record import record

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from pathlib import Path  # at run time only where a folder of TOML files is read: loading it takes its time
    from typing import Protocol

    from gpudoctor.knowledge.typed import Typed
else:
    Protocol = object

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


@record
class RuleFile:
    """One rule file: its path below its rules folder, the path to show to people, its id by name, its content.

    The slow tests of patterns are left out for trusted files: those that come with gpudoctor, which the test suite
    has put through all of them.
    """

    path: str
    shown: str
    id: str
    data: RuleData
    trusted: bool = False


class Tree(Protocol):
    """One rules folder, in either form."""

    label: str
    trusted: bool

    def paths(self, section: str) -> Sequence[str]:
        """The relative paths of the files of a section, sorted."""

    def read(self, path: str) -> RuleData:
        """The content of one file; ValueError says why it cannot be had."""

    def has(self, path: str) -> bool:
        """Whether there is such a file."""

    def digest(self) -> str:
        """SHA-256 over the content of all files."""

    def newest(self) -> str:
        """The latest source date in all files, ISO; ValueError when a file cannot be read."""

    def count(self) -> int:
        """How many files there are."""

    def typed(self) -> Typed | None:
        """The same rules as finished objects, where the build has left them."""


class TomlTree:
    """A folder of TOML files, each read when it is asked for."""

    def __init__(self, root: Path, label: str, trusted: bool = False) -> None:
        self.root = root
        self.label = label
        self.trusted = trusted
        self._paths: dict[str, list[str]] = {}
        self._read: dict[str, RuleData] = {}

    def paths(self, section: str) -> Sequence[str]:
        """See Tree."""
        if section not in self._paths:
            self._paths[section] = rule_paths(self.root, section)
        return self._paths[section]

    def read(self, path: str) -> RuleData:
        """See Tree."""
        if path not in self._read:
            self._read[path] = read_rule(self.root / path)
        return self._read[path]

    def has(self, path: str) -> bool:
        """See Tree."""
        return (self.root / path).is_file()

    def digest(self) -> str:
        """See Tree."""
        return digest_of({path: self.read(path) for path in self._all_paths()})

    def newest(self) -> str:
        """See Tree."""
        return max((newest_date(self.read(path)) for path in self._all_paths()), default="")

    def count(self) -> int:
        """See Tree."""
        return sum(len(self.paths(section)) for section in SECTIONS)

    def typed(self) -> Typed | None:
        """See Tree: what anybody can edit is read as it stands."""
        return None

    def _all_paths(self) -> list[str]:
        paths = [path for section in SECTIONS for path in self.paths(section)]
        return [*paths, RETIRED] if self.has(RETIRED) else paths


class PackedTree:
    """All files of a folder out of one packed file, given by its path or its bytes; each is taken out when it is asked
    for."""

    def __init__(self, packed: bytes | str, label: str, trusted: bool = False, folder: str = "") -> None:
        self.label = label
        self.trusted = trusted
        self._folder = folder
        self._packed = Packed(packed)
        self._paths: dict[str, list[str]] = {}
        self._read: dict[str, RuleData] = {}

    def paths(self, section: str) -> Sequence[str]:
        """See Tree."""
        if not self._paths:
            for path in self._packed.paths():
                self._paths.setdefault(path.split("/", 1)[0], []).append(path)
        return self._paths.get(section, [])

    def read(self, path: str) -> RuleData:
        """See Tree."""
        if path not in self._read:
            self._read[path] = self._take(path)
        return self._read[path]

    def _take(self, path: str) -> RuleData:
        try:
            return self._packed.read(path)
        except ValueError:  # somebody changed the packed file: the TOML file that it was made of lies beside it
            if not self._folder:
                raise
            from pathlib import Path

            return read_rule(Path(self._folder) / path)

    def has(self, path: str) -> bool:
        """See Tree."""
        return self._packed.has(path)

    def digest(self) -> str:
        """See Tree."""
        return self._packed.digest

    def newest(self) -> str:
        """See Tree."""
        return self._packed.newest

    def count(self) -> int:
        """See Tree."""
        return self._packed.count

    def typed(self) -> Typed | None:
        """See Tree."""
        from gpudoctor.knowledge.typed import read_typed

        return read_typed(self._folder, self.digest()) if self._folder else None


class RulesSource:
    """The rules folders of a run, the built-in ones first. Nothing is read before it is asked for."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self.trees = tuple(trees)
        self._ids: dict[str, frozenset[str]] = {}

    def typed(self) -> Typed | None:
        """The rules as finished objects, where the built-in ones are the only ones."""
        return self.trees[0].typed() if len(self.trees) == 1 else None

    def ids(self, section: str) -> frozenset[str]:
        """The ids of a section, taken from the file names alone."""
        if section not in self._ids:
            self._ids[section] = frozenset(id_of(path) for tree in self.trees for path in tree.paths(section))
        return self._ids[section]

    def files(self, section: str, problems: list[str], folder: str = "") -> Iterator[RuleFile]:
        """The files of a section, or of one folder of it; those that cannot be read go to `problems`."""
        for tree in self.trees:
            for path in tree.paths(section):
                if folder and not path.startswith(f"{section}/{folder}/"):
                    continue
                shown = f"{tree.label}/{path}"
                depth = 3 if section in NESTED else 2
                if len(path.split("/")) != depth:
                    wanted = f"{section}/<folder>/<name>.toml" if depth == 3 else f"{section}/<name>.toml"
                    problems.append(f"{shown}: the file is in the wrong place; it belongs at {wanted}")
                    continue
                yield from self._one(tree, path, problems)

    def file(self, section: str, rule_id: str, problems: list[str]) -> RuleFile | None:
        """The one file that an id names, or None; nothing else is read."""
        for path in path_of(section, rule_id):
            for tree in self.trees:
                if tree.has(path):
                    return next(self._one(tree, path, problems), None)
        if section in NESTED and section != "causes":
            for tree in self.trees:
                for path in tree.paths(section):
                    if id_of(path) == rule_id:
                        return next(self._one(tree, path, problems), None)
        return None

    def retired(self, problems: list[str]) -> list[RuleFile]:
        """The lists of retired ids."""
        return [file for tree in self.trees if tree.has(RETIRED) for file in self._one(tree, RETIRED, problems)]

    def digest(self) -> str:
        """SHA-256 over the content of all folders."""
        digests = [tree.digest() for tree in self.trees]
        return digests[0] if len(digests) == 1 else digest_of({str(n): {"d": d} for n, d in enumerate(digests)})

    def newest(self) -> str:
        """The latest source date in all folders."""
        return max((tree.newest() for tree in self.trees), default="")

    def count(self) -> int:
        """How many rule files there are."""
        return sum(tree.count() for tree in self.trees)

    def _one(self, tree: Tree, path: str, problems: list[str]) -> Iterator[RuleFile]:
        shown = f"{tree.label}/{path}"
        try:
            yield RuleFile(path, shown, id_of(path), tree.read(path), tree.trusted)
        except ValueError as error:
            problems.append(f"{shown}: {error}")


def id_of(path: str) -> str:
    """The id that a path stands for: `family.name` for causes, the file name for all others."""
    parts = path.split("/")
    name = parts[-1][: -len(".toml")]
    return f"{parts[-2]}.{name}" if parts[0] == "causes" and len(parts) > 2 else name


def path_of(section: str, rule_id: str) -> Iterator[str]:
    """The places where an id can lie, as far as the id alone tells."""
    if any(character in rule_id for character in "/\\\0"):
        return
    if section == "causes":
        family, dot, name = rule_id.partition(".")
        if dot and family and name:
            yield f"causes/{family}/{name}.toml"
    elif section not in NESTED:
        yield f"{section}/{rule_id}.toml"


def find_rules(extra: Sequence[Path] = ()) -> RulesSource:
    """The built-in rules and the folders added to them.

    RulesError when the built-in ones are not there, UsageError when an added folder is none.
    """
    return RulesSource([_built_in(), *(added_tree(path) for path in extra)])


def added_tree(path: Path) -> TomlTree:
    """One folder of rules by its path; UsageError when it is not a rules folder."""
    if not path.is_dir():
        raise UsageError(f"--rules {path}: there is no such folder")
    if not any((path / section).is_dir() for section in SECTIONS):
        raise UsageError(f"--rules {path}: not a rules folder; it needs at least one of {', '.join(SECTIONS)}")
    return TomlTree(path, str(path))


def _built_in() -> Tree:
    installed = os.path.join(_PACKAGE, "_rules")
    checkout = os.path.join(os.path.dirname(_PACKAGE), "rules")
    try:
        return PackedTree(os.path.join(installed, PACKED_NAME), "rules", trusted=True, folder=installed)
    except (OSError, ValueError):
        pass  # a checkout, or files that somebody changed: the TOML files speak for themselves
    from pathlib import Path

    for place in (Path(installed), Path(checkout)):
        if any((place / section).is_dir() for section in ("causes", "tables")):
            return TomlTree(place, "rules", trusted=True)
    raise RulesError([f"gpudoctor's own rules are missing: looked in {installed} and {checkout}; install it again"])
