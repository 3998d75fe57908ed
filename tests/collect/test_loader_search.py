from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.collect.loader_search import candidates, library_path, parse_cache
from memory_host import MemoryHost

PATHS = [("libcuda.so.1", "/a/libcuda.so.1", 0x0303), ("libz.so.1", "/b/libz.so.1", 0x0303)]


def cache(entries: list[tuple[str, str, int]]) -> bytes:
    texts = b"".join(name.encode() + b"\0" + path.encode() + b"\0" for name, path, _ in entries)
    out, place = b"", 48 + 24 * len(entries)
    for name, path, flags in entries:
        out += struct.pack("<iIIIQ", flags, place, place + len(name) + 1, 0, 0)
        place += len(name) + len(path) + 2
    return b"glibc-ld.so.cache1.1" + struct.pack("<II", len(entries), len(texts)) + bytes(20) + out + texts


def test_a_cache_is_read_alone_and_behind_one_of_the_old_format() -> None:
    old = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(12)
    for data in (cache(PATHS), old + cache(PATHS)):
        assert list(parse_cache(data)) == PATHS


@pytest.mark.parametrize("data", [b"", b"ld.so-1.7.0\0" + bytes(40), cache(PATHS)[:60], cache(PATHS)[:-20]])
def test_a_cut_or_foreign_cache_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"ld\.so\.cache"):
        list(parse_cache(data))


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic_are_read_or_refused(tail: bytes) -> None:
    try:
        for name, path, _ in parse_cache(b"glibc-ld.so.cache1.1" + tail):
            assert isinstance(name + path, str)
    except ValueError:
        pass


def test_the_entries_of_ld_library_path() -> None:
    assert library_path("", "x86_64", "/w") == ()
    assert library_path("/a:/b;c:", "x86_64", "/w") == ("/a", "/b", "/w/c", "/w")
    assert library_path("/opt/$LIB:/opt/${LIB}", "aarch64", "/w") == ("/opt/lib/aarch64-linux-gnu",) * 2


def test_the_order_of_the_search() -> None:
    files = dict.fromkeys(("/p/libx.so.1", "/q/libx.so.1", "/c/libx.so.1", "/usr/lib/libx.so.1"), b"x")
    data = cache([("libx.so.1", "/c/libx.so.1", 0x0303), ("libx.so.1", "/arm/libx.so.1", 0x0A03)])
    host = MemoryHost(
        {**files, "/etc/ld.so.cache": data},
        env={"LD_LIBRARY_PATH": "/nowhere:/q:/q", "LD_PRELOAD": "/p/libx.so.1"},
    )
    found = [(one.path, one.source) for one in candidates(host, "libx.so.1")]
    assert found == [
        ("/p/libx.so.1", "preload"),
        ("/q/libx.so.1", "library_path"),
        ("/c/libx.so.1", "cache"),
        ("/usr/lib/libx.so.1", "default"),
    ]


def test_musl_has_its_own_folders_and_no_cache() -> None:
    host = MemoryHost({"/usr/local/lib/libx.so.1": b"x"}, identity={"libc": ["", ""]})
    assert [one.path for one in candidates(host, "libx.so.1")] == []
    host = MemoryHost({"/usr/local/lib/libx.so.1": b"x"}, identity={"libc": ["musl", "1.2"]})
    assert [one.path for one in candidates(host, "libx.so.1")] == ["/usr/local/lib/libx.so.1"]
