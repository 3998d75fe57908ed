"""Holds where core files are looked for and what they are called."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import core_files
from memory_host import MemoryHost

PATTERN = "/proc/sys/kernel/core_pattern"


def test_cores_in_the_working_directory():
    files = {PATTERN: "core\n", "/workspace/core": "xx", "/workspace/core.4711": "yyyy", "/workspace/core.py": "z"}
    facts = collected(core_files, MemoryHost({**files, "/workspace/score": "z"}, dirs=["/workspace/core.1"]))
    assert facts["core_files.found"] == ("/workspace/core (2)", "/workspace/core.4711 (4)")
    assert (facts["core_files.count"], facts["core_files.total_bytes"]) == (2, 6)
    assert facts["core_files.go_to_program"] is False


def test_cores_in_a_folder_of_their_own():
    files = {PATTERN: "/cores/%e-%p.core\n", "/cores/python3-7.core": "abc", "/cores/notes": ""}
    facts = collected(core_files, MemoryHost(files))
    assert facts["core_files.found"] == ("/cores/python3-7.core (3)",)


def test_a_program_takes_them():
    facts = collected(core_files, MemoryHost({PATTERN: "|/usr/share/apport/apport -p%p\n"}))
    assert facts["core_files.go_to_program"] is True
    assert facts["core_files.count"] == 0


@pytest.mark.parametrize(("pattern", "name", "fits"), [("%p", "train.py", False), ("%e.%p", "core.1", True)])
def test_a_pattern_of_marks_alone_does_not_fit_everything(pattern, name, fits):
    assert bool(core_files.name_pattern(pattern).fullmatch(name)) is fits
