"""Which C library: PyTorch's wheels are built against glibc, and images on musl or an old glibc cannot load them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import names_in
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("libc.name", FactType.TEXT, "The C library: glibc, musl, or as the interpreter names it."),
    FactSpec("glibc.version", FactType.VERSION, "The version of glibc; not applicable with another C library."),
)
_FOLDERS = ("/lib", "/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


def libc_by_names(names: Iterable[str]) -> tuple[str, str]:
    """The C library that file names in a library folder tell of, and its version; empty where they do not."""
    name = ""
    for one in names:
        match = re.fullmatch(r"libc-(2\.\d{1,3})\.so", one)
        if match is not None:
            return "glibc", match[1]
        if one == "libc.so.6" or re.fullmatch(r"ld-linux[-\w]{0,20}\.so\.\d", one):
            name = "glibc"
        elif re.fullmatch(r"ld-musl-\w{1,20}\.so\.1", one):
            name = name or "musl"
    return name, ""


def _libc(host: Host) -> tuple[str, str]:
    told = host.identity().get("libc")
    if isinstance(told, (list, tuple)) and len(told) == 2 and told[0]:
        return str(told[0]), str(told[1])
    found = [libc_by_names(names_in(host, folder)) for folder in _FOLDERS]
    return next((one for one in found if one[1]), next((one for one in found if one[0]), ("", "")))


def collect(host: Host) -> Iterable[Fact]:
    """The name of the C library, and glibc's version."""
    answer = attempt(lambda: _libc(host))
    if isinstance(answer, Unknown):
        return [Fact(spec.key, answer) for spec in FACTS]
    name, version = answer
    if not name:
        silent = Unknown(Reason.NO_DATA, "neither the interpreter nor the library folders tell the C library")
        return [Fact("libc.name", silent), Fact("glibc.version", silent)]
    if name != "glibc":
        return [Fact("libc.name", name), Fact("glibc.version", Unknown(Reason.NOT_APPLICABLE, f"this is {name}"))]
    if not version:
        return [Fact("libc.name", name), Fact("glibc.version", Unknown(Reason.NO_DATA, "its files do not name it"))]
    return [Fact("libc.name", name), Fact("glibc.version", attempt(lambda: Version.parse(version)))]
