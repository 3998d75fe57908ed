"""The pieces: buffers that keep the ends, a command line read without Click, a report that is whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command import COMMAND, gpudoctor, until
from fake_driver import FakeDriver
from gpudoctor.supervise import ring_buffer
from gpudoctor.supervise.options import RunSettings, read_quickly
from gpudoctor.supervise.ring_buffer import RingBuffer

pytestmark = pytest.mark.slow


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=60))
def test_a_ring_holds_both_ends(sizes: list[int]) -> None:
    before = ring_buffer.HEAD_BYTES, ring_buffer.TAIL_BYTES, ring_buffer.PIECE_BYTES
    ring_buffer.HEAD_BYTES, ring_buffer.TAIL_BYTES, ring_buffer.PIECE_BYTES = 10, 40, 16
    try:
        held, whole = RingBuffer(), b""
        for number, size in enumerate(sizes):
            piece = bytes([number % 256]) * size
            held.add(piece)
            whole += piece
        assert held.total == len(whole)
        assert bytes(held.head) == whole[:10]
        assert whole[10:].endswith(held.tail)
        assert len(held.tail) == min(len(whole[10:]), 40)
    finally:
        ring_buffer.HEAD_BYTES, ring_buffer.TAIL_BYTES, ring_buffer.PIECE_BYTES = before


def test_a_command_line_is_read_without_click() -> None:
    assert read_quickly(["--", "a", "--help"]) == RunSettings(("a", "--help"))
    assert read_quickly(["python", "-v"]) == RunSettings(("python", "-v"))
    asked = read_quickly(["--no-report", "--interval=0.5", "--report-dir", "/r", "-v", "--", "--", "x"])
    assert asked == RunSettings(("--", "x"), 0.5, report=False, report_dir="/r", verbose=True)
    for wrong in (
        ["--help"],
        [],
        ["--"],
        ["--interval", "0", "x"],
        ["--bad", "x"],
        ["--report-dir"],
        ["--verbose=1", "x"],
    ):
        assert read_quickly(wrong) is None


def test_a_wrong_command_line_starts_nothing(tmp_path: Path) -> None:
    for words in (("--interval", "nan", "--", "touch", "x"), ("--bad", "touch", "x"), ()):
        assert gpudoctor("run", *words, cwd=tmp_path).status == 2
    assert not (tmp_path / "x").exists()


def test_a_full_disk_costs_the_report_alone(tmp_path: Path) -> None:
    ended = gpudoctor("run", "--report-dir", "/dev/full/x", "--", "sh", "-c", "exit 3", cwd=tmp_path)
    assert ended.status == 3
    assert "no report could be written" in ended.errors
    limited = ("bash", "-c", 'ulimit -f 16; exec "$@"', "bash")
    ended = gpudoctor("run", "--", "sh", "-c", "exit 3", cwd=tmp_path, before=limited)
    assert ended.status == 3
    for path in tmp_path.glob("*"):  # who may raise the limit writes it whole
        json.loads(path.read_text())


@pytest.mark.parametrize("after", [0.1, 0.6, 1.5])
def test_killed_while_it_reports_it_leaves_no_half_report(tmp_path: Path, after: float) -> None:
    with subprocess.Popen(
        [str(COMMAND), "run", "--", "sh", "-c", "exit 3"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
    for path in tmp_path.glob("gpudoctor-crash-*"):
        assert json.loads(path.read_text())["summary"]["exit_code"] == 3


def test_a_second_signal_ends_the_explaining(tmp_path: Path) -> None:
    with subprocess.Popen([str(COMMAND), "run", "--on-failure", "sleep 30; :", "--", "false"], cwd=tmp_path) as process:
        until(lambda: bool(list(tmp_path.glob("gpudoctor-crash-*.json"))), 60)
        process.terminate()
        assert process.wait(20) == 1


def test_a_hook_gets_the_report_and_two_reports_of_one_second_do_not_meet(tmp_path: Path) -> None:
    words = [str(COMMAND), "run", "--on-failure", "cp -t copies", "--", "false"]
    (tmp_path / "copies").mkdir()
    both = [subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(60) for one in both] == [1, 1]
    names = {path.name for path in tmp_path.glob("gpudoctor-crash-*.json")}
    assert len(names) == 2
    assert {path.name for path in (tmp_path / "copies").iterdir()} == names


def test_gpus_are_watched_and_an_xid_of_this_run_is_the_cause(fake_driver: FakeDriver, tmp_path: Path) -> None:
    env = fake_driver.env({"xid": 79}, gpus=2)
    ended = gpudoctor(
        "run", "--interval", "0.2", "--", sys.executable, "-c", "import time; time.sleep(2); raise SystemExit(1)",
        env=env, cwd=tmp_path,
    )  # fmt: skip
    assert ended.status == 1
    assert "[hw.xid_79_fell_off_bus, confirmed]" in ended.errors
    (report,) = tmp_path.glob("*.json")
    facts = json.loads(report.read_text())["facts"]
    assert len(facts["run.gpu_memory_peak_bytes"]["value"]) == 2
    assert "Xid" in facts["run.gpu_events"]["value"][0]


def test_a_driver_that_hangs_or_crashes_is_not_noticed(fake_driver: FakeDriver, tmp_path: Path) -> None:
    for fault in ({"hang.nvmlInit_v2": 1}, {"segv.nvmlDeviceGetMemoryInfo": 1}):
        ended = gpudoctor(
            "run", "--no-report", "--", "sh", "-c", "sleep 0.5; exit 4", env=fake_driver.env(fault), cwd=tmp_path
        )
        assert ended.status == 4
        assert not ended.left


def test_a_report_is_read_by_the_other_commands(tmp_path: Path) -> None:
    crash = "import sys; print('RuntimeError: CUDA error: device-side assert triggered', file=sys.stderr); sys.exit(1)"
    assert gpudoctor("run", "--", sys.executable, "-c", crash, cwd=tmp_path).status == 1
    (report,) = tmp_path.glob("*.json")
    assert gpudoctor("check", "--from", str(report), "--json").is_whole()
    assert gpudoctor("diff", "--json", str(report), str(report), "--verbose").status in (0, 1, 2)
    answer = gpudoctor("explain-exit", "--json", "1", str(report)).document
    mine = json.loads(report.read_text())["explanations"][0]
    assert answer["explanations"][0]["cause"] == mine["explanations"][0]["cause"]


def test_the_summary_tells_what_was_used(tmp_path: Path) -> None:
    eat = "x = bytearray(60 << 20); import time; time.sleep(0.5)"
    ended = gpudoctor("run", "--summary", "--interval", "0.1", "--", sys.executable, "-c", eat, cwd=tmp_path)
    assert ended.status == 0
    figures = dict(line.strip().rsplit(": ", 1) for line in ended.errors.splitlines() if ": " in line)
    assert int(figures["Maximum resident set size of a process (kbytes)"]) > 60 << 10
    assert int(figures["Peak resident memory of all processes together (kbytes)"]) > 60 << 10
    assert figures["Exit status"] == "0"
