"""Holds where core files are looked for and what they are called."""

from __future__ import annotations

import os

import pytest

from collecting import collected
from gpudoctor.collect import core_files
from gpudoctor.host.base import FileInfo
from gpudoctor.host.local import LocalHost
from gpudoctor.model.fact import Reason
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


def test_the_newest_comes_first_with_its_time():
    nodes = {
        "/workspace/core.1": FileInfo("file", size=5, modified_seconds=1_700_000_000),
        "/workspace/core.2": FileInfo("file", size=7, modified_seconds=1_700_000_060),
    }
    facts = collected(core_files, MemoryHost({PATTERN: "core\n"}, nodes=nodes))
    assert facts["core_files.found"][0] == "/workspace/core.2 (7, 2023-11-14T22:14:20Z)"
    assert facts["core_files.newest_seconds"] == 1_700_000_060


def test_without_times_or_files_there_is_no_newest():
    assert collected(core_files, MemoryHost({PATTERN: "core\n"}))["core_files.newest_seconds"].reason is (
        Reason.NOT_APPLICABLE
    )
    facts = collected(core_files, MemoryHost({PATTERN: "core\n", "/workspace/core": "xx"}))
    assert facts["core_files.newest_seconds"].reason is Reason.NO_DATA


def test_a_real_core_file_has_a_time_and_is_replayed_with_it(tmp_path, monkeypatch):
    (tmp_path / "core.77").write_bytes(b"x" * 10)
    os.utime(tmp_path / "core.77", (1_700_000_000, 1_700_000_000))
    monkeypatch.chdir(tmp_path)
    with LocalHost() as host:
        facts = collected(core_files, host)
    if facts["core_files.pattern"].startswith("core"):
        assert facts["core_files.newest_seconds"] == 1_700_000_000


@pytest.mark.parametrize("seconds", [0, 1, 2**31, 2**62, 10**30])
def test_any_time_is_written(seconds):
    assert core_files.utc(seconds)
