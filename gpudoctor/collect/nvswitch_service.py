"""NVIDIA's fabric manager, the service without which GPUs behind NVSwitches do not start (CUDA error 802).

Its version must be the driver's own. It runs on the host, so that in a container mostly nothing of it is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.collect.base import STAGE_CHILD, attempt
from gpudoctor.collect.parsing import read_line
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

STAGE = STAGE_CHILD
LIMIT_SECONDS = 5.0
PROGRAM = "/usr/bin/nv-fabricmanager"
PID_FILE = "/run/nvidia-fabricmanager/nv-fabricmanager.pid"
# A thread of the kernel that only the host's own processes see.
HOST_PROCESS = "/proc/2/comm"
FACTS: tuple[FactSpec, ...] = (
    FactSpec("fabric_manager.path", FactType.TEXT, "The fabric manager's program, where it is installed."),
    FactSpec("fabric_manager.version", FactType.VERSION, "Its version; it must be that of the driver."),
    FactSpec("fabric_manager.is_running", FactType.BOOLEAN, "Whether the process that its pid file names is alive."),
)
_SAID = re.compile(r"\b(\d{3}\.\d{1,3}(?:\.\d{1,3})?)\b")


def collect(host: Host) -> Iterable[Fact]:
    """Ask the program for its version where there is one, and look for its process."""
    yield Fact("fabric_manager.is_running", attempt(lambda: _is_running(host)))
    path = attempt(lambda: _program(host))
    yield Fact("fabric_manager.path", path)
    yield Fact("fabric_manager.version", path if isinstance(path, Unknown) else _version(host, path))


def _program(host: Host) -> str | Unknown:
    try:
        info = host.stat(PROGRAM)
    except HostError as error:
        if error.absent:
            return Unknown(Reason.NOT_INSTALLED, f"there is no {PROGRAM} here")
        raise
    executable = info.kind == "file" and info.mode & 0o111
    return PROGRAM if executable else Unknown(Reason.NOT_INSTALLED, f"{PROGRAM} is no program")


def _version(host: Host, path: str) -> Version | Unknown:
    try:
        end = host.run([path, "--version"], LIMIT_SECONDS)
    except HostError as error:
        end = ChildEnd(End.NOT_STARTED, error=error.detail)
    said = _SAID.search(f"{end.stdout}\n{end.stderr}")
    if said:
        return Version.parse(said[1])
    reason = {End.TIMED_OUT: Reason.TIMED_OUT, End.SIGNALLED: Reason.CRASHED}.get(end.end, Reason.NO_DATA)
    return Unknown(reason, f"{path} --version did not tell: {end.end.value}")


def _is_running(host: Host) -> bool | Unknown:
    try:
        pid = read_line(host, PID_FILE)
    except HostError as error:
        if error.absent:
            return Unknown(Reason.NO_DATA, f"there is no {PID_FILE}; in a container the host's is not seen")
        raise
    if not (pid.isascii() and pid.isdigit() and len(pid) < 10):
        raise ValueError(f"{PID_FILE} holds no process id: {pid[:40]!r}")
    try:
        return read_line(host, f"/proc/{pid}/comm").startswith("nv-fabricmanage")
    except HostError as error:
        if error.absent and _sees_the_host(host):
            return False
        return Unknown(Reason.NO_DATA, f"process {pid} of {PID_FILE} is not seen from here")


def _sees_the_host(host: Host) -> bool:
    try:
        return read_line(host, HOST_PROCESS) == "kthreadd"
    except HostError:
        return False
