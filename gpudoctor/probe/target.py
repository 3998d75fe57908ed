"""Which interpreter is examined, and why that one: it stands in the report, because half of all wrong diagnoses
are right diagnoses of the wrong environment."""

from __future__ import annotations

from collections.abc import Mapping

from gpudoctor.host.base import Host, HostError, exists
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.record import record

TOOL_FOLDERS = ("/pipx/venvs/", "/pipx/.cache/", "/uv/tools/", "/uv/archive-v", "/uv/environments-v")
TOOL_RECEIPTS = ("uv-receipt.toml", "pipx_metadata.json")
ACTIVE = (("VIRTUAL_ENV", "the active virtual environment"), ("CONDA_PREFIX", "the active conda environment"))


@record
class Choice:
    """An interpreter's path, empty when none was found, and the reason in words. `given`: somebody asked for it."""

    interpreter: str
    reason: str
    given: bool = False


def choose(host: Host, python: str = "") -> Choice:
    """The interpreter to examine. `python` is what the user gave: a path, a name on PATH or an environment's folder.

    Raises ExaminationError when that is no program.
    """
    env = _environment(host)
    if python:
        return Choice(_given(host, env, python), "given with --python", given=True)
    skipped = ""
    for variable, meaning in ACTIVE:
        prefix = env.get(variable, "")
        if not prefix:
            continue
        found = _program_in(host, prefix)
        if found:
            return Choice(found, f"{meaning} (${variable}){skipped}")
        skipped += f"; ${variable} is set to {prefix}, which holds no Python"
    own, prefix = _own(host)
    if own and not _is_tool_environment(host, prefix):
        return Choice(own, f"the environment gpudoctor runs in{skipped}")
    apart = "; gpudoctor itself is installed apart" if own else ""
    for name in ("python3", "python"):
        found = _on_path(host, env, name)
        if found:
            return Choice(found, f"{name} on PATH{apart}{skipped}")
    if own:
        return Choice(own, f"the environment gpudoctor runs in, for want of any other Python on PATH{skipped}")
    return Choice("", f"no Python was found{skipped}")


def _environment(host: Host) -> Mapping[str, str]:
    try:
        return host.env()
    except HostError:
        return {}


def _own(host: Host) -> tuple[str, str]:
    try:
        identity = host.identity()
    except HostError:
        return "", ""
    return str(identity.get("executable") or ""), str(identity.get("prefix") or "")


def _given(host: Host, env: Mapping[str, str], python: str) -> str:
    if "/" not in python and not exists(host, python):
        found = _on_path(host, env, python)
        if found:
            return found
        raise ExaminationError(f"There is no program called {python} on PATH. Give the path of a Python interpreter.")
    if python.startswith("~/") and env.get("HOME"):
        python = env["HOME"] + python[1:]
    try:
        info = host.stat(python)
    except HostError as error:
        raise ExaminationError(f"The interpreter {python} cannot be used: {error.detail}") from error
    if info.kind == "directory":
        found = _program_in(host, python)
        if found:
            return found
        raise ExaminationError(f"{python} is a directory without bin/python. Give the path of a Python interpreter.")
    if info.kind != "file" or not info.mode & 0o111:
        raise ExaminationError(f"{python} is not a program that can be run. Give the path of a Python interpreter.")
    return python if python.startswith("/") else f"./{python}"


def _is_program(host: Host, path: str) -> bool:
    try:
        info = host.stat(path)
    except HostError:
        return False
    return info.kind == "file" and bool(info.mode & 0o111)


def _program_in(host: Host, prefix: str) -> str:
    for name in ("python", "python3"):
        path = f"{prefix.rstrip('/')}/bin/{name}"
        if _is_program(host, path):
            return path  # links are left alone: behind one lies an interpreter that knows nothing of the environment
    return ""


def _on_path(host: Host, env: Mapping[str, str], name: str) -> str:
    for folder in env.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":"):
        path = f"{folder.rstrip('/')}/{name}" if folder else f"./{name}"
        if _is_program(host, path):
            return path
    return ""


def _is_tool_environment(host: Host, prefix: str) -> bool:
    if any(folder in f"{prefix}/" for folder in TOOL_FOLDERS):
        return True
    return any(exists(host, f"{prefix}/{name}") for name in TOOL_RECEIPTS)
