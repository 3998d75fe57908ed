"""Replaying a machine: exact answers, honest gaps, and precise words for a recording that is broken or hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpudoctor.host.base import DiskUse, FileInfo, HostError
from gpudoctor.host.recorded import RecordedHost
from gpudoctor.model.child import End
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Reason


def _machine(folder: Path, index: dict[str, object], **files: str) -> RecordedHost:
    folder.mkdir(exist_ok=True)
    (folder / "host.json").write_text(json.dumps(index))
    for path, text in files.items():
        target = folder / "files" / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return RecordedHost(folder)


def _errno(question, *arguments) -> str:
    with pytest.raises(HostError) as caught:
        question(*arguments)
    return caught.value.errno_name


@pytest.fixture
def host(tmp_path: Path) -> RecordedHost:
    index = {
        "format": 1,
        "default": "absent",
        "env": {"CUDA_HOME": "/usr/local/cuda"},
        "identity": {"uid": 1000, "cwd": "/workspace"},
        "nodes": {"/dev/nvidia0": {"kind": "char", "major": 195, "minor": 0, "open_errno": "EPERM"}},
        "dirs": {"/empty": []},
        "links": {"/usr/lib/libcuda.so.1": "/usr/lib/libcuda.so.535", "/lib": "/usr/lib"},
        "errors": {"/proc/driver": "EACCES", "/dev/shm": {"disk": "ETIMEDOUT"}},
        "disk": {"/": {"total_bytes": 100, "free_bytes": 7, "read_only": True}},
        "commands": [
            {"argv": ["ldconfig", "-p"], "stdout": "first"},
            {"argv": ["ldconfig", "-p"], "stdout": "second", "status": 1},
        ],
        "children": {"nvml": {"end": "signalled", "signal": "SIGSEGV", "lines": [{"step": "init"}], "torn": True}},
    }
    return _machine(tmp_path / "m", index, etc__hostname="trainer\n", **{"usr__lib__libcuda.so.535": "0123456789"})


def test_files_and_what_they_imply(host: RecordedHost) -> None:
    assert host.read_text("/etc/hostname") == "trainer\n"
    assert host.read_text("/etc/hostname", 3) == "tra"
    assert host.read_bytes("/etc/hostname", 3, 2) == b"ain"
    assert host.stat("/etc/hostname") == FileInfo("file", size=8, mode=0o100644)
    assert host.stat("/etc").kind == "directory"
    assert host.list_dir("/etc") == ("hostname",)
    assert host.list_dir("/empty") == ()
    assert _errno(host.list_dir, "/etc/hostname") == "ENOTDIR"
    assert _errno(host.read_text, "/etc") == "EISDIR"


def test_links_lead_on_also_from_a_directory_above(host: RecordedHost) -> None:
    assert host.real_path("/lib/libcuda.so.1") == "/usr/lib/libcuda.so.535"
    assert host.read_bytes("/lib/libcuda.so.1", 2, 8) == b"89"
    assert host.stat("/usr/lib/libcuda.so.1", follow=False).link_target == "/usr/lib/libcuda.so.535"
    assert host.stat("/usr/lib/libcuda.so.1").size == 10
    assert host.list_dir("/lib") == ("libcuda.so.1", "libcuda.so.535")


def test_nodes_open_as_recorded(host: RecordedHost) -> None:
    assert host.open_errno("/dev/nvidia0") == "EPERM"
    assert host.open_errno("/dev/nvidiactl") == "ENOENT"
    assert host.open_errno("/etc/hostname") == ""
    assert host.stat("/dev/nvidia0").major == 195


def test_errors_hold_for_all_questions_or_for_one(host: RecordedHost) -> None:
    with pytest.raises(HostError) as caught:
        host.read_text("/proc/driver/nvidia/version")
    assert caught.value.reason is Reason.PERMISSION_DENIED
    assert host.open_errno("/proc/driver") == "EACCES"
    assert _errno(host.disk_use, "/dev/shm") == "ETIMEDOUT"
    assert _errno(host.stat, "/dev/shm") == "ENOENT"


def test_disks_count_for_what_lies_below(host: RecordedHost) -> None:
    assert host.disk_use("/workspace") == DiskUse(100, 7, read_only=True)


def test_relative_paths_start_where_the_machine_stood(host: RecordedHost) -> None:
    assert host.read_text("../etc/hostname") == "trainer\n"
    assert _errno(host.read_text, "/etc/../../../../host.json") == "ENOENT"
    assert _errno(host.read_text, "a\0b") == "EINVAL"


def test_commands_end_in_their_recorded_order(host: RecordedHost) -> None:
    ends = [host.run(["ldconfig", "-p"], 1) for _ in range(3)]
    assert [(end.stdout, end.status) for end in ends] == [("first", 0), ("second", 1), ("second", 1)]
    missing = host.run(["nvidia-smi"], 1)
    assert (missing.end, missing.errno) == (End.NOT_STARTED, "ENOENT")


def test_children_end_by_name(host: RecordedHost) -> None:
    end = host.run_script("nvml", "/no/python", "/no/script", {}, 1)
    assert (end.end, end.signal, end.lines, end.torn) == (End.SIGNALLED, "SIGSEGV", ({"step": "init"},), True)
    assert host.run_script("target", "", "", {}, 1).errno == "ENOENT"


def test_what_was_not_recorded_is_unknown_and_not_absent(tmp_path: Path) -> None:
    host = _machine(tmp_path / "m", {}, etc__hostname="x")
    for question in (host.read_text, host.list_dir, host.stat, host.real_path, host.open_errno, host.disk_use):
        with pytest.raises(HostError) as caught:
            question("/proc/version")
        assert caught.value.reason is Reason.NO_DATA
        assert not caught.value.absent
    with pytest.raises(HostError):
        host.list_dir("/etc")
    assert host.run_script("nvml", "", "", {}, 1).error == "not recorded"
    assert host.run(["x"], 1).errno == ""


BROKEN = {
    "[]": "object is expected",
    '{"format": 1, "nodes": {': "cut off",
    "": "cut off",
    "[" * 100_000: "not JSON",
    '{"format": 2}': "`format` is 2",
    '{"default": "maybe"}': "absent, unrecorded",
    '{"file": {}}': "unknown key `file`",
    '{"nodes": []}': "`nodes` must be an object",
    '{"nodes": {"/x": 3}}': "nodes./x",
    '{"nodes": {"/x": {"kind": "file", "colour": 1}}}': "colour",
    '{"nodes": {"/x": {"kind": "file", "size": "1"}}}': "nodes./x.size",
    '{"nodes": {"/x": {"size": 1}}}': "kind",
    '{"nodes": {"/x": {"kind": "char", "open_errno": 1}}}': "open_errno",
    '{"nodes": {"/a/../../x": {"kind": "file"}}}': "without `..`",
    '{"links": {"/x": "../y"}}': "absolute path",
    '{"links": {"/x": 1}}': "links./x",
    '{"dirs": {"/x": ["a/b"]}}': "dirs./x",
    '{"dirs": {"x": []}}': "absolute path",
    '{"errors": {"/x": {"smell": "EIO"}}}': "read, list",
    '{"errors": {"/x": {"read": {"errno": 1, "reason": "x", "detail": ""}}}}': "errors./x.read.errno",
    '{"disk": {"/x": {"total_bytes": 1}}}': "free_bytes",
    '{"pieces": {"/x": [{"offset": 0, "base64": "?", "last": true}]}}': "pieces./x",
    '{"pieces": {"/x": {"offset": 0}}}': "pieces./x",
    '{"commands": [{"status": 1}]}': "commands[0]",
    '{"commands": [{"argv": [1]}]}': "commands[0].argv",
    '{"children": {"nvml": {"end": "died"}}}': "exited, signalled",
    '{"children": {"nvml": {"lines": [1]}}}': "children.nvml.lines",
    '{"children": {"nvml": {"status": true}}}': "children.nvml.status",
    '{"children": {"nvml": {"colour": 1}}}': "colour",
    '{"env": {"A": 1}}': "env.A",
}


@pytest.mark.parametrize(("text", "words"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_recording_is_told_exactly(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "host.json").write_text(text)
    with pytest.raises(ExaminationError) as caught:
        RecordedHost(tmp_path)
    assert words in str(caught.value)
    assert "host.json" in str(caught.value)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ExaminationError):
            RecordedHost(path)
    (tmp_path / "host.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ExaminationError):
        RecordedHost(tmp_path)


def test_links_inside_a_recording_are_refused(tmp_path: Path) -> None:
    machine = _machine(tmp_path / "m", {}, etc__hostname="x")
    assert machine.read_text("/etc/hostname") == "x"
    (tmp_path / "m" / "files" / "etc" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ExaminationError, match="plain files only"):
        RecordedHost(tmp_path / "m")


def test_a_link_in_place_of_the_files_or_the_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{}")
    (tmp_path / "files").symlink_to("/etc")
    with pytest.raises(ExaminationError):
        RecordedHost(tmp_path)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "host.json").symlink_to(tmp_path / "host.json")
    with pytest.raises(ExaminationError):
        RecordedHost(tmp_path / "two")


def test_links_in_a_circle_end_in_an_error(tmp_path: Path) -> None:
    host = _machine(tmp_path / "m", {"links": {"/a": "/b", "/b": "/a"}})
    assert _errno(host.read_text, "/a") == "ELOOP"
