"""Which copy of each CUDA library the loader would take outside of wheels, and which other copies lie around.

A stray LD_LIBRARY_PATH or system package wins over the library inside a wheel or loses to it, and mixed copies crash.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.loader_search import CACHE, CACHE_LIMIT, default_folders, is_glibc, library_path, parse_cache
from gpudoctor.collect.parsing import names_in, printable, read_clean
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.version import Version

# The key's word, the library's name, and whether other libraries of the family belong to it.
FAMILIES = (
    ("libcudart", "libcudart"),
    ("libcublas", "libcublas"),
    ("libcublaslt", "libcublasLt"),
    ("libcudnn", "libcudnn"),
    ("libnccl", "libnccl"),
    ("libnvjitlink", "libnvJitLink"),
    ("libcupti", "libcupti"),
    ("libnvrtc", "libnvrtc"),
    ("libstdcxx", "libstdc++"),
)
FACTS = (
    *(
        spec
        for word, name in FAMILIES
        for spec in (
            FactSpec(f"loader.{word}_path", FactType.TEXT, f"The {name} that the loader finds first."),
            FactSpec(f"loader.{word}_version", FactType.VERSION, f"The version of that {name}, by its file's name."),
        )
    ),
    FactSpec("loader.doubled_libraries", FactType.TEXT_LIST, "Libraries with several copies, as `name: path, path`."),
    FactSpec("loader.config_paths", FactType.TEXT_LIST, "Folders that ld.so.conf and its parts name."),
    FactSpec("loader.library_path_entries", FactType.TEXT_LIST, "Folders of LD_LIBRARY_PATH.", private=True),
    FactSpec("loader.library_path_missing", FactType.TEXT_LIST, "Of those, folders that do not exist.", private=True),
    FactSpec("loader.library_path_has_stubs", FactType.BOOLEAN, "Whether LD_LIBRARY_PATH leads to link-time stubs."),
    FactSpec("loader.preload_missing", FactType.TEXT_LIST, "Files of LD_PRELOAD that do not exist.", private=True),
    FactSpec("loader.cache_entry_count", FactType.INTEGER, "Libraries in /etc/ld.so.cache."),
)
_MAXIMUM_FOLDERS = 200
_MAXIMUM_FILES = 20


def family_pattern(name: str) -> re.Pattern[str]:
    """Names under which a library can be asked for at run time: with a version, so not the link for builds."""
    return re.compile(rf"{re.escape(name)}\.so\.[\d.]{{1,30}}")


def version_in_name(name: str) -> Version:
    """The version in a file name such as `libnccl.so.2.21.5`. ValueError when there is none."""
    return Version.parse(name.partition(".so.")[2])


def parse_ld_conf(text: str) -> tuple[list[str], list[str]]:
    """The folders and the include patterns of an ld.so.conf file."""
    folders: list[str] = []
    includes: list[str] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2 and words[0] == "include":
            includes.append(words[1])
        elif len(words) == 1 and words[0].startswith("/"):
            folders.append(words[0])
    return folders, includes


def _configured(host: Host) -> tuple[str, ...]:
    try:
        folders, includes = parse_ld_conf(read_clean(host, "/etc/ld.so.conf", 65536))
    except HostError as error:
        if not error.absent:
            raise
        return ()
    for pattern in includes[:20]:
        folder, tail = posixpath.split(posixpath.join("/etc", pattern))
        for name in names_in(host, folder)[:100]:
            if name.endswith(tail.lstrip("*")):
                part = attempt(partial(read_clean, host, f"{folder}/{name}", 65536))
                folders += parse_ld_conf(part)[0] if isinstance(part, str) else []
    return tuple(dict.fromkeys(printable(folder) for folder in folders))


def _cache(host: Host) -> list[tuple[str, str]]:
    return [(name, path) for name, path, _ in parse_cache(host.read_bytes(CACHE, CACHE_LIMIT))]


def _found(host: Host, folders: Sequence[str], cached: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """For each library the paths in search order: LD_LIBRARY_PATH, the cache, the loader's own folders."""
    found: dict[str, list[str]] = {name: [] for _, name in FAMILIES}
    patterns = [(name, family_pattern(name)) for _, name in FAMILIES]
    who = host.identity()
    own = default_folders(str(who.get("machine", "")), is_glibc(host))
    for folder in folders:
        _take(found, patterns, _paths_in(host, folder))
    _take(found, patterns, cached)
    for folder in own:
        _take(found, patterns, _paths_in(host, folder))
    return found


def _paths_in(host: Host, folder: str) -> list[tuple[str, str]]:
    names = attempt(partial(host.list_dir, folder))
    if isinstance(names, Unknown):
        return []
    wanted = [name for name in names if ".so." in name]
    return [(name, posixpath.join(folder, name)) for name in sorted(wanted, key=len)]


def _take(
    found: dict[str, list[str]], patterns: Sequence[tuple[str, re.Pattern[str]]], paths: Iterable[tuple[str, str]]
) -> None:
    for soname, path in paths:
        for name, pattern in patterns:
            if soname.startswith(name) and pattern.fullmatch(soname) and len(found[name]) < _MAXIMUM_FILES:
                found[name].append(path)


def _real(host: Host, path: str) -> str:
    answer = attempt(partial(host.real_path, path))
    return path if isinstance(answer, Unknown) else answer


def _library_path(host: Host) -> tuple[str, ...]:
    who = host.identity()
    text = host.env().get("LD_LIBRARY_PATH", "")
    return library_path(text, str(who.get("machine", "")), str(who.get("cwd", "/")))[:_MAXIMUM_FOLDERS]


def _absent(host: Host, path: str) -> bool:
    try:
        host.stat(path)
    except HostError as error:
        return error.absent
    return False


def collect(host: Host) -> Iterable[Fact]:
    """The loader.* facts."""
    folders = _library_path(host)
    cached = attempt(lambda: _cache(host))
    found = _found(host, folders, [] if isinstance(cached, Unknown) else cached)
    doubled = []
    for word, name in FAMILIES:
        real = list(dict.fromkeys(_real(host, path) for path in found[name]))
        nothing = Unknown(Reason.NOT_INSTALLED, f"no {name} lies where the loader looks outside of wheels")
        first: Value | Unknown = printable(found[name][0]) if real else nothing
        yield Fact(f"loader.{word}_path", first)
        yield Fact(f"loader.{word}_version", attempt(partial(version_in_name, real[0])) if real else nothing)
        if len(real) > 1:
            doubled.append(printable(f"{name}: {', '.join(real)}", 1000))
    yield Fact("loader.doubled_libraries", tuple(doubled))
    yield Fact("loader.config_paths", attempt(lambda: _configured(host)))
    yield Fact("loader.library_path_entries", tuple(printable(folder) for folder in folders))
    yield Fact("loader.library_path_missing", tuple(printable(folder) for folder in folders if _absent(host, folder)))
    yield Fact("loader.library_path_has_stubs", any("/stubs" in folder for folder in folders))
    preload = host.env().get("LD_PRELOAD", "").replace(":", " ").split()[:_MAXIMUM_FOLDERS]
    missing = [path for path in preload if path.startswith("/") and _absent(host, path)]
    yield Fact("loader.preload_missing", tuple(printable(path) for path in missing))
    yield Fact("loader.cache_entry_count", cached if isinstance(cached, Unknown) else len(cached))
