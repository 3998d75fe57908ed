"""The driver's user-space libraries: which file the loader would take, what that file is, and which others lie around.

`kind` is one of
  real                the driver's own library
  stub                the toolkit's stand-in for linking, which answers error 34
  compat              NVIDIA's forward-compatibility package, newer than the host's driver
  empty               a file of 0 bytes, left behind when an image was made from a container with the driver mounted
  wrong_architecture  built for another processor
  unreadable          no whole ELF file, or one that may not be read
  absent              the loader finds none
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gpudoctor.collect.elf_file import read_elf
from gpudoctor.collect.loader_search import Candidate, candidates
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.record import record
from gpudoctor.model.version import Version

LIBRARIES = {
    "libcuda": ("libcuda.so.1", "libcuda", "The CUDA driver API."),
    "libnvidia_ml": ("libnvidia-ml.so.1", "libnvidia-ml", "NVML, the management library."),
    "libnvidia_ptxjitcompiler": (
        "libnvidia-ptxjitcompiler.so.1",
        "libnvidia-ptxjitcompiler",
        "The compiler for PTX, which kernels for newer GPUs than a wheel was built for need.",
    ),
}
# A stub holds empty functions only, some tens of kilobytes; the driver's own libraries have megabytes. WSL's are thin.
STUB_BYTES = 1_000_000
MAY_BE_STUB = ("libcuda", "libnvidia_ml")
WSL_FOLDER = "/usr/lib/wsl/"
_COMPAT = re.compile(r"/(?:compat|cuda-compat[^/]*)/")
_STUBS = re.compile(r"/stubs?/")
_VERSION = re.compile(r"\.so\.(\d{2,4}\.\d{1,4}(?:\.\d{1,4})?)$")
# Where images, toolkits and distributions put driver libraries, beside the folders that the loader knows.
KNOWN_FOLDERS = (
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/run/opengl-driver/lib",
    "/usr/lib64/nvidia",
    "/.singularity.d/libs",
)
TOOLKIT_FOLDERS = (
    "compat",
    "lib64/stubs",
    "lib/stubs",
    "targets/x86_64-linux/lib/stubs",
    "targets/sbsa-linux/lib/stubs",
)


def _specs(area: str, meaning: str) -> Iterator[FactSpec]:
    yield FactSpec(f"{area}.path", FactType.TEXT, f"{meaning} The file that the loader would take.")
    yield FactSpec(f"{area}.real_path", FactType.TEXT, "The same with all links followed.")
    yield FactSpec(f"{area}.found_by", FactType.TEXT, "How: preload, library_path, cache or default.")
    yield FactSpec(f"{area}.kind", FactType.TEXT, "What that file is: real, stub, compat, empty and so on.")
    yield FactSpec(f"{area}.kind_reason", FactType.TEXT, "How that is known.")
    yield FactSpec(f"{area}.version", FactType.VERSION, "The driver version in its file name.")
    yield FactSpec(f"{area}.copies", FactType.TEXT_LIST, "Every copy found, in search order, links followed.")
    yield FactSpec(f"{area}.copy_kinds", FactType.TEXT_LIST, "What each of them is.")


FACTS: tuple[FactSpec, ...] = tuple(spec for area, (_, _, text) in LIBRARIES.items() for spec in _specs(area, text))


@record
class Library:
    """One file. `version` is the text in its real name, empty where there is none."""

    path: str
    real_path: str
    source: str
    kind: str
    why: str
    version: str = ""
    passed_over: bool = False


def collect(host: Host) -> Iterable[Fact]:
    """Search for each library as the loader does, then wherever else it is known to lie."""
    for area, (soname, _, _) in LIBRARIES.items():
        in_order = [examine(host, area, candidate) for candidate in candidates(host, soname)]
        strays = [examine(host, area, candidate) for candidate in _strays(host, soname)]
        yield from _facts(area, soname, chosen(in_order), _distinct([*in_order, *strays]))


def examine(host: Host, area: str, candidate: Candidate) -> Library:
    """What one file is."""
    path = candidate.path
    try:
        real = host.real_path(path)
        kind, why = _kind(host, area, real)
    except HostError as error:
        return Library(path, path, candidate.source, "unreadable", error.detail, passed_over=True)
    match = _VERSION.search(real)
    version = match[1] if match else ""
    return Library(path, real, candidate.source, kind, why, version, passed_over=kind == "wrong_architecture")


def chosen(in_order: list[Library]) -> Library | None:
    """The one that the loader takes: it passes over files that it may not read or that are for another processor,
    and stumbles over an empty or broken one."""
    return next((library for library in in_order if not library.passed_over), in_order[0] if in_order else None)


def _kind(host: Host, area: str, real: str) -> tuple[str, str]:
    elf = read_elf(host, real)
    if elf.size == 0 and elf.problem:
        return "empty", "its size is 0 bytes"
    if elf.problem:
        return "unreadable", elf.problem
    machine = str(host.identity().get("machine", ""))
    if not elf.fits(machine):
        return "wrong_architecture", f"built for {elf.machine_name}, while this machine is {machine}"
    if _STUBS.search(real):
        return "stub", "it lies in a folder of stubs"
    if _COMPAT.search(real):
        return "compat", "it lies in a folder of the forward-compatibility package"
    if area in MAY_BE_STUB and elf.size < STUB_BYTES and not _VERSION.search(real) and not real.startswith(WSL_FOLDER):
        return "stub", f"it has {elf.size} bytes and no driver version in its name"
    return "real", "an ELF library for this machine"


def _strays(host: Host, soname: str) -> Iterator[Candidate]:
    folders = [*KNOWN_FOLDERS]
    try:
        toolkits = [name for name in host.list_dir("/usr/local") if name.startswith("cuda")]
    except HostError:
        toolkits = []
    folders += [f"/usr/local/{toolkit}/{folder}" for toolkit in toolkits for folder in TOOLKIT_FOLDERS]
    bare = soname.rpartition(".")[0]  # stubs have no number in their name
    for folder in folders:
        for name in (soname, bare):
            try:
                host.stat(f"{folder}/{name}")
            except HostError:
                continue
            yield Candidate(f"{folder}/{name}", "elsewhere")


def _distinct(libraries: Iterable[Library]) -> list[Library]:
    first: dict[str, Library] = {}
    for library in libraries:
        first.setdefault(library.real_path, library)
    return list(first.values())


def _facts(area: str, soname: str, library: Library | None, copies: list[Library]) -> Iterator[Fact]:
    missing = Unknown(Reason.NOT_INSTALLED, f"the loader finds no {soname}")
    values: dict[str, Value | Unknown]
    if library is None:
        values = dict.fromkeys(("path", "real_path", "found_by", "version"), missing)
        values["kind"], values["kind_reason"] = "absent", missing.detail
    else:
        no_version = Unknown(Reason.NO_DATA, f"{library.real_path} has no version in its name")
        values = {
            "path": library.path,
            "real_path": library.real_path,
            "found_by": library.source,
            "kind": library.kind,
            "kind_reason": library.why,
            "version": Version.parse(library.version) if library.version else no_version,
        }
    values["copies"] = tuple(copy.real_path for copy in copies)
    values["copy_kinds"] = tuple(copy.kind for copy in copies)
    yield from (Fact(f"{area}.{key}", value) for key, value in values.items())
