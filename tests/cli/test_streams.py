"""Closed and full outputs, readers that go away, terminals with and without colour, narrow ones, ASCII locales."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import subprocess
from pathlib import Path

import pytest

from commands import document_of_failure, recorded, surroundings

SICK, HEALTHY = recorded("gpu-with-cpu-wheel"), recorded("h100x2-driver580-cu130")
ESCAPE = "\x1b["


def shell(command: list[str], line: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which $GD is our command."""
    given = surroundings({"GD": " ".join(map(shlex.quote, command)), **env})
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=given, cwd=folder, timeout=120)


def on_a_terminal(command: list[str], *arguments: str, **env: str) -> str:
    """What the command writes when standard output is a terminal."""
    mine, theirs = pty.openpty()
    child = subprocess.Popen(
        [*command, *arguments], stdout=theirs, stderr=subprocess.DEVNULL, stdin=theirs, env=surroundings(env)
    )
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while select.select([mine], [], [], 120)[0]:
            piece = os.read(mine, 65536)
            if not piece:
                break
            written += piece
    os.close(mine)
    child.wait(timeout=60)
    return written.decode()


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_closed_standard_output_changes_no_verdict(command, tmp_path: Path, options: str) -> None:
    ended = shell(command, f"$GD check {options} --from {SICK} >&-", tmp_path)
    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [f"check --from {SICK}", "rules list", "explain-exit 137", "facts --from " + SICK]
)
def test_a_reader_that_has_seen_enough(command, tmp_path: Path, arguments: str) -> None:
    ended = shell(command, f"$GD {arguments} | head -1; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert len(ended.stdout.splitlines()) == 2
    assert ended.stdout.splitlines()[1] in ("0", "1")
    assert ended.stderr == ""


def test_a_full_disk_is_told(command, tmp_path: Path) -> None:
    ended = shell(command, f"$GD check --from {SICK} > /dev/full", tmp_path)
    assert (ended.returncode, "No space left" in ended.stderr) == (2, True)
    assert "Traceback" not in ended.stderr


def test_colour_on_a_terminal(command) -> None:
    assert ESCAPE in on_a_terminal(command, "check", "--from", SICK)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_it_is_not_wanted(command, env: dict[str, str]) -> None:
    assert ESCAPE not in on_a_terminal(command, "check", "--from", SICK, **env)
    assert ESCAPE not in on_a_terminal(command, "explain", "SIGBUS", **env)


def test_no_colour_by_option(command) -> None:
    assert ESCAPE not in on_a_terminal(command, "check", "--no-color", "--from", SICK)


def test_no_colour_in_a_pipe(run) -> None:
    assert ESCAPE not in run("check", "--from", SICK).out


@pytest.mark.parametrize("arguments", [("check", "--from", SICK), ("explain-exit", "139"), ("explain", "SIGBUS")])
def test_an_ascii_locale_gets_ascii(run, arguments: tuple[str, ...]) -> None:
    env = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run(*arguments, env=env)
    assert ended.out.isascii()
    assert ended.code in (0, 1)
    assert ended.err == ""


@pytest.mark.parametrize("width", [40, 80])
def test_lines_keep_to_the_width(run, width: int) -> None:
    """Commands and addresses stay whole, since broken ones cannot be copied; all other lines keep to the width."""
    text = run("check", "--from", SICK, env={"COLUMNS": str(width)}).out
    prose = [
        line for line in text.splitlines() if not re.match(r"\s*(https?:|pip |python |conda |docker |gpudoctor )", line)
    ]
    assert [line for line in prose if len(line) > width] == []


def test_errors_are_documents_also_on_a_bad_command_line(run) -> None:
    assert "No such command" in document_of_failure(run("chek", "--json"), "usage", 2)
    assert "check" in run("chek").err
