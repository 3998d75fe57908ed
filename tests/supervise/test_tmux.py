"""In a real terminal emulator: a program that draws, hears keys and is resized looks as it does without us."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command import COMMAND, environment
from crashes import lacking, needed

pytestmark = [pytest.mark.rig, pytest.mark.slow]

DRAW = (sys.executable, str(Path(__file__).with_name("draw.py")))
WATCHED = (str(COMMAND), "run", "--no-report", "--")
VARIABLES = ("env", "TERM=screen", "LC_ALL=C.UTF-8", "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1")
PATIENCE_SECONDS = 60.0


class Tmux:
    """A tmux server of its own; each session is a terminal of 80 columns and 20 rows."""

    def __init__(self, folder: str) -> None:
        self.env = environment({"TMUX": None, "TMUX_TMPDIR": folder, "LC_ALL": "C.UTF-8"})
        self.call = [*needed("tmux"), "-u", "-L", f"gpudoctor-{uuid.uuid4().hex}", "-f", "/dev/null"]

    def do(self, *words: str) -> str:
        done = subprocess.run(
            [*self.call, *words],
            check=True,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            env=self.env,
        )
        return done.stdout.decode()

    def open(self, name: str, *command: str) -> None:
        """Run it in a new terminal, which then shows how it ended and how it left the terminal."""
        # Ctrl-C is the program's; a shell that waits for it without a terminal's jobs would end of it as well.
        line = f'trap : INT; {shlex.join([*VARIABLES, *command])}; echo "ended with $?"; stty -a; exec sleep 600'
        self.do("new-session", "-d", "-s", name, "-x", "80", "-y", "20", "sh", "-c", line)

    def shown(self, name: str) -> str:
        """What is to be seen, with its colours, and where the cursor is."""
        cursor = self.do("display-message", "-p", "-t", name, "#{cursor_x},#{cursor_y} #{pane_width}x#{pane_height}")
        return self.do("capture-pane", "-p", "-e", "-t", name) + cursor

    def end(self) -> None:
        words = [*self.call, "kill-server"]
        subprocess.run(words, capture_output=True, timeout=PATIENCE_SECONDS, check=False, env=self.env)


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    if importlib.util.find_spec("_curses") is None:
        lacking("this Python has no curses")
    # The path of a socket must be short, and tmux leaves its socket behind.
    folder = tempfile.mkdtemp(prefix="tmux-")
    server = Tmux(folder)
    yield server
    server.end()
    shutil.rmtree(folder, ignore_errors=True)


def become_equal(tmux: Tmux, marker: str) -> str:
    """Wait until both terminals show the marker and are the same; gives what they show."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        bare, ours = tmux.shown("bare"), tmux.shown("ours")
        if marker in bare and bare == ours:
            return bare
        assert time.monotonic() < limit, f"{marker!r}, without us:\n{bare}\nwith us:\n{ours}"
        time.sleep(0.1)


def to_both(tmux: Tmux, *words: str) -> None:
    for name in ("bare", "ours"):
        tmux.do(words[0], "-t", name, *words[1:])


def test_a_program_that_draws_looks_the_same(tmux: Tmux) -> None:
    tmux.open("bare", *DRAW)
    tmux.open("ours", *WATCHED, *DRAW)
    screen = become_equal(tmux, "drawn after 0 keys")
    assert "size 80x20" in screen
    assert "\033[31m" in screen
    assert "████" in screen
    keys: list[tuple[tuple[str, ...], Callable[[str], bool]]] = [
        (("a",), lambda shown: "keys a" in shown),
        (("Up", "F5"), lambda shown: "KEY_UP KEY_F(5)" in shown),
        (("-l", "é"), lambda shown: "KEY_F(5) é" in shown),
        (("C-c",), lambda shown: "é interrupted" in shown),
    ]
    typed = 0
    for words, seen in keys:
        to_both(tmux, "send-keys", *words)
        typed += sum(word != "-l" for word in words)
        assert seen(become_equal(tmux, f"drawn after {typed} keys"))
    to_both(tmux, "resize-window", "-x", "100", "-y", "30")
    assert f"drawn after {typed} keys" in become_equal(tmux, "size 100x30")
    to_both(tmux, "resize-window", "-x", "60", "-y", "18")
    assert "KEY_UP" in become_equal(tmux, "size 60x18")
    to_both(tmux, "send-keys", "-l", "x" * 20)
    become_equal(tmux, f"drawn after {typed + 20} keys")
    to_both(tmux, "send-keys", "q")
    end = become_equal(tmux, "ended with 0")
    assert "the cursor was at [3;5R of 60 18" in end
