"""Recording and replaying: the same questions get the same answers, and nothing secret or unasked is written down."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudoctor.host.base import HostError
from gpudoctor.host.local import LocalHost
from gpudoctor.host.recorded import RecordedHost
from gpudoctor.host.recorder import RecordingHost
from gpudoctor.model.errors import ExaminationError, UsageError

PATHS = [
    "",
    "plain",
    "binary",
    "link",
    "dangling",
    "loop",
    "linked/inner",
    "linked",
    "dir",
    "dir/inner",
    "no",
    "no/way",
]
PATHS += ["plain/below", "dir/../plain", "fifo", "\udcff", "./plain", "name\0null"]
QUESTIONS = ["text", "bytes", "tail", "list", "stat", "lstat", "real", "open"]


def _world(folder: Path) -> Path:
    folder.mkdir()
    (folder / "plain").write_text("some text\nof two lines\n")
    (folder / "binary").write_bytes(b"\x7fELF\0\xff" + bytes(range(256)) * 4)
    (folder / "link").symlink_to("plain")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "dir").mkdir()
    (folder / "dir" / "inner").write_text("inner")
    (folder / "linked").symlink_to("dir")
    (folder / "\udcff").write_bytes(b"\xfe")
    os.mkfifo(folder / "fifo")
    return folder


def _answer(host, question: str, path: str):
    ask = {
        "text": host.read_text,
        "bytes": lambda path: host.read_bytes(path, 10),
        "tail": lambda path: host.read_bytes(path, 50, 7),
        "list": host.list_dir,
        "stat": host.stat,
        "lstat": lambda path: host.stat(path, follow=False),
        "real": host.real_path,
        "open": host.open_errno,
    }[question]
    try:
        return ask(path)
    except HostError as error:
        return error.reason, error.errno_name


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(PATHS)), min_size=1, max_size=12))
def test_a_replay_answers_as_the_machine_did(tmp_path_factory: pytest.TempPathFactory, asked) -> None:
    folder = tmp_path_factory.mktemp("record")
    world = _world(folder / "world")
    recorder = RecordingHost(LocalHost(60))
    live = [_answer(recorder, question, f"{world}/{path}") for question, path in asked]
    recorder.save(str(folder / "saved"))
    replayed = RecordedHost(folder / "saved")
    assert [_answer(replayed, question, f"{world}/{path}") for question, path in asked] == live


def test_commands_children_identity_disk_and_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = _world(tmp_path / "world")
    monkeypatch.chdir(world)
    (world / "script.py").write_text(
        'import os, sys\nos.write(int(sys.argv[1]), b\'{"a": 1, "n": 2.5}\\n{\')\nos.abort()\n'
    )
    recorder = RecordingHost(LocalHost(60))

    def ask(host):
        return [
            host.read_text("plain"),
            host.run(["sh", "-c", "echo out; exit 3"], 60),
            host.run(["/nonexistent"], 60),
            repr(host.run_script("nvml", sys.executable, str(world / "script.py"), {}, 60)),
            host.disk_use(str(world)).total_bytes,
            host.identity()["soft_limits"],
        ]

    live = ask(recorder)
    recorder.save(str(tmp_path / "saved"))
    assert ask(RecordedHost(tmp_path / "saved")) == live


def test_only_variables_that_were_looked_at_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_HOME", "/opt/cuda")
    monkeypatch.setenv("API_TOKEN", "hunter2")
    recorder = RecordingHost(LocalHost(60))
    assert recorder.env().get("CUDA_HOME") == "/opt/cuda"
    assert recorder.env().get("NCCL_DEBUG_NOT_SET") is None
    recorder.save(str(tmp_path / "saved"))
    assert "hunter2" not in (tmp_path / "saved" / "host.json").read_text()
    assert dict(RecordedHost(tmp_path / "saved").env()) == {"CUDA_HOME": "/opt/cuda"}


def test_every_text_passes_the_redaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home-hunter2"
    folder.mkdir()
    (folder / "notes").write_text("hunter2 was here")
    (folder / "link").symlink_to(folder / "notes")
    monkeypatch.setenv("PASSWORD", "hunter2")
    recorder = RecordingHost(LocalHost(60))
    recorder.read_text(str(folder / "notes"))
    recorder.read_bytes(str(folder / "notes"), 9)
    recorder.list_dir(str(folder.parent))
    recorder.stat(str(folder / "link"), follow=False)
    recorder.run(["echo", "hunter2"], 60)
    recorder.env()["PASSWORD"]
    with pytest.raises(HostError):
        recorder.read_text(str(folder / "notes" / "x"))
    seen: list[str] = []

    def redact(text: str) -> str:
        seen.append(text)
        return text.replace("hunter2", "XXX")

    recorder.save(str(tmp_path / "saved"), redact)
    for path in (tmp_path / "saved").rglob("*"):
        assert "hunter2" not in str(path.relative_to(tmp_path))
        if path.is_file():
            assert b"hunter2" not in path.read_bytes()
    assert "PASSWORD=hunter2" in seen
    replayed = RecordedHost(tmp_path / "saved")
    assert replayed.read_text(str(tmp_path / "home-XXX" / "notes")) == "XXX was here"
    assert replayed.run(["echo", "XXX"], 1).stdout == "XXX\n"


def test_the_same_answers_make_the_same_recording(tmp_path: Path) -> None:
    world = _world(tmp_path / "world")
    texts = []
    # Written otherwise, the same path gives an error that quotes it so; the last one counts.
    paths = [path for path in PATHS if "./" not in path]
    for number, order in enumerate((paths, paths[::-1])):
        recorder = RecordingHost(LocalHost(60))
        for path in order:
            for question in QUESTIONS:
                _answer(recorder, question, f"{world}/{path}")
        recorder.save(str(tmp_path / str(number)))
        texts.append((tmp_path / str(number) / "host.json").read_text())
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["default"] == "unrecorded"


def test_nothing_is_written_into_a_directory_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    recorder = RecordingHost(LocalHost(60))
    with pytest.raises(UsageError, match="not empty"):
        recorder.save(str(tmp_path))
    with pytest.raises(ExaminationError):
        recorder.save(str(tmp_path / "mine"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_a_path_that_was_file_and_directory_keeps_both(tmp_path: Path) -> None:
    world = _world(tmp_path / "world")
    recorder = RecordingHost(LocalHost(60))
    recorder.read_text(str(world / "plain"))
    (world / "plain").unlink()
    (world / "plain").mkdir()
    (world / "plain" / "below").write_text("deep")
    recorder.read_text(str(world / "plain" / "below"))
    recorder.save(str(tmp_path / "saved"))
    replayed = RecordedHost(tmp_path / "saved")
    assert replayed.read_text(str(world / "plain")).startswith("some text")
    assert replayed.read_text(str(world / "plain" / "below")) == "deep"
