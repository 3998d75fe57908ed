"""A real Ray in a network and a process space of its own, which end with it and take everything along."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from command import environment
from crashes import SOURCES, Crash, lacking, needed

JOBS = str(SOURCES.parent / "schedulers" / "ray_jobs.py")
LONGEST = 240.0
# What Ray reads; it stays on loopback, asks nobody and writes nothing outside its folder.
QUIET = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
HEAD_FIRST = """\
{ray} start --head --num-cpus=1 --num-gpus=0 --include-dashboard=false --object-store-memory=100000000 >head.log 2>&1
export RAY_ADDRESS=127.0.0.1:6379
"""
EACH_JOB = """\
printf '%s\\n' {jobs} | xargs -P {at_a_time} -I JOB sh -c '{python} {script} JOB >JOB.log 2>&1; echo $? >JOB.status'
"""


@dataclass(frozen=True)
class RayJob:
    """How a job on Ray ended, and what its workers wrote into the session's folder."""

    died: Crash
    session: Path

    def of_workers(self, suffix: str) -> list[Path]:
        """The files of this job's workers: `err`, `out` or `log`."""
        pids = set(re.findall(r"\bpid=(\d+)", self.died.text))
        return [path for pid in sorted(pids) for path in sorted(self.session.glob(f"*worker-*[-_]{pid}.{suffix}"))]


def require_ray() -> None:
    """Go on only where this interpreter has Ray; skips (or fails) without it."""
    if importlib.util.find_spec("ray") is None:
        if sys.version_info[:2] == (3, 11):
            lacking("ray is not installed in this environment")
        pytest.skip("Ray is only installed for Python 3.11")
    if os.geteuid() != 0:
        lacking("this rig needs root")


def settings(session: Path) -> dict[str, str | None]:
    """The environment of a job that starts its own Ray, or of the Ray that others share."""
    return {**QUIET, "RAY_ADDRESS": None, "RAY_TMPDIR": str(session)}


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder for a session of Ray: sockets lie below it, and their paths may not be long."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        yield Path(folder)


def alone(line: str = "") -> list[str]:
    """What is put before a command so that it runs with nobody else: whatever it leaves behind ends with it."""
    unshare, _ip = needed("unshare", "ip")
    spaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [unshare, *spaces, "sh", "-c", f"ip link set lo up; {line or chr(34) + '$@' + chr(34)}; exit $?", "sh"]


class Runs:
    """Jobs on a Ray of their own, started at once and collected later."""

    def __init__(
        self, folder: Path, jobs: Sequence[str], *, shared: bool, more: Mapping[str, str] | None = None
    ) -> None:
        self._folder, self._jobs = folder, jobs
        words = {"python": shlex.quote(sys.executable), "script": shlex.quote(JOBS), "jobs": " ".join(jobs)}
        script = HEAD_FIRST.format(ray=shlex.quote(str(Path(sys.executable).with_name("ray")))) if shared else ""
        script += EACH_JOB.format(at_a_time=3 if shared else 1, **words)
        (folder / "run.sh").write_text(script, encoding="utf-8")
        self._output = (folder / "run.log").open("wb")
        self._process = subprocess.Popen(
            alone("sh -eu run.sh"),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=environment({**settings(folder), **(more or {})}),
        )

    def ended(self) -> dict[str, RayJob]:
        """Every job by its name, when all have ended."""
        assert self._process.wait(LONGEST) == 0, (self._folder / "run.log").read_text()
        session = self._folder / "ray" / "session_latest" / "logs"
        found = {}
        for job in self._jobs:
            status = int((self._folder / f"{job}.status").read_text())
            found[job] = RayJob(Crash(status, self._folder / f"{job}.log"), session.resolve())
        return found

    def close(self) -> None:
        """End what still runs: with the first process of the space the kernel ends all others."""
        self._process.kill()
        self._process.wait()
        self._output.close()


def short_of_memory() -> dict[str, str]:
    """Settings with which Ray's monitor acts when a gibibyte more than now is in use."""
    memory = psutil.virtual_memory()
    share = (memory.total - memory.available + (1 << 30)) / memory.total
    return {"RAY_memory_usage_threshold": f"{min(share, 0.95):.4f}", "RAY_memory_monitor_refresh_ms": "100"}
