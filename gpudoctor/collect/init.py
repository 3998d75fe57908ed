"""Process 1 of the container: when it is the training program itself, nobody reaps orphans and signals act oddly."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, printable, read_line
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("init.name", FactType.TEXT, "The name of process 1, as in `tini` or `python3`."),
    FactSpec("init.command", FactType.TEXT, "The command line of process 1.", private=True),
    FactSpec("init.reaps_children", FactType.BOOLEAN, "Whether process 1 is known to reap orphaned processes."),
    FactSpec("init.is_this_process", FactType.BOOLEAN, "Whether we are process 1 ourselves."),
)
_REAPERS = frozenset(
    "systemd init tini tini-static docker-init dumb-init catatonit s6-svscan s6-linux-init runit runsvdir supervisord "
    "my_init pause podman-init containerd-shim procd openrc-init sinit launchd bash busybox enroot_init appinit "
    "conmon".split()
)
# Programs that wait for the children they started, if at all, and never for adopted ones.
_PROGRAMS = frozenset("python node java sleep tail cat torchrun deepspeed accelerate ray jupyter uvicorn sshd".split())


def reaps(name: str) -> bool | None:
    """Whether a program of this name reaps adopted children when it is process 1; None when that is not known."""
    if name in _REAPERS:
        return True
    base = name.rstrip("0123456789.").partition("-")[0]
    return False if base in _PROGRAMS or name in _PROGRAMS else None


def parse_command(data: bytes) -> str:
    """A /proc/PID/cmdline file as one line. ValueError when it is empty (kernel thread or zombie)."""
    words = [word.decode("utf-8", "surrogateescape") for word in data.rstrip(b"\0").split(b"\0")]
    line = printable(" ".join(words).strip())
    if not line:
        raise ValueError("the command line is empty")
    return line


def collect(host: Host) -> Iterable[Fact]:
    """The init.* facts."""
    name = attempt(lambda: read_line(host, "/proc/1/comm"))
    command = attempt(lambda: parse_command(host.read_bytes("/proc/1/cmdline", 4000)))
    yield Fact("init.name", name)
    yield Fact("init.command", command)
    yield fact("init.reaps_children", lambda: _reaping(name, command))
    pid = host.identity().get("pid")
    yield Fact("init.is_this_process", pid == 1 if isinstance(pid, int) else Unknown(Reason.NO_DATA, "pid not told"))


def _reaping(name: str | Unknown, command: str | Unknown) -> bool | Unknown:
    if isinstance(name, Unknown):
        return name
    answer = reaps(name)
    if answer is None and isinstance(command, str):
        answer = reaps(posixpath.basename(command.split(" ")[0]))
    return Unknown(Reason.NO_DATA, f"whether {name} reaps is not known") if answer is None else answer
