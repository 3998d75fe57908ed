"""Holds which copy of a library is told to be taken first, and that doubles are found."""

from __future__ import annotations

import struct

from collecting import collected
from gpudoctor.collect import loader
from gpudoctor.model.fact import Reason
from gpudoctor.model.version import Version
from memory_host import MemoryHost


def cache(*entries: tuple[str, str]) -> bytes:
    """A cache in glibc's present format."""
    table, strings = b"", b""
    start = 48 + 24 * len(entries)
    for name, path in entries:
        offsets = []
        for text in (name, path):
            offsets.append(start + len(strings))
            strings += text.encode() + b"\0"
        table += struct.pack("=iIIIQ", 0x0303, offsets[0], offsets[1], 0, 0)
    return struct.pack("20sII", b"glibc-ld.so.cache1.1", len(entries), len(strings)).ljust(48, b"\0") + table + strings


LIB = "/usr/lib/x86_64-linux-gnu"
FILES = {
    "/etc/ld.so.cache": cache(("libnccl.so.2", f"{LIB}/libnccl.so.2"), ("libstdc++.so.6", f"{LIB}/libstdc++.so.6")),
    "/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n/opt/lib # mine\n",
    "/etc/ld.so.conf.d/cuda.conf": "/usr/local/cuda/lib64\n",
    "/etc/ld.so.conf.d/readme": "/not/read\n",
    f"{LIB}/libnccl.so.2.21.5": "",
    f"{LIB}/libstdc++.so.6.0.30": "",
    "/usr/local/cuda-12.4/lib64/libcudart.so.12.4.127": "",
    "/opt/conda/lib/libnccl.so.2.18.3": "",
    "/opt/conda/lib/libcublas.so": "",
}
LINKS = {
    f"{LIB}/libnccl.so.2": "libnccl.so.2.21.5",
    f"{LIB}/libstdc++.so.6": "libstdc++.so.6.0.30",
    "/usr/local/cuda": "cuda-12.4",
    "/usr/local/cuda-12.4/lib64/libcudart.so.12": "libcudart.so.12.4.127",
    "/opt/conda/lib/libnccl.so.2": "libnccl.so.2.18.3",
}


def test_the_search_order():
    env = {"LD_LIBRARY_PATH": "/gone:/opt/conda/lib:/usr/local/cuda/lib64", "LD_PRELOAD": "/opt/nothing.so libc.so.6"}
    facts = collected(loader, MemoryHost(FILES, env=env, links=LINKS))
    assert facts["loader.libnccl_path"] == "/opt/conda/lib/libnccl.so.2"
    assert facts["loader.libnccl_version"] == Version.parse("2.18.3")
    assert facts["loader.libcudart_path"] == "/usr/local/cuda/lib64/libcudart.so.12"
    assert facts["loader.libcudart_version"] == Version.parse("12.4.127")
    assert facts["loader.libstdcxx_version"] == Version.parse("6.0.30")
    assert facts["loader.libcublas_path"].reason is Reason.NOT_INSTALLED
    assert facts["loader.doubled_libraries"] == (f"libnccl: /opt/conda/lib/libnccl.so.2.18.3, {LIB}/libnccl.so.2.21.5",)
    assert facts["loader.config_paths"] == ("/opt/lib", "/usr/local/cuda/lib64")
    assert facts["loader.library_path_missing"] == ("/gone",)
    assert facts["loader.preload_missing"] == ("/opt/nothing.so",)
    assert facts["loader.library_path_has_stubs"] is False
    assert facts["loader.cache_entry_count"] == 2


def test_without_a_library_path_the_cache_decides():
    facts = collected(loader, MemoryHost(FILES, links=LINKS))
    assert facts["loader.libnccl_path"] == f"{LIB}/libnccl.so.2"
    assert facts["loader.doubled_libraries"] == ()
    assert facts["loader.library_path_entries"] == ()


def test_stubs_in_the_library_path():
    facts = collected(loader, MemoryHost(env={"LD_LIBRARY_PATH": "/usr/local/cuda/lib64/stubs"}))
    assert facts["loader.library_path_has_stubs"] is True
    assert facts["loader.config_paths"] == ()


def test_a_torn_cache():
    facts = collected(loader, MemoryHost({**FILES, "/etc/ld.so.cache": FILES["/etc/ld.so.cache"][:60]}, links=LINKS))
    assert facts["loader.cache_entry_count"].reason is Reason.UNPARSEABLE
    assert facts["loader.libnccl_path"] == f"{LIB}/libnccl.so.2"
