"""The house rules that a machine can hold: who imports whom, who owns which library, how large a piece may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gpudoctor"
FLOORS = {
    "model": 0,
    "host": 1,
    "collect": 2,
    "probe": 2,
    "intake": 2,
    "knowledge": 2,
    "report": 2,
    "declared": 3,
    "judging": 3,
    "diagnose": 3,
    "explain": 3,
    "supervise": 3,
    "upstream": 3,
    "documents": 3,
    "compare": 3,
    "across": 3,
    "cli": 4,
}
# Outside the floors: the version literal and the doors to the command line, the Python API and the build.
DOORS = {"__init__", "__main__", "_version", "api", "build_hook"}
ALLOWED = {
    "model": set(),
    "host": {"model"},
    "collect": {"model", "host"},
    "probe": {"model", "host"},
    "intake": {"model", "host"},
    "knowledge": {"model"},
    "report": {"model"},
    "declared": {"model", "collect", "probe", "intake", "knowledge"},
    "judging": {"model", "knowledge", "declared"},
    "diagnose": {"model", "host", "collect", "probe", "knowledge", "declared", "judging"},
    "explain": {"model", "host", "collect", "intake", "knowledge", "declared"},
    "supervise": {"model", "host", "collect", "probe", "intake", "knowledge", "explain"},
    "upstream": {"model", "host", "collect", "probe", "intake", "knowledge"},
    "documents": {"model", "intake", "knowledge", "declared", "judging", "diagnose", "explain"},
    "compare": {"model", "knowledge"},
    "across": {"model", "host", "probe", "knowledge", "judging"},
    "cli": set(FLOORS) - {"cli"},
}
OWNERS = {
    "click": {"cli"},
    "rich": {"report"},
    "psutil": {"host"},
    "subprocess": {"host"},
    "tomllib": {"knowledge"},
    "tomli": {"knowledge"},
    "pynvml": {"collect.scripts"},
    "torch": {"probe.scripts"},
    "urllib.request": {"upstream"},
    "http.client": {"upstream"},
    "pty": {"supervise"},
}
SCRIPT_FOLDERS = {"collect.scripts", "probe.scripts"}
MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _folder(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).parent.parts)


def _imports(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def _within(name: str, library: str) -> bool:
    return name == library or name.startswith(library + ".")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_only_where_the_floor_plan_allows(path: Path) -> None:
    room = _room(path)
    if room in DOORS:
        return
    assert room in FLOORS, f"{path} lies in no room of the house"
    for name, line in _imports(path):
        if not _within(name, "gpudoctor"):
            continue
        parts = name.split(".")
        other = parts[1] if len(parts) > 1 else ""
        if other in ("_version", room):
            continue
        assert other in ALLOWED[room], f"{path}:{line}: {room} must not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_library_has_its_owner(path: Path) -> None:
    folder = _folder(path)
    for name, line in _imports(path):
        for library, owners in OWNERS.items():
            if _within(name, library):
                allowed = any(folder == owner or folder.startswith(owner + ".") for owner in owners)
                in_script = library == "subprocess" and folder in SCRIPT_FOLDERS
                assert allowed or in_script, f"{path}:{line}: only {sorted(owners)} may import {library}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_scripts_stand_alone(path: Path) -> None:
    if _folder(path) in SCRIPT_FOLDERS:
        outside = [name for name, _ in _imports(path) if _within(name, "gpudoctor")]
        assert not outside, f"{path} runs without gpudoctor beside it, yet imports {outside}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sizes_and_names(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAXIMUM_FILE_LINES, f"{path} is too long"
    assert not set(path.stem.split("_")) & FORBIDDEN_NAMES, f"{path}: a name that says nothing"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{path} does not say what it is"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAXIMUM_FUNCTION_LINES, f"{path}:{node.lineno}: {node.name} has {length} lines"


def test_no_import_circles_between_modules() -> None:
    graph: dict[str, set[str]] = {}
    modules = {".".join(("gpudoctor", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    for module, path in modules.items():
        targets = set()
        for name, _ in _imports(path):
            for candidate in (name, name.rpartition(".")[0]):
                if candidate in modules and candidate != module:
                    targets.add(candidate)
        graph[module] = targets
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"import circle: {' -> '.join((*trail, module))}"
        if module not in done:
            for target in sorted(graph[module]):
                walk(target, (*trail, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_the_command_line_starts_without_heavy_or_foreign_imports() -> None:
    code = "import sys, gpudoctor.cli.main; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd="/")
    loaded = set(done.stdout.split())
    assert "click" in loaded
    assert not loaded & {"torch", "pynvml", "psutil", "rich", "numpy", "packaging"}


def test_every_package_folder_is_shipped(repository: Path) -> None:
    listed = (repository / "pyproject.toml").read_text(encoding="utf-8")
    for folder in {path.parent for path in FILES}:
        name = ".".join(("gpudoctor", *folder.relative_to(PACKAGE).parts))
        assert f'"{name}",' in listed, f"pyproject.toml does not list the package {name}"


def test_judging_loads_nothing_that_observes_and_little_else() -> None:
    code = "import sys, gpudoctor.judging; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    modules = set(loaded.stdout.split())
    rooms = {name.split(".")[1] for name in modules if name.startswith("gpudoctor.")}
    assert rooms <= {"_version", "declared", "judging", "knowledge", "model"}
    # Each of these costs about as much as all our own modules together.
    assert not modules & {"typing", "inspect", "dataclasses", "json", "pickle", "pathlib", "subprocess", "asyncio"}
