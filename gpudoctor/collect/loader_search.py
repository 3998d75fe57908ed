"""Where the dynamic loader looks for a library: LD_PRELOAD, LD_LIBRARY_PATH, ld.so.cache and its own folders.

This follows ld.so(8) for a library that is asked for by name from Python, whose own RPATH plays no part. What the
loader really took is told by the child that loads it; this says what it would take, and what else lies around.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator

from gpudoctor.host.base import Host, HostError
from gpudoctor.model.record import record

CACHE = "/etc/ld.so.cache"
CACHE_LIMIT = 8_000_000
MAGIC = b"glibc-ld.so.cache1.1"
HEADER = struct.Struct("20sII")
HEADER_BYTES = 48
ENTRY = struct.Struct("=iIIIQ")
MAXIMUM_ENTRIES = 100_000
# Flags of a cache entry: the kind of file in the low byte, the processor in the next one (glibc, sysdeps ldconfig.h).
KIND_GLIBC = 3
CACHE_FLAGS = {"x86_64": 0x0300, "aarch64": 0x0A00, "arm64": 0x0A00, "ppc64le": 0x0500}
TRIPLES = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu", "arm64": "aarch64-linux-gnu"}


@record
class Candidate:
    """One place where the loader would find the library. `source` is preload, library_path, cache or default."""

    path: str
    source: str


def candidates(host: Host, soname: str) -> tuple[Candidate, ...]:
    """Every place in search order where a file of that name lies, the first being the loader's first try."""
    found: dict[str, Candidate] = {}
    for candidate in _places(host, soname):
        if candidate.path not in found and _exists(host, candidate.path):
            found[candidate.path] = candidate
    return tuple(found.values())


def _places(host: Host, soname: str) -> Iterator[Candidate]:
    env, identity = host.env(), host.identity()
    machine = str(identity.get("machine", ""))
    for entry in env.get("LD_PRELOAD", "").replace(":", " ").split():
        if posixpath.basename(entry) == soname and "/" in entry:
            yield Candidate(entry, "preload")
    for folder in library_path(env.get("LD_LIBRARY_PATH", ""), machine, str(identity.get("cwd", "/"))):
        yield Candidate(posixpath.join(folder, soname), "library_path")
    for path in cached(host, soname, machine):
        yield Candidate(path, "cache")
    for folder in default_folders(machine, is_glibc(host)):
        yield Candidate(f"{folder}/{soname}", "default")


def library_path(text: str, machine: str, cwd: str) -> tuple[str, ...]:
    """The folders of LD_LIBRARY_PATH; an empty entry means the working directory, as in the loader."""
    if not text:
        return ()
    library = f"lib/{TRIPLES[machine]}" if machine in TRIPLES else "lib64"
    folders = []
    for entry in text.replace(";", ":").split(":"):
        for token in ("$LIB", "${LIB}"):
            entry = entry.replace(token, library)
        folders.append(posixpath.join(cwd, entry) if entry else cwd)
    return tuple(folders)


def is_glibc(host: Host) -> bool:
    """Whether this system's C library is glibc; musl has other default folders and no cache."""
    libc = host.identity().get("libc") or ("", "")
    return str(libc[0] or "glibc") == "glibc"


def default_folders(machine: str, glibc: bool) -> tuple[str, ...]:
    """The folders that the loader knows without being told."""
    if not glibc:
        return ("/lib", "/usr/local/lib", "/usr/lib")
    triple = TRIPLES.get(machine)
    own = (f"/lib/{triple}", f"/usr/lib/{triple}") if triple else ()
    return (*own, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def cached(host: Host, soname: str, machine: str) -> tuple[str, ...]:
    """What /etc/ld.so.cache has for a name on this processor; nothing where there is no readable cache."""
    try:
        data = host.read_bytes(CACHE, CACHE_LIMIT)
        return tuple(path for name, path, flags in parse_cache(data) if name == soname and _fits(flags, machine))
    except (HostError, ValueError):
        return ()


def parse_cache(data: bytes) -> Iterator[tuple[str, str, int]]:
    """Name, path and flags of each entry of a cache in glibc's present format, which may follow the old one.

    Raises ValueError when the bytes are no such cache or point outside themselves.
    """
    start = data.find(MAGIC)
    if start < 0 or len(data) < start + HEADER_BYTES:
        raise ValueError("no ld.so.cache in glibc's present format")
    body = data[start:]
    _, count, _ = HEADER.unpack_from(body)
    entry = ENTRY
    if count > MAXIMUM_ENTRIES or HEADER_BYTES + count * entry.size > len(body):
        raise ValueError(f"an ld.so.cache of {len(body)} bytes cannot hold {count} entries")
    for index in range(count):
        flags, name, path, _, _ = entry.unpack_from(body, HEADER_BYTES + index * entry.size)
        yield _text_at(body, name), _text_at(body, path), flags


def _text_at(body: bytes, offset: int) -> str:
    end = body.find(b"\0", offset)
    if offset >= len(body) or end < 0:
        raise ValueError("an entry of ld.so.cache points outside of it")
    return body[offset:end].decode("utf-8", "surrogateescape")


def _fits(flags: int, machine: str) -> bool:
    wanted = CACHE_FLAGS.get(machine)
    return flags & 0xFF == KIND_GLIBC and (wanted is None or flags & 0xFF00 == wanted)


def _exists(host: Host, path: str) -> bool:
    """Whether a file is there; one that may not be looked at counts, because the loader stumbles over it too."""
    try:
        return host.stat(path).kind != "directory"
    except HostError as error:
        return not error.absent
