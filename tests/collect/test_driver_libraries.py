from __future__ import annotations

import struct

import pytest

from collecting import collected
from gpudoctor.collect import driver_libraries
from gpudoctor.model.fact import Reason
from memory_host import MemoryHost

LIB = "/usr/lib/x86_64-linux-gnu"


def elf(machine: int = 62, size: int = 2_000_000, bits: int = 64, sections: int = 0) -> bytes:
    """The header of a shared library, and zeros."""
    if bits == 64:
        header = (
            b"\x7fELF\x02\x01\x01"
            + bytes(9)
            + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, sections, 0, 64, 56, 7, 64, 29, 28)
        )
    else:
        header = (
            b"\x7fELF\x01\x01\x01"
            + bytes(9)
            + struct.pack("<HHIIIIIHHHHHH", 3, machine, 1, 0, 52, sections, 0, 52, 32, 7, 40, 29, 28)
        )
    return header + bytes(size - len(header))


def cache(*entries: tuple[str, str, int], old: bytes = b"") -> bytes:
    """An ld.so.cache in glibc's present format, behind an old one where given."""
    texts, places = b"", []
    start = 48 + 24 * len(entries)
    for name, path, flags in entries:
        places.append((flags, start + len(texts), start + len(texts) + len(name) + 1))
        texts += name.encode() + b"\0" + path.encode() + b"\0"
    header = b"glibc-ld.so.cache1.1" + struct.pack("<II", len(entries), len(texts)) + bytes(20)
    return old + header + b"".join(struct.pack("<iIIIQ", *place, 0, 0) for place in places) + texts


def installed(version: str = "535.104.05") -> MemoryHost:
    """A machine as a driver package leaves it."""
    files: dict[str, bytes] = {}
    links = {}
    entries = []
    for name in ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"):
        files[f"{LIB}/{name}.so.{version}"] = elf()
        links[f"{LIB}/{name}.so.1"] = f"{name}.so.{version}"
        entries.append((f"{name}.so.1", f"{LIB}/{name}.so.1", 0x0303))
        entries.append((f"{name}.so.1", f"/usr/lib/i386-linux-gnu/{name}.so.1", 0x0003))
    return MemoryHost({**files, "/etc/ld.so.cache": cache(*entries)}, links=links)


def test_the_drivers_own_libraries() -> None:
    facts = collected(driver_libraries, installed())
    for area in ("libcuda", "libnvidia_ml", "libnvidia_ptxjitcompiler"):
        assert facts[f"{area}.kind"] == "real"
        assert str(facts[f"{area}.version"]) == "535.104.05"
        assert facts[f"{area}.found_by"] == "cache"
        assert facts[f"{area}.copy_kinds"] == ("real",)
    assert facts["libcuda.path"] == f"{LIB}/libcuda.so.1"
    assert facts["libcuda.real_path"] == f"{LIB}/libcuda.so.535.104.05"


def test_no_library_at_all() -> None:
    facts = collected(driver_libraries, MemoryHost())
    assert facts["libcuda.kind"] == "absent"
    assert facts["libcuda.path"].reason is Reason.NOT_INSTALLED
    assert facts["libcuda.version"].reason is Reason.NOT_INSTALLED
    assert facts["libcuda.copies"] == ()


def with_first(files: dict[str, bytes], path: str, links: dict[str, str] | None = None) -> MemoryHost:
    host = installed()
    host.files.update(files)
    host.links.update(links or {})
    host.environment["LD_LIBRARY_PATH"] = path
    return host


def test_a_stub_in_ld_library_path_wins() -> None:
    host = with_first({"/usr/local/cuda/lib64/stubs/libcuda.so.1": elf(size=60_000)}, "/usr/local/cuda/lib64/stubs")
    facts = collected(driver_libraries, host)
    assert facts["libcuda.kind"] == "stub"
    assert facts["libcuda.found_by"] == "library_path"
    assert facts["libcuda.version"].reason is Reason.NO_DATA
    assert facts["libcuda.copy_kinds"] == ("stub", "real")
    assert facts["libnvidia_ml.kind"] == "real"


def test_a_stub_copied_out_of_its_folder_is_known_by_its_size() -> None:
    facts = collected(driver_libraries, with_first({"/opt/lib/libcuda.so.1": elf(size=60_000)}, "/opt/lib"))
    assert facts["libcuda.kind"] == "stub"
    assert "60000 bytes" in facts["libcuda.kind_reason"]


def test_the_thin_library_of_wsl_is_no_stub() -> None:
    host = MemoryHost({"/usr/lib/wsl/lib/libcuda.so.1": elf(size=160_000)}, env={"LD_LIBRARY_PATH": "/usr/lib/wsl/lib"})
    assert collected(driver_libraries, host)["libcuda.kind"] == "real"


def test_forward_compatibility_in_front() -> None:
    compat = "/usr/local/cuda-12.8/compat"
    host = with_first(
        {f"{compat}/libcuda.so.570.86.15": elf()},
        "/usr/local/cuda/compat",
        {"/usr/local/cuda": "cuda-12.8", f"{compat}/libcuda.so.1": "libcuda.so.570.86.15"},
    )
    facts = collected(driver_libraries, host)
    assert facts["libcuda.kind"] == "compat"
    assert str(facts["libcuda.version"]) == "570.86.15"
    assert facts["libcuda.real_path"] == f"{compat}/libcuda.so.570.86.15"
    assert facts["libcuda.copies"] == (f"{compat}/libcuda.so.570.86.15", f"{LIB}/libcuda.so.535.104.05")


def test_an_empty_file_stops_the_loader() -> None:
    facts = collected(driver_libraries, with_first({"/opt/lib/libcuda.so.1": b""}, "/opt/lib"))
    assert facts["libcuda.kind"] == "empty"
    assert facts["libcuda.path"] == "/opt/lib/libcuda.so.1"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"INPUT(libcuda.so)\n", "it is no ELF file"),
        (elf()[:30], "it ends within its header"),
        (b"\x7fELF\x07" + bytes(200), "its header makes no sense"),
        (elf(sections=5_000_000), "it is cut off"),
        (b"\x7fELF\x02\x01" + b"\xff" * 58, "it is cut off"),
    ],
)
def test_a_broken_file_stops_the_loader(content: bytes, why: str) -> None:
    facts = collected(driver_libraries, with_first({"/opt/lib/libcuda.so.1": content}, "/opt/lib"))
    assert facts["libcuda.kind"] == "unreadable"
    assert facts["libcuda.kind_reason"] == why


@pytest.mark.parametrize(("machine", "bits"), [(183, 64), (3, 32), (21, 64)])
def test_the_loader_passes_over_a_file_for_another_processor(machine: int, bits: int) -> None:
    content = {"/opt/lib/libcuda.so.1": elf(machine, bits=bits)}
    facts = collected(driver_libraries, with_first(content, "/opt/lib"))
    assert facts["libcuda.path"] == f"{LIB}/libcuda.so.1"
    assert facts["libcuda.copy_kinds"] == ("wrong_architecture", "real")
    alone = collected(driver_libraries, MemoryHost(content, env={"LD_LIBRARY_PATH": "/opt/lib"}))
    assert alone["libcuda.kind"] == "wrong_architecture"
    assert "x86_64" in alone["libcuda.kind_reason"]


def test_the_loader_passes_over_a_file_that_it_may_not_read() -> None:
    host = with_first({"/opt/lib/libcuda.so.1": elf()}, "/opt/lib")
    host.errors["/opt/lib"] = "EACCES"
    facts = collected(driver_libraries, host)
    assert facts["libcuda.kind"] == "real"
    assert facts["libcuda.copy_kinds"] == ("unreadable", "real")


def test_preload_beats_everything() -> None:
    host = with_first({"/opt/a/libcuda.so.1": elf(), "/opt/b/libcuda.so.1": elf()}, "/opt/a")
    host.environment["LD_PRELOAD"] = "/usr/lib/libother.so:/opt/b/libcuda.so.1"
    facts = collected(driver_libraries, host)
    assert (facts["libcuda.path"], facts["libcuda.found_by"]) == ("/opt/b/libcuda.so.1", "preload")


def test_copies_that_lie_around_are_found() -> None:
    host = installed()
    host.files["/usr/local/cuda-12.4/lib64/stubs/libcuda.so"] = elf(size=50_000)
    host.files["/usr/local/nvidia/lib64/libcuda.so.1"] = b""
    facts = collected(driver_libraries, host)
    assert facts["libcuda.kind"] == "real"
    assert dict(zip(facts["libcuda.copies"], facts["libcuda.copy_kinds"])) == {
        f"{LIB}/libcuda.so.535.104.05": "real",
        "/usr/local/nvidia/lib64/libcuda.so.1": "empty",
        "/usr/local/cuda-12.4/lib64/stubs/libcuda.so": "stub",
    }


def test_a_link_that_leads_nowhere_is_absent() -> None:
    host = MemoryHost(links={f"{LIB}/libcuda.so.1": "libcuda.so.470.1"}, dirs=[LIB])
    assert collected(driver_libraries, host)["libcuda.kind"] == "absent"


def test_a_jetson_finds_its_library_by_the_cache() -> None:
    tegra = "/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1"
    entries = cache(("libcuda.so.1", tegra, 0x0A03))
    host = MemoryHost(
        {f"{tegra}.1": elf(183, 30_000_000), "/etc/ld.so.cache": entries},
        links={tegra: "libcuda.so.1.1"},
        identity={"machine": "aarch64"},
    )
    facts = collected(driver_libraries, host)
    assert (facts["libcuda.kind"], facts["libcuda.found_by"]) == ("real", "cache")
