"""Who and where we are: this process, its interpreter, its kernel and its limits, as plain data."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

LIMIT_PREFIX = "RLIMIT_"


class Identity(Mapping[str, Any]):
    """The keys of `Host.identity`, each group looked up when one of its keys is asked for first.

    A key whose answer cannot be found out is left out. Never raises: psutil is loaded for the memory alone.
    """

    GROUPS: tuple[tuple[tuple[str, ...], str], ...] = (
        (("memory_total_bytes", "memory_available_bytes"), "_memory"),
        (("soft_limits", "hard_limits"), "_limits"),
        (("libc",), "_libc"),
    )

    def __init__(self) -> None:
        self._told = _plain()
        self._waiting = {key: name for keys, name in self.GROUPS for key in keys}

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - plain data of several shapes, as the protocol says
        if key in self._waiting:
            self._look(self._waiting[key])
        return self._told[key]

    def __iter__(self) -> Iterator[str]:
        for name in sorted(set(self._waiting.values())):
            self._look(name)
        return iter(self._told)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _look(self, name: str) -> None:
        self._told.update({"_memory": _memory, "_limits": _limits, "_libc": _libc}[name]())
        self._waiting = {key: other for key, other in self._waiting.items() if other != name}


def _plain() -> dict[str, Any]:
    kernel = os.uname()
    told: dict[str, Any] = {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "pid": os.getpid(),
        "hostname": kernel.nodename,
        "executable": sys.executable or "",
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "python_version": ".".join(str(part) for part in sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "byteorder": sys.byteorder,
        "kernel_name": kernel.sysname,
        "kernel_release": kernel.release,
        "kernel_version": kernel.version,
        "machine": kernel.machine,
        **_cpus(),
    }
    with contextlib.suppress(OSError):  # the directory we stand in may have been removed
        told["cwd"] = os.getcwd()
    with contextlib.suppress(ImportError, KeyError, OSError):  # a container's user often has no passwd entry
        import pwd

        told["user"] = pwd.getpwuid(os.getuid()).pw_name
    return told


def _libc() -> dict[str, Any]:
    with contextlib.suppress(ValueError, OSError, AttributeError):
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if version:
            return {"libc": [name, version]}
    with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        if any("/ld-musl-" in line for line in maps):
            return {"libc": ["musl", ""]}
    return {}


def _cpus() -> dict[str, Any]:
    told: dict[str, Any] = {}
    count = os.cpu_count()
    if count:
        told["cpu_count"] = count
    with contextlib.suppress(OSError, AttributeError):
        told["cpus_allowed"] = len(os.sched_getaffinity(0))
    return told


def _memory() -> dict[str, Any]:
    try:
        import psutil

        memory = psutil.virtual_memory()
        return {"memory_total_bytes": memory.total, "memory_available_bytes": memory.available}
    except Exception:  # noqa: BLE001 - native code of another project on a /proc that a container may have cut down
        return _meminfo()


def _meminfo() -> dict[str, Any]:
    keys = {"MemTotal:": "memory_total_bytes", "MemAvailable:": "memory_available_bytes"}
    told: dict[str, Any] = {}
    with contextlib.suppress(OSError), open("/proc/meminfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, *rest = line.split()
            if name in keys and rest and rest[0].isdigit():
                told[keys[name]] = int(rest[0]) * 1024
    return told


def _limits() -> dict[str, Any]:
    soft: dict[str, int] = {}
    hard: dict[str, int] = {}
    with contextlib.suppress(ImportError):
        import resource

        for constant in sorted(dir(resource)):
            if constant.startswith(LIMIT_PREFIX):
                name = constant[len(LIMIT_PREFIX) :].lower()
                with contextlib.suppress(OSError, ValueError):
                    soft[name], hard[name] = resource.getrlimit(getattr(resource, constant))
    # `ofile` is the BSD name of `nofile`.
    soft.pop("ofile", None)
    hard.pop("ofile", None)
    return {"soft_limits": soft, "hard_limits": hard}
