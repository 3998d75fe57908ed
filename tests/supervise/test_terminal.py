"""On a terminal: the command has one too, of the same size; keys, stops and colours go through."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

from command import COMMAND, environment

pytestmark = pytest.mark.slow

SIZE = (33, 99)
SETTLED_SECONDS = 1.0


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self) -> None:
        self.said = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            # A suite that runs in the background hands these down as ignored, and what is ignored stays ignored.
            for number in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            env = environment({"PS1": "$ ", "TERM": "xterm", "PYTHONFAULTHANDLER": None})
            os.execvpe("bash", ["bash", "--norc", "--noediting", "-i"], env)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))

    def type(self, text: str, until: str) -> str:
        """Type, and wait until something is said; gives what was said."""
        # What is typed ahead goes to the program that is about to end, as with every terminal in a terminal.
        time.sleep(SETTLED_SECONDS)
        os.write(self.terminal, text.encode())
        before, limit = len(self.said), time.monotonic() + 40
        while until.encode() not in self.said[before:]:
            assert time.monotonic() < limit, (until, self.said[before:].decode())
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.said += os.read(self.terminal, 65536)
        return self.said[before:].decode()

    def close(self) -> None:
        os.close(self.terminal)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def run(line: str) -> str:
    return f"{COMMAND} run --no-report -- {line}\n"


def test_a_terminal_is_a_terminal() -> None:
    shell = Shell()
    try:
        said = shell.type(
            run('sh -c \'stty size; test -t 0 && test -t 1 && test -t 2 && echo a""ll; echo d""one\''), "done"
        )
        assert "33 99" in said
        assert "all" in said.split()
        shell.type(run("sh -c 'read x; echo got-$x'"), "\n")
        assert "got-hello" in shell.type("hello\n", "got-hello")
        fcntl.ioctl(shell.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 111, 0, 0))
        assert "44 111" in shell.type(run("sh -c 'stty size; echo d\"\"one'"), "done")
    finally:
        shell.close()


def test_it_stops_goes_on_and_is_interrupted_like_any_job() -> None:
    shell = Shell()
    try:
        shell.type(run("sh -c 'echo be\"\"gun; sleep 60; echo x'"), "begun")
        shell.type("\x1a", "Stopped")
        assert "icanon" in shell.type('stty -a; echo d""one\n', "done")
        shell.type("fg\n", "gpudoctor run")
        time.sleep(0.5)
        os.write(shell.terminal, b"\x03")
        said = shell.type("echo code-$?\n", "code-130")
        assert "gpudoctor: the command" not in said  # whoever pressed the keys needs no explanation
    finally:
        shell.close()


def test_a_job_that_was_started_in_the_background_gets_the_keys_in_the_foreground() -> None:
    shell = Shell()
    try:
        shell.type(f"{COMMAND} run --no-report -- sh -c 'read x; echo got-$x; exit 4' &\n", "]")
        assert "Running" in shell.type("jobs\n", "Running")
        shell.type("fg\n", "gpudoctor run")
        assert "got-hello" in shell.type("hello\n", "got-hello")
        shell.type("echo code-$?\n", "code-4")
        # Stopped, continued in the background, and only then brought back.
        shell.type(run("sh -c 'echo be\"\"gun; read x; echo got-$x'"), "begun")
        shell.type("\x1a", "Stopped")
        shell.type("bg\n", "]+")
        shell.type("fg\n", "gpudoctor run")
        assert "got-again" in shell.type("again\n", "got-again")
        assert " icanon" in shell.type('stty -a; echo d""one\n', "done")
    finally:
        shell.close()


def test_the_limits_that_a_command_set_itself_are_known(tmp_path: Path) -> None:
    shell = Shell()
    try:
        shell.type(f"cd {tmp_path}\n", "$")
        shell.type(run("bash -c 'ulimit -f 1; exec head -c 99999 /dev/zero >big'"), "[limits.file_size, likely]")
    finally:
        shell.close()


# The keeper's first words are read so late that the command has ended by then.
LATE = """\
import os, sys, time
read, us = os.read, os.getpid()
def late(place, most):
    if most <= 32 and os.getpid() == us:
        time.sleep(0.5)
        os.read = read
    return read(place, most)
os.read = late
sys.argv = ["gpudoctor", "run", "--no-report", "--", "sh", "-c", "exit 3"]
from gpudoctor.cli.entry import main
main()
"""


def test_the_status_of_a_command_that_ends_before_we_know_its_number(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(LATE)
    shell = Shell()
    try:
        shell.type(f"{sys.executable} {tmp_path}/late.py; echo co''de-$?\n", "code-3")
    finally:
        shell.close()


def test_an_output_alone_on_a_terminal_is_unchanged() -> None:
    shell = Shell()
    try:
        said = shell.type(run('sh -c \'test -t 1 && echo te""rm; stty size <&1; echo d""one\' </dev/null'), "done")
        assert "term\r\n" in said
        assert "33 99\r\n" in said
        piped = shell.type(
            run('sh -c \'test -t 1 || echo pi""ped; test -t 2 && echo still >&2\' | cat; echo d""one'), "done"
        )
        assert "piped\r\n" in piped
        assert "still\r\n" in piped
    finally:
        shell.close()


def test_a_program_that_draws_is_drawn_the_same() -> None:
    draw = (
        "import sys; sys.stdout.write('\\033[2J\\033[H\\033[31mred\\033[0m \\u2588\\u2588'); print('\\nfi' + 'nished')"
    )
    shell = Shell()
    try:
        plain = shell.type(f'PYTHONUTF8=1 {sys.executable} -c "{draw}"\n', "finished\r\n")
        ours = shell.type(f'PYTHONUTF8=1 {COMMAND} run --no-report -- {sys.executable} -c "{draw}"\n', "finished\r\n")
        assert "\033[31mred" in ours
        assert plain[plain.index("\033[2J") :] == ours[ours.index("\033[2J") :]
    finally:
        shell.close()
