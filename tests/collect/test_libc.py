"""Holds that glibc and musl are told apart."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import libc
from gpudoctor.model.fact import Reason, Unknown
from gpudoctor.model.version import Version
from memory_host import MemoryHost


def test_glibc_by_the_interpreter():
    facts = collected(libc, MemoryHost(identity={"libc": ["glibc", "2.36"]}))
    assert facts["libc.name"] == "glibc"
    assert facts["glibc.version"] == Version.parse("2.36")


def test_musl():
    facts = collected(libc, MemoryHost({"/lib/ld-musl-x86_64.so.1": b"\x7fELF"}, identity={"libc": ["", ""]}))
    assert facts["libc.name"] == "musl"
    assert facts["glibc.version"] == Unknown(Reason.NOT_APPLICABLE, "this is musl")


def test_glibc_by_its_files():
    old = {"/lib/x86_64-linux-gnu/libc-2.31.so": b"", "/lib/x86_64-linux-gnu/libc.so.6": b""}
    assert collected(libc, MemoryHost(old, identity={"libc": []}))["glibc.version"] == Version.parse("2.31")
    new = collected(libc, MemoryHost({"/lib64/libc.so.6": b""}, identity={"libc": []}))
    assert new["libc.name"] == "glibc"
    assert isinstance(new["glibc.version"], Unknown)


def test_nothing_tells():
    facts = collected(libc, MemoryHost(identity={"libc": []}))
    assert isinstance(facts["libc.name"], Unknown)
