"""Scanning keeps the right lines, with the right numbers, whatever the log looks like."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.host.evidence import read_chunks
from gpudoctor.intake.scan import KEPT_ALIKE, LONGEST_PIECE, MOST_KINDS, Scan, Triggers, scan, whole_characters

TRIGGERS = Triggers(["rror", "illed", "No such", "段"])


def of(text: bytes, size: int = 1 << 20) -> Scan:
    """Scanned in chunks of a size."""
    return scan([text[start : start + size] for start in range(0, len(text), size)], TRIGGERS)


def kept(found: Scan) -> list[tuple[int, str]]:
    """(number, text) of each kept line."""
    return [(line.number, line.text) for line in found.lines]


def test_only_lines_with_a_trigger_are_kept_with_their_numbers() -> None:
    found = of(b"one\nan error here\nthree\nKilled\n")
    assert kept(found) == [(2, "an error here"), (4, "Killed")]
    assert (found.line_count, found.size_bytes, found.is_whole) == (4, 31, True)


@given(
    st.lists(st.sampled_from(["x", "error 1", "error 2", "Killed", "No such file", "", "段错误"]), max_size=30),
    st.integers(1, 9),
)
def test_chunks_decide_nothing(lines: list[str], size: int) -> None:
    raw = "\n".join(lines).encode()
    wanted = [(number, line) for number, line in enumerate(lines, 1) if TRIGGERS.find(line.encode()) >= 0]
    assert kept(of(raw, size)) == wanted


def test_the_last_line_needs_no_end() -> None:
    assert kept(of(b"a\nerror")) == [(2, "error")]
    assert of(b"a\nerror").line_count == 2


def test_carriage_returns_make_lines_of_their_own() -> None:
    bar = b"".join(b"\r%3d%%|###  | %d/100" % (step, step) for step in range(100))
    found = of(b"start\n" + bar + b"\rRuntimeError: boom\r\nend\n")
    assert kept(found) == [(2, "RuntimeError: boom")]


def test_windows_line_ends_leave_no_trace() -> None:
    assert kept(of(b"ok\r\nerror one\r\n")) == [(2, "error one")]


def test_colours_and_control_characters_go() -> None:
    raw = b"\x1b[31mRuntimeError\x1b[0m: \x1b]8;;http://x\x07link\x1b]8;;\x07 \x00\x08bad\n"
    assert kept(of(raw)) == [(1, "RuntimeError: link bad")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-8-sig"])
def test_encodings(encoding: str) -> None:
    text = "第一行 ok ok ok ok ok ok ok ok ok ok\n" if encoding != "utf-16-le" else "the first line\n"
    found = of((text + "段错误 (核心已转储)\nerror\n").encode(encoding))
    assert [line.text for line in found.lines] == ["段错误 (核心已转储)", "error"]
    assert [line.number for line in found.lines] == [2, 3]


def test_one_bad_byte_spoils_one_line() -> None:
    found = of("段错误\n".encode() + b"error \xff\xfe\x81 here\n" + "段错误\n".encode())
    assert [line.number for line in found.lines] == [1, 2, 3]
    assert found.lines[0].text == found.lines[2].text == "段错误"


def test_packed_and_damaged_packed_files(tmp_path: Path) -> None:
    raw = b"".join(b"step %d\n" % number for number in range(50_000)) + b"error at the end\n"
    packed = gzip.compress(raw)
    (tmp_path / "a.gz").write_bytes(packed)
    assert kept(scan(read_chunks(str(tmp_path / "a.gz")), TRIGGERS)) == [(50_001, "error at the end")]
    (tmp_path / "b.gz").write_bytes(packed[: len(packed) // 2])
    assert scan(read_chunks(str(tmp_path / "b.gz")), TRIGGERS).line_count > 100
    (tmp_path / "c.gz").write_bytes(b"\x1f\x8b error")
    assert len(scan(read_chunks(str(tmp_path / "c.gz")), TRIGGERS).lines) == 1


def test_lines_alike_are_counted_once_the_first_are_kept() -> None:
    found = of(b"".join(b"error in step %d\n" % number for number in range(1000)))
    assert len(found.lines) == KEPT_ALIKE
    assert [line.number for line in found.lines] == list(range(1, KEPT_ALIKE + 1))
    assert found.lines[-1].times == 1000 - KEPT_ALIKE + 1


def test_more_kinds_than_fit_keep_the_first_and_the_last() -> None:
    rng = random.Random(3)
    names = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(MOST_KINDS + 5_000)]
    names = list(dict.fromkeys(names))
    found = of("".join(f"error {name}\n" for name in names).encode(), 100_000)
    assert found.lines[0].text == f"error {names[0]}"
    assert found.lines[-1].text == f"error {names[-1]}"
    assert found.lines[-1].number == len(names)
    assert found.dropped == len(names) - len(found.lines)


def test_long_lines_are_kept_in_windows_around_the_words() -> None:
    raw = b"x" * 60_000 + b" RuntimeError: boom " + b"y" * 60_000 + b" Killed " + b"z" * 60_000 + b"\nerror\n"
    found = of(raw, 4096)
    assert all(len(line.text) <= LONGEST_PIECE for line in found.lines)
    assert ["RuntimeError: boom" in line.text or "Killed" in line.text or line.text == "error" for line in found.lines]
    assert any("RuntimeError: boom" in line.text for line in found.lines)
    assert any("Killed" in line.text for line in found.lines)
    assert kept(found)[-1] == (2, "error")


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=5_000), st.integers(1, 700))
def test_any_bytes(raw: bytes, size: int) -> None:
    found = of(raw, size)
    assert all(1 <= line.number <= found.line_count for line in found.lines)


def test_a_line_longer_than_memory_should_hold_is_cut() -> None:
    chunks = (b"w" * (1 << 20) for _ in range(40))
    found = scan([*chunks, b" error\n", b"Killed\n"], TRIGGERS)
    assert [line.number for line in found.lines] == [1, 2]


def test_triggers_with_blanks_are_found_in_lines() -> None:
    assert kept(of(b"ls: x: No such file\nNo\nsuch\n")) == [(1, "ls: x: No such file")]


def test_every_word_of_many_is_found() -> None:
    rng = random.Random(7)
    words = sorted({"".join(rng.choices("abcdefghij", k=5)) for _ in range(120)})
    triggers = Triggers(words)
    raw = "\n".join(f"{rng.random()} zz{word}zz {rng.random()}" for word in words).encode()
    assert [line.number for line in scan([raw], triggers).lines] == list(range(1, len(words) + 1))


@pytest.mark.parametrize("shift", range(6))
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_long_line_is_cut_between_characters(encoding: str, shift: int) -> None:
    words = "训练在第三步失败了🔥" * 3000
    text = f"{'x' * shift}{words} ValueError: 显存不足 {words}\n"
    lines = scan([text.encode(encoding)], TRIGGERS).lines
    assert lines
    if encoding == "utf-8":
        assert all(line.text in text for line in lines)
    assert any("ValueError" in line.text for line in lines)


def test_every_cut_of_utf_8_is_mended_and_other_text_left() -> None:
    text = "训练é🔥x" * 3
    data = text.encode()
    for start in range(len(data)):
        for end in range(start + 8, len(data) + 1):
            kept = whole_characters(data[start:end])
            assert kept.decode() in text
            assert len(kept) > end - start - 7
    other = "训练在第三步失败了".encode("gb18030")
    assert whole_characters(other) == other
    assert whole_characters(b"") == b""
