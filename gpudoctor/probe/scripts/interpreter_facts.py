"""What the running interpreter is: version, environment, search path, and the marks that tools leave on it.

Reads attributes and two small files only; `platform`, `sysconfig` and `site` functions that start programs or parse
large tables are avoided, because this runs before everything else and on every check.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def look() -> dict[str, Any]:
    """Everything about the interpreter, as plain data."""
    config = read_config(os.path.join(sys.prefix, "pyvenv.cfg"))
    in_venv = sys.prefix != getattr(sys, "base_prefix", sys.prefix)
    conda = os.path.isdir(os.path.join(sys.prefix, "conda-meta"))
    return {
        "version": ".".join(str(part) for part in sys.version_info[:3]) + prerelease(),
        "implementation": sys.implementation.name,
        "executable": sys.executable or "",
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "path": [str(entry) for entry in sys.path],
        "environment": kind_of(in_venv, conda, config),
        "environment_tool": tool_of(in_venv, conda, config),
        "system_site_packages": config.get("include-system-site-packages", "").lower() == "true",
        "externally_managed": not in_venv and externally_managed(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
        "user_site": user_site(),
        "safe_path": bool(getattr(sys.flags, "safe_path", False)),
        "isolated": bool(sys.flags.isolated),
        "markers": markers(),
    }


def prerelease() -> str:
    """`a3`, `b1`, `rc2`, or nothing for a release."""
    short = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info.releaselevel, "")
    return short + str(sys.version_info.serial) if short else ""


def read_config(path: str) -> dict[str, str]:
    """The keys of a pyvenv.cfg; empty when there is none."""
    found = {}
    try:
        with open(path, "rb") as file:
            for line in file.read(65536).decode("utf-8", "replace").splitlines():
                key, equals, value = line.partition("=")
                if equals:
                    found[key.strip().lower()] = value.strip()
    except OSError:
        pass
    return found


def kind_of(in_venv: bool, conda: bool, config: dict[str, str]) -> str:
    """One of `uv`, `venv`, `conda`, `system`."""
    if in_venv:
        return "uv" if "uv" in config else "venv"
    return "conda" if conda else "system"


def tool_of(in_venv: bool, conda: bool, config: dict[str, str]) -> str:
    """The tool that made the environment, as far as its marks tell."""
    if in_venv:
        for key in ("uv", "virtualenv"):
            if key in config:
                return key
        return "poetry" if "pypoetry" in sys.prefix else "venv"
    if conda:
        parts = sys.prefix.split(os.sep)
        return "pixi" if ".pixi" in parts else "conda"
    return ""


def externally_managed() -> bool:
    """Whether the distribution asks pip to keep its hands off (PEP 668)."""
    return os.path.exists(os.path.join(os.path.dirname(os.__file__), "EXTERNALLY-MANAGED"))


def user_site() -> dict[str, Any]:
    """The user site folder, whether it is in use, and whether it is there."""
    site = sys.modules.get("site")
    enabled = getattr(site, "ENABLE_USER_SITE", None)
    folder = getattr(site, "USER_SITE", None) or ""
    return {"enabled": bool(enabled), "path": str(folder), "on_path": bool(folder) and folder in sys.path}


def markers() -> dict[str, str]:
    """The environment that requirement markers are judged in, by the names that packaging metadata uses."""
    machine = os.uname()
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": ".".join(str(part) for part in sys.implementation.version[:3]),
        "os_name": os.name,
        "platform_machine": machine.machine,
        "platform_python_implementation": names.get(sys.implementation.name, sys.implementation.name),
        "platform_release": machine.release,
        "platform_system": machine.sysname,
        "platform_version": machine.version,
        "python_full_version": ".".join(str(part) for part in sys.version_info[:3]) + prerelease(),
        "python_version": ".".join(str(part) for part in sys.version_info[:2]),
        "sys_platform": sys.platform,
    }
