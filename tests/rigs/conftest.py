"""The programs that crash on command, and control groups to crash them in."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from crashes import SOURCES, lacking, needed

CGROUP = Path("/sys/fs/cgroup/memory")


@pytest.fixture(scope="session")
def crash(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that dies in the way its argument names; linked statically, so that it runs in an empty container."""
    return build(tmp_path_factory, "gcc", "crash.c", "-fstack-protector-all")


@pytest.fixture(scope="session")
def terminate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program from which a C++ exception escapes."""
    return build(tmp_path_factory, "g++", "terminate.cc")


def build(folders: pytest.TempPathFactory, compiler: str, source: str, *flags: str) -> str:
    target = folders.mktemp("programs") / Path(source).stem
    command = [*needed(compiler), "-O0", "-w", "-static", *flags, "-o", str(target), str(SOURCES / source)]
    subprocess.run(command, check=True, timeout=120)
    return str(target)


@dataclass(frozen=True)
class MemoryGroup:
    """A control group (v1) with a limit of memory."""

    folder: Path

    def enter(self) -> None:
        """Move the calling process in; meant to run between fork and exec."""
        with (self.folder / "cgroup.procs").open("w") as file:
            file.write(str(os.getpid()))

    def limit(self, mebibytes: int) -> None:
        (self.folder / "memory.limit_in_bytes").write_text(str(mebibytes << 20))

    def counters(self, into: Path) -> Path:
        """A copy of memory.oom_control, as somebody sends it."""
        copy = into / "memory.oom_control"
        copy.write_text((self.folder / "memory.oom_control").read_text())
        return copy


@pytest.fixture
def memory_group() -> Iterator[MemoryGroup]:
    """A group of 64 MiB. Skips (or fails) where no control group of version 1 can be made."""
    group = MemoryGroup(CGROUP / f"gpudoctor-test-{os.getpid()}")
    folder = group.folder
    try:
        folder.mkdir()
        group.limit(64)
    except OSError as error:
        lacking(f"no control group of version 1 can be made: {error}")
    yield group
    limit = time.monotonic() + 10
    while folder.exists() and time.monotonic() < limit:
        for line in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(line), 9)
        with suppress(OSError):
            folder.rmdir()
        time.sleep(0.02)
