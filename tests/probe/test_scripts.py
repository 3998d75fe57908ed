"""The scripts run in foreign interpreters: what they may import, and which grammar they may use."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "gpudoctor" / "probe" / "scripts").glob("*.py"))
STDLIB = set(
    "__future__ ast collections ctypes faulthandler functools importlib json linecache os platform re select signal "
    "datetime errno fcntl itertools socket sys time traceback types typing warnings threading tempfile struct math "
    "random hashlib shutil subprocess".split()
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_only_the_standard_library_and_torch(path: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    assert names <= STDLIB | {"torch"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_grammar_of_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_the_entry_keeps_to_an_older_grammar() -> None:
    source = next(path for path in SCRIPTS if path.name == "harness.py").read_text()
    tree = ast.parse(source, feature_version=(3, 5))
    assert "from __future__ import annotations" not in source, "3.6 does not know it"
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign))]


STEPS = [path for path in SCRIPTS if path.name.startswith("step_")]


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.name)
def test_steps_are_callable_by_the_harness(path: Path) -> None:
    functions = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    wanted = {"run": ["torch", "options", "emit", "load"], "probe": ["bench"]}
    offered = [name for name in wanted if name in functions]
    assert len(offered) == 1
    assert [argument.arg for argument in functions[offered[0]].args.args] == wanted[offered[0]]


@pytest.mark.skipif(sys.version_info < (3, 9), reason="it is a property of newer interpreters")
def test_annotations_are_never_evaluated() -> None:
    for path in SCRIPTS:
        if path.name not in ("harness.py", "__init__.py"):
            assert "from __future__ import annotations" in path.read_text(), path.name
