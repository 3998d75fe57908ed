"""Who and where we are: this process, its interpreter, its kernel and its limits, as plain data."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

LIMIT_PREFIX = "RLIMIT_"


def identity() -> dict[str, Any]:
    """The keys of `Host.identity`; a key whose answer cannot be found out is left out. Never raises."""
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
        **_libc(),
        **_cpus(),
        **_memory(),
        **_limits(),
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
