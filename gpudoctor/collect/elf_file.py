"""What a shared library file is, told from its first bytes: which machine it is for, and whether all of it is there."""

from __future__ import annotations

import struct

from gpudoctor.host.base import Host
from gpudoctor.model.record import record

HEADER_BYTES = 64
# ELF machine number and word size for the kernel's names of processors (elf.h).
MACHINES = {
    "x86_64": (62, 64),
    "aarch64": (183, 64),
    "arm64": (183, 64),
    "ppc64le": (21, 64),
    "riscv64": (243, 64),
    "i686": (3, 32),
    "i386": (3, 32),
    "armv7l": (40, 32),
}
NAMES = {3: "i386", 21: "ppc64", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


@record
class ElfFile:
    """`problem` says in words why the loader cannot use the file; empty when it can. `bits` and `machine` are 0 where
    the header does not tell."""

    size: int
    bits: int = 0
    machine: int = 0
    problem: str = ""

    def fits(self, kernel_machine: str) -> bool:
        """Whether processes on that machine can load it; an unknown machine is taken on trust."""
        wanted = MACHINES.get(kernel_machine)
        return wanted is None or not self.machine or (self.machine, self.bits) == wanted

    @property
    def machine_name(self) -> str:
        """The processor that it was built for."""
        return f"{NAMES.get(self.machine, f'machine {self.machine}')}, {self.bits} bit"


def read_elf(host: Host, path: str) -> ElfFile:
    """Look at a library. Raises HostError where the file cannot be read at all."""
    size = host.stat(path).size
    header = host.read_bytes(path, HEADER_BYTES)
    if not header:
        return ElfFile(size, problem="it is empty")
    if header[:4] != b"\x7fELF":
        return ElfFile(size, problem="it is no ELF file")
    if len(header) < 52:
        return ElfFile(size, problem="it ends within its header")
    bits = {1: 32, 2: 64}.get(header[4], 0)
    order = ">" if header[5] == 2 else "<"
    machine = struct.unpack_from(order + "H", header, 18)[0]
    if not bits or (bits == 64 and len(header) < HEADER_BYTES):
        return ElfFile(size, problem="its header makes no sense")
    # Offsets of the program and section headers, then size and number of each; the sections end the file.
    programs, sections = struct.unpack_from(order + ("QQ" if bits == 64 else "II"), header, 32 if bits == 64 else 28)
    sizes = struct.unpack_from(order + "HHHH", header, 54 if bits == 64 else 42)
    end = max(programs + sizes[0] * sizes[1], sections + sizes[2] * sizes[3] if sections else 0)
    return ElfFile(size, bits, machine, "it is cut off" if end > size else "")
