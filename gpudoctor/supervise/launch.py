"""Starting the command: at once, with the signals, streams and limits that it would have had without us.

On a terminal there is a process between us and the command: it leads the session of the command's own terminal, so
that the command can be stopped and continued there like any job of a shell. It does nothing but tell us how the
command fares.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource  # os.wait4() would load it when it is called, and there may be no descriptor left then
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from gpudoctor.supervise.counters import limits_of
from gpudoctor.supervise.libc import die_with_parent

# Python ignores these for itself, and what is ignored would stay so in the command.
IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")
NOT_EXECUTABLE, NOT_FOUND = 126, 127
SHELL = "/bin/sh"


class Started(NamedTuple):
    """What runs: the command's process id, and the pipe on which its keeper tells of it (-1: it is our own child)."""

    pid: int
    told_on: int = -1
    keeper: int = 0


class Streams(NamedTuple):
    """The descriptors that take the places 0, 1 and 2 in the command (-1: as they are), and its terminal (-1: none)."""

    places: tuple[int, int, int]
    terminal: int = -1


def start(command: Sequence[str], env: Mapping[str, str], streams: Streams, mask: set[signal.Signals]) -> Started:
    """Start it; OSError where no process can be made. Errors of the start itself are the command's own end."""
    if streams.terminal < 0:
        pid = os.fork()
        if pid == 0:
            _guarded(lambda: become(command, env, streams, mask))
        return Started(pid)
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        _guarded(lambda: _keep(command, env, streams, mask, writing))
    os.close(writing)
    told = b""
    # No more than the first line: a command that has ended already is told of in the next one.
    while not told.endswith(b"\n"):
        piece = os.read(reading, 1)
        if not piece:
            break
        told += piece
    return Started(int(told) if told.strip() else keeper, reading, keeper)


def _guarded(act: Callable[[], None]) -> NoReturn:
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - a child of ours must never return into our own loop
        _complain(f"{type(error).__name__}: {error}")
    finally:
        os._exit(NOT_EXECUTABLE)


def become(command: Sequence[str], env: Mapping[str, str], streams: Streams, mask: set[signal.Signals]) -> NoReturn:
    """Turn this process into the command."""
    die_with_parent()
    for place, descriptor in enumerate(streams.places):
        if descriptor >= 0:
            os.dup2(descriptor, place, inheritable=True)
    for name in IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    execute(command, env)


def execute(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """exec() as a shell does it: along PATH, a text without a first line for its interpreter by sh, 126 and 127."""
    name = command[0]
    refused: OSError | None = None
    refusing = ""
    folders = [""] if "/" in name else [folder or "." for folder in env.get("PATH", os.defpath).split(os.pathsep)]
    for path in (f"{folder}/{name}" if folder else name for folder in folders if name):
        try:
            os.execve(path, list(command), dict(env))
        except OSError as error:
            if error.errno == errno.ENOEXEC and _is_text(path):
                os.execve(SHELL, [SHELL, path, *command[1:]], dict(env))
            if refused is None and (error.errno not in (errno.ENOENT, errno.ENOTDIR) or os.path.lexists(path)):
                refused, refusing = error, path
    if refused is None or (refused.errno == errno.EACCES and not _anywhere(name, folders)):
        _complain(f"{name}: {'No such file or directory' if '/' in name else 'command not found'}")
        os._exit(NOT_FOUND)
    if refused.errno == errno.ENOENT:
        wanted = _interpreter_of(refusing)
        bad = f"{wanted}: bad interpreter: No such file or directory"
        _complain(f"{name}: {bad if wanted else 'cannot execute: required file not found'}")
        os._exit(NOT_FOUND)
    is_folder = refused.errno == errno.EACCES and os.path.isdir(refusing)
    _complain(f"{name}: {os.strerror(errno.EISDIR if is_folder else refused.errno or 0)}")
    os._exit(NOT_EXECUTABLE)


def _anywhere(name: str, folders: Sequence[str]) -> bool:
    return "/" in name or any(os.path.lexists(f"{folder}/{name}") for folder in folders)


def _beginning_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _is_text(path: str) -> bool:
    beginning = _beginning_of(path)
    return bool(beginning) and b"\0" not in beginning.split(b"\n", 1)[0]


def _interpreter_of(path: str) -> str:
    """What the first line of a script or the header of a program names; empty where that cannot be told."""
    beginning = _beginning_of(path)
    if beginning.startswith(b"#!"):
        words = beginning[2:].split(b"\n", 1)[0].strip(b" \t").split(b" ")
        return words[0].decode("utf-8", "backslashreplace").replace("\r", "^M")
    loader = re.search(rb"\0(/[\w./+-]{1,200}ld-?[\w.+-]{0,60}\.so[\w.]{0,20})\0", beginning)
    return loader[1].decode() if loader and beginning.startswith(b"\x7fELF") else ""


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"gpudoctor run: {text}\n".encode("utf-8", "surrogateescape"))


def _keep(
    command: Sequence[str], env: Mapping[str, str], streams: Streams, mask: set[signal.Signals], writing: int
) -> None:
    """The life of the process that leads the command's session: all signals are blocked, only the kernel ends it."""
    import fcntl
    import termios

    die_with_parent()
    os.setsid()
    fcntl.ioctl(streams.terminal, termios.TIOCSCTTY, 0)
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(streams.terminal, os.getpid())  # nobody is asked: the signal that would forbid it is blocked
        os.close(go)
        os.read(ready, 1)
        _guarded(lambda: become(command, env, streams, mask))
    os.close(ready)
    os.write(writing, f"{pid}\n".encode())
    os.close(go)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(streams.terminal)
    while True:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        for line in limits_of(pid):
            os.write(writing, f"{line}\n".encode())
        _, status, used = os.wait4(pid, os.WUNTRACED)
        os.write(writing, f"{status} {used.ru_maxrss} {used.ru_utime} {used.ru_stime}\n".encode())
        if not os.WIFSTOPPED(status):
            os._exit(0)


def lift_limits(*limits: int) -> None:
    """Limits (`RLIMIT_*`) that are the command's and would end us too; they are raised as far as they may be."""
    for limit in limits:
        hard = resource.getrlimit(limit)[1]
        for wanted in ((hard, hard), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(limit, wanted)


def end_like(status: int) -> NoReturn:
    """End as the command did: with its exit code, or of its signal, without a second core file.

    The first process of a container cannot die of a signal; there it is 128 + n, as every init does it.
    """
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    if os.WIFSIGNALED(status) and os.getpid() != 1:
        number = os.WTERMSIG(status)
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
            os.kill(os.getpid(), number)
        except (OSError, ValueError):
            pass
    os._exit(code)
