"""A throw-away machine: QEMU without KVM, the distribution's own kernel, and an initramfs with busybox and Python.

It has what this machine may lack: control groups of version 2, a kernel log that may be written to, modules to refuse.
The kernel's package is downloaded and unpacked, never installed. Results come back over the second serial line.
"""

from __future__ import annotations

import base64
import importlib.metadata
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gpudoctor
from crashes import lacking, needed
from gpudoctor.knowledge.compile import PACKED_NAME, pack, read_tree

# Debian's and Ubuntu's names of the kernel for virtual machines.
KERNELS = ("linux-image-cloud-amd64", "linux-image-virtual")
DEPENDENCIES = ("click", "rich", "pygments", "psutil", "nvidia-ml-py", "packaging")
NOT_WANTED = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
    "site-packages",
    "turtledemo",
    "pydoc_data",
}
NOT_NEEDED = re.compile(r"\.opt-\d\.pyc$|^_tkinter|^_test|\.a$")
LONGEST_SECONDS = 420.0
MEBIBYTES = 768
OPTIONS = "console=ttyS0 panic=-1 cgroup_no_v1=all lockdown=integrity rdinit=/init"
PYTHON = "/bin/python3"
# No letter of base64.
END = b"--end--"


@dataclass(frozen=True)
class Kernel:
    """The image to boot, and one of its modules (signed by the distribution)."""

    image: Path
    module: Path


def unpacked_kernel(folder: Path) -> Kernel:
    """The distribution's newest kernel for virtual machines, unpacked in this folder."""
    package = next(filter(None, map(_kernel_package, KERNELS)), "")
    if package:
        got = [needed("apt-get")[0], "download", package]
        subprocess.run(got, cwd=folder, capture_output=True, timeout=300, check=False)
    packed = next(folder.glob("*.deb"), None)
    if packed is None:
        lacking("no kernel for a virtual machine can be downloaded")
    subprocess.run([needed("dpkg")[0], "-x", str(packed), str(folder)], check=True, timeout=120)
    # Small, and without needs of its own.
    module = next((folder / "lib/modules").rglob("kernel/lib/**/*.ko"))
    return Kernel(next((folder / "boot").glob("vmlinuz-*")), module)


def _kernel_package(meta: str) -> str:
    shown = subprocess.run(
        [needed("apt-cache")[0], "depends", meta], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(r"Depends: (linux-image-\S*\d\S*)", shown.stdout)
    return found[1] if found else ""


class Archive:
    """An initramfs in the making: a cpio archive of the kind `newc`."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._seen: set[str] = set()

    def add(self, name: str, content: bytes = b"", mode: int = 0o100755, modified: int = 0) -> None:
        """One entry, and the folders above it; a second one of the same name is passed over."""
        name = name.strip("/")
        if not name or name in self._seen:
            return
        self._seen.add(name)
        if "/" in name:
            self.add(name.rpartition("/")[0], mode=0o040755)
        path = name.encode() + b"\0"
        number = len(self._seen)
        fields = (number, mode, 0, 0, 1, modified, len(content), 0, 0, 0, 0, len(path), 0)
        self._out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + path)
        self._pad()
        self._out.write(content)
        self._pad()

    def add_file(self, path: Path, name: str = "") -> None:
        """A file of this machine, under its own name if none is given; links are followed."""
        about = path.stat()
        self.add(name or str(path), path.read_bytes(), 0o100000 | (about.st_mode & 0o777), int(about.st_mtime))

    def link(self, name: str, target: str) -> None:
        self.add(name, target.encode(), 0o120777)

    def bytes(self) -> bytes:
        """The archive with its end."""
        self.add("TRAILER!!!", mode=0)
        return self._out.getvalue()

    def _pad(self) -> None:
        self._out.write(b"\0" * (-self._out.tell() % 4))


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a package, without its tests."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_WANTED and not name.startswith("config-")]
        wanted = (Path(place, name) for name in names if not NOT_NEEDED.search(name))
        yield from (path for path in wanted if path.exists())


def add_python(archive: Archive) -> None:
    """This interpreter, gpudoctor, what it depends on, and the shared libraries that all of it needs."""
    base = Path(os.path.realpath(sys.executable))
    files = {*files_below(Path(sysconfig.get_paths()["stdlib"])), base}
    code = set(files)
    for path in files:
        archive.add_file(path)
    archive.link(PYTHON, str(base))
    package = Path(gpudoctor.__file__).resolve().parent
    for path in files_below(package):
        archive.add_file(path, f"/app/gpudoctor/{path.relative_to(package)}")
    # An emulated processor parses hundreds of TOML files for many seconds; the wheel holds them packed as well.
    if (package.parent / "rules").is_dir():
        archive.add(f"/app/gpudoctor/_rules/{PACKED_NAME}", pack(read_tree(package.parent / "rules")))
    for name in DEPENDENCIES:
        for listed in importlib.metadata.files(name) or ():
            path = Path(str(listed.locate()))
            if path.is_file() and ".." not in listed.parts:
                archive.add_file(path, f"/app/{listed}")
                code.add(path)
    libraries = [path for path in code if path == base or ".so" in path.name]
    for path in shared_libraries(libraries):
        archive.add_file(path)


def shared_libraries(programs: Iterable[Path]) -> set[Path]:
    """What the loader would load for these, and the loader."""
    said = subprocess.run(
        [needed("ldd")[0], *map(str, programs)], capture_output=True, text=True, timeout=120, check=False
    ).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", said)}


def unsigned(module: Path) -> bytes:
    """The module without the distribution's signature."""
    content = module.read_bytes()
    mark = b"~Module signature appended~\n"
    if not content.endswith(mark):
        return content
    length = int.from_bytes(content[-len(mark) - 4 : -len(mark)], "big")
    return content[: -len(mark) - 12 - length]


def boot(folder: Path, script: Path, programs: Iterable[str], files: Iterable[Path] = ()) -> Path:
    """Run the script as process 1 of a new machine; the folder with what it put into /results.

    The programs lie in its /bin, the files in its root.
    """
    if platform.machine() != "x86_64":
        lacking("the throw-away machine is an x86-64 one")
    emulator, busybox = needed("qemu-system-x86_64", "busybox")
    kernel = unpacked_kernel(folder)
    archive = Archive()
    archive.add_file(script, "/init")
    archive.add_file(Path(busybox).resolve(), "/bin/busybox")
    for name in programs:
        archive.add_file(Path(name), f"/bin/{Path(name).name}")
    for path in files:
        archive.add_file(path, f"/{path.name}")
    archive.add("/modules/nvidia.ko", unsigned(kernel.module))
    for name in ("proc", "sys", "dev", "tmp", "results", "etc"):
        archive.add(name, mode=0o040777)
    archive.link("/bin/sh", "busybox")
    add_python(archive)
    (folder / "initramfs").write_bytes(archive.bytes())
    _emulate(emulator, folder, kernel)
    return unpacked_results(folder)


def _emulate(emulator: str, folder: Path, kernel: Kernel) -> None:
    command = [
        emulator,
        "-machine",
        "q35,accel=tcg",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        str(MEBIBYTES),
        "-display",
        "none",
    ]
    command += [
        "-no-reboot",
        "-nic",
        "none",
        "-monitor",
        "none",
        "-serial",
        "file:console.txt",
        "-serial",
        "file:results",
    ]
    command += ["-kernel", str(kernel.image), "-initrd", "initramfs", "-append", OPTIONS]
    try:
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, timeout=LONGEST_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        said = (folder / "console.txt").read_text(errors="replace")
        raise AssertionError(f"the machine did not end within {LONGEST_SECONDS:g} s: {said[-3000:]}") from None


def unpacked_results(folder: Path) -> Path:
    """What came over the second serial line, as files."""
    raw = (folder / "results").read_bytes()
    console = (folder / "console.txt").read_text(errors="replace")
    assert END in raw, f"the machine sent no results: {console[-3000:]}"
    results = folder / "unpacked"
    results.mkdir()
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(raw.split(END)[0])), mode="r:gz") as tar:
        for entry in tar.getmembers():
            content = tar.extractfile(entry)
            if content is not None:
                target = results / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
    shutil.copy(folder / "console.txt", results)
    return results
