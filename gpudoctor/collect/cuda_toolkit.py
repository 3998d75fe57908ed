"""CUDA toolkits on this system: CUDA_HOME, PATH and /usr/local may each name another one than torch was built with."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable
from functools import partial

from gpudoctor.collect.base import STAGE_CHILD, attempt
from gpudoctor.collect.parsing import NOT_SET, names_in, present, printable, read_clean
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import End
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

STAGE = STAGE_CHILD
FACTS = (
    FactSpec("cuda_toolkit.home", FactType.TEXT, "The toolkit that builds use: CUDA_HOME, nvcc's or /usr/local/cuda."),
    FactSpec("cuda_toolkit.home_exists", FactType.BOOLEAN, "Whether the folder that CUDA_HOME names exists."),
    FactSpec("cuda_toolkit.version", FactType.VERSION, "The version of that toolkit, by its own files."),
    FactSpec("cuda_toolkit.paths", FactType.TEXT_LIST, "Toolkits found: CUDA_HOME, CUDA_PATH and /usr/local/cuda*."),
    FactSpec("cuda_toolkit.versions", FactType.VERSION_LIST, "Their versions, parallel to the paths."),
    FactSpec("cuda_toolkit.nvcc_path", FactType.TEXT, "The nvcc that PATH, else the toolkit, gives."),
    FactSpec("cuda_toolkit.nvcc_version", FactType.VERSION, "What that nvcc says it is."),
    FactSpec("cuda_toolkit.compat_paths", FactType.TEXT_LIST, "Folders with forward-compatibility driver libraries."),
    FactSpec("cuda_toolkit.compat_versions", FactType.VERSION_LIST, "The driver version of each."),
    FactSpec("cuda_toolkit.compat_in_library_path", FactType.BOOLEAN, "Whether LD_LIBRARY_PATH leads into one."),
)
_NVCC_LIMIT_SECONDS = 5.0
_MAXIMUM_PATH_ENTRIES = 600
_NOT_THERE = Unknown(Reason.NOT_INSTALLED, "no CUDA toolkit was found")
_RELEASE = re.compile(r"\brelease (\d{1,3}\.\d{1,3})(?:, V(\d{1,3}(?:\.\d{1,5}){1,3}))?")


def parse_nvcc(text: str) -> Version:
    """The version that `nvcc --version` prints. ValueError when it prints none."""
    match = _RELEASE.search(text)
    if match is None:
        raise ValueError(f"nvcc does not tell its release: {printable(text.strip(), 200)!r}")
    return Version.parse(match[2] or match[1])


def parse_version_json(text: str) -> Version:
    """The toolkit's version in its version.json. ValueError when it tells none."""
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("version.json is nested too deeply") from None
    entry = content.get("cuda") if isinstance(content, dict) else None
    version = entry.get("version") if isinstance(entry, dict) else None
    if not isinstance(version, str):
        raise ValueError("version.json does not tell the version of CUDA")
    return Version.parse(version)


def parse_version_txt(text: str) -> Version:
    """The version in the version.txt of toolkits before 11.1. ValueError when it tells none."""
    match = re.search(r"CUDA Version (\d{1,3}(?:\.\d{1,5}){1,3})", text)
    if match is None:
        raise ValueError("version.txt does not tell the version of CUDA")
    return Version.parse(match[1])


def _toolkit_version(host: Host, folder: str) -> Version:
    try:
        return parse_version_json(read_clean(host, f"{folder}/version.json"))
    except HostError:
        pass
    try:
        return parse_version_txt(read_clean(host, f"{folder}/version.txt", 4096))
    except HostError:
        # Distribution packages ship neither; the header has the version as 1000 * major + 10 * minor.
        match = re.search(r"#define CUDA_VERSION (\d{4,6})\b", read_clean(host, f"{folder}/include/cuda.h"))
    if match is None:
        raise ValueError(f"nothing in {folder} tells its version")
    return Version.parse(f"{int(match[1]) // 1000}.{int(match[1]) % 1000 // 10}")


def _toolkits(host: Host) -> list[str]:
    env = host.env()
    named = [posixpath.normpath(env[name]) for name in ("CUDA_HOME", "CUDA_PATH") if env.get(name, "").startswith("/")]
    local = [f"/usr/local/{name}" for name in names_in(host, "/usr/local") if re.fullmatch(r"cuda(?:-[\d.]+)?", name)]
    return [path for path in dict.fromkeys([*named, *local]) if _is_folder(host, path)][:30]


def _is_folder(host: Host, path: str) -> bool:
    try:
        return host.stat(path).kind == "directory"
    except HostError:
        return False


def _nvcc(host: Host) -> str | None:
    env = host.env()
    folders = [entry for entry in env.get("PATH", "").split(":")[:_MAXIMUM_PATH_ENTRIES] if entry.startswith("/")]
    folders += [f"{path}/bin" for path in (env.get("CUDA_HOME"), env.get("CUDA_PATH"), "/usr/local/cuda") if path]
    for folder in folders:
        path = posixpath.join(folder, "nvcc")
        try:
            info = host.stat(path)
        except HostError:
            continue
        if info.kind == "file" and info.mode & 0o111:
            return path
    return None


def _ask_nvcc(host: Host, path: str) -> Version | Unknown:
    end = host.run([path, "--version"], _NVCC_LIMIT_SECONDS)
    if end.end is End.TIMED_OUT:
        return Unknown(Reason.TIMED_OUT, f"{path} --version took longer than {_NVCC_LIMIT_SECONDS:g} s")
    if end.end is End.SIGNALLED:
        return Unknown(Reason.CRASHED, f"{path} --version ended by {end.signal}")
    if not end.ok:
        words = printable((end.stderr or end.error or end.stdout).strip(), 300)
        return Unknown(Reason.NO_DATA, f"{path} --version ended with {end.status}: {words}")
    return parse_nvcc(end.stdout)


def _compat_version(host: Host, folder: str) -> Version:
    found = [re.fullmatch(r"libcuda\.so\.(\d{3,4}(?:\.\d{1,4}){1,3})", name) for name in host.list_dir(folder)]
    text = next((match[1] for match in found if match is not None), "")
    if not text:
        raise ValueError(f"{folder} holds no libcuda.so with a version")
    return Version.parse(text)


def _compat(host: Host, toolkits: Iterable[str]) -> Iterable[Fact]:
    # /usr/local/cuda is mostly a link to one of the others.
    folders = [attempt(partial(host.real_path, f"{path}/compat")) for path in toolkits]
    paths = list(dict.fromkeys(folder for folder in folders if isinstance(folder, str)))
    yield Fact("cuda_toolkit.compat_paths", tuple(printable(path) for path in paths))
    yield Fact("cuda_toolkit.compat_versions", tuple(attempt(partial(_compat_version, host, path)) for path in paths))
    entries = [entry for entry in host.env().get("LD_LIBRARY_PATH", "").split(":") if entry.startswith("/")]
    reached = {attempt(partial(host.real_path, entry)) for entry in entries[:_MAXIMUM_PATH_ENTRIES]}
    yield Fact("cuda_toolkit.compat_in_library_path", any(path in reached for path in paths))


def collect(host: Host) -> Iterable[Fact]:
    """The cuda_toolkit.* facts."""
    named = host.env().get("CUDA_HOME") or host.env().get("CUDA_PATH") or ""
    exists = attempt(lambda: present(host, named))
    yield Fact("cuda_toolkit.home_exists", exists if named else NOT_SET)
    toolkits = attempt(lambda: _toolkits(host))
    found = toolkits if isinstance(toolkits, list) else []
    versions = tuple(attempt(partial(_toolkit_version, host, path)) for path in found)
    yield Fact("cuda_toolkit.paths", tuple(map(printable, found)) if isinstance(toolkits, list) else toolkits)
    yield Fact("cuda_toolkit.versions", versions if isinstance(toolkits, list) else toolkits)
    yield from _compat(host, found)
    nvcc = _nvcc(host)
    unfound = Unknown(Reason.NOT_INSTALLED, "nvcc is neither on PATH nor in a toolkit")
    yield Fact("cuda_toolkit.nvcc_path", unfound if nvcc is None else printable(nvcc))
    yield Fact("cuda_toolkit.nvcc_version", unfound if nvcc is None else attempt(lambda: _ask_nvcc(host, nvcc)))
    home = _home(host, named, nvcc, found)
    yield Fact("cuda_toolkit.home", printable(home) if home else _NOT_THERE)
    yield Fact("cuda_toolkit.version", attempt(lambda: _toolkit_version(host, home)) if home else _NOT_THERE)


def _home(host: Host, named: str, nvcc: str | None, found: Iterable[str]) -> str:
    """What torch's extension builder would take: CUDA_HOME, else the folder above nvcc's, else /usr/local/cuda."""
    if named:
        return named
    if nvcc is not None:
        real = attempt(lambda: host.real_path(nvcc))
        return posixpath.dirname(posixpath.dirname(real if isinstance(real, str) else nvcc))
    return "/usr/local/cuda" if "/usr/local/cuda" in found else ""
