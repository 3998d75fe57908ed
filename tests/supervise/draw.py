"""A program that fills a terminal: its size, a frame, colours, the keys that it got, and the answer of the terminal."""

from __future__ import annotations

import curses
import os
import signal
import termios
import tty

STYLES = ("A_BOLD", "A_UNDERLINE", "A_REVERSE", "A_NORMAL")


def draw(screen: curses.window, keys: list[str]) -> None:
    rows, columns = screen.getmaxyx()
    screen.erase()
    screen.border()
    screen.addstr(1, 2, f"size {columns}x{rows}", curses.A_BOLD)
    for colour in range(1, 8):
        screen.addstr(3, 2 + 6 * colour, "████", curses.color_pair(colour))
    for number, style in enumerate(STYLES):
        screen.addstr(5 + number, 2, f"{style} ünïcode ▁▂▃▄▅▆▇", getattr(curses, style) | curses.color_pair(number + 1))
    screen.addstr(10, 2, f"keys {' '.join(keys)}")
    screen.addstr(rows - 2, 2, f"drawn after {len(keys)} keys")
    screen.refresh()


def main(screen: curses.window) -> None:
    keys: list[str] = []
    signal.signal(signal.SIGINT, lambda *_: keys.append("interrupted"))
    curses.use_default_colors()
    for colour in range(1, 8):
        curses.init_pair(colour, colour, -1)
    screen.timeout(100)
    while "q" not in keys:
        draw(screen, keys)
        try:
            key = screen.get_wch()
        except curses.error:  # nothing was typed
            continue
        if key == curses.KEY_RESIZE:
            curses.update_lines_cols()
        elif isinstance(key, int):
            keys.append(curses.keyname(key).decode())
        else:
            keys.append(key if key.isprintable() else f"{ord(key):#x}")


def ask() -> str:
    """Where the cursor is, as only the terminal itself can tell."""
    before = termios.tcgetattr(0)
    try:
        tty.setcbreak(0)
        os.write(1, b"\033[6n")
        answer = b""
        while not answer.endswith(b"R"):
            answer += os.read(0, 1)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)
    return answer[1:].decode()


if __name__ == "__main__":
    curses.wrapper(main)
    print("\033[2J\033[3;5H", end="", flush=True)
    print("the cursor was at", ask(), "of", *os.get_terminal_size(), flush=True)
