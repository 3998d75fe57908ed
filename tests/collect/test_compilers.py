"""Holds which C compiler is found, and that none is said to be there where none would start."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import compilers
from gpudoctor.host.base import FileInfo
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

PROGRAM = FileInfo("file", size=1_000_000, mode=0o100755)
PATH = "/opt/venv/bin:relative::/usr/bin:/bin"


def found(nodes: dict[str, FileInfo], errors: dict[str, str] | None = None, **env: str) -> object:
    host = MemoryHost({}, env={"PATH": PATH, **env}, nodes=nodes, errors=errors or {})
    return collected(compilers, host)["compiler.c_path"]


def test_the_first_that_triton_would_take() -> None:
    assert found({"/usr/bin/gcc": PROGRAM, "/usr/bin/clang": PROGRAM}) == "/usr/bin/gcc"
    assert found({"/usr/bin/clang": PROGRAM, "/bin/cc": PROGRAM}) == "/usr/bin/clang"


def test_the_users_choice_comes_first() -> None:
    both = {"/usr/bin/gcc": PROGRAM, "/opt/llvm/clang": PROGRAM}
    assert found(both, CC="/opt/llvm/clang -O2") == "/opt/llvm/clang"
    assert found({"/usr/bin/gcc-12": PROGRAM}, CC="gcc-12") == "/usr/bin/gcc-12"


@pytest.mark.parametrize(
    ("nodes", "env"),
    [
        ({}, {}),
        ({"/usr/bin/gcc": FileInfo("directory", mode=0o40755)}, {}),
        ({"/usr/bin/gcc": FileInfo("file", mode=0o100644)}, {}),
        ({"/usr/bin/gcc": PROGRAM}, {"CC": "/gone/cc"}),
        ({"/usr/bin/gcc": PROGRAM}, {"CC": "icc"}),
    ],
)
def test_none(nodes: dict[str, FileInfo], env: dict[str, str]) -> None:
    answer = found(nodes, **env)
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NOT_INSTALLED


def test_a_folder_that_may_not_be_read_and_an_unclosed_quote() -> None:
    assert found({"/bin/gcc": PROGRAM}, {"/usr/bin/gcc": "EACCES"}) == "/bin/gcc"
    assert found({"/usr/bin/gcc": PROGRAM}, CC="gcc '") == "/usr/bin/gcc"


def test_without_a_path_nothing_is_known() -> None:
    answer = collected(compilers, MemoryHost({}, env={}))["compiler.c_path"]
    assert isinstance(answer, Unknown)
    assert answer.reason is Reason.NO_DATA
