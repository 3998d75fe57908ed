"""The kernel's log where it may be read: Xid errors, OOM kills, segfaults and bus errors stand nowhere else.

A container mostly may not read it; then every fact is unknown for that reason, which is not the same as "nothing".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gpudoctor.collect.base import STAGE_CHILD
from gpudoctor.collect.parsing import printable
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason

STAGE = STAGE_CHILD
_TEXTS = FactType.TEXT_LIST
FACTS = (
    FactSpec("kernel_log.source", FactType.TEXT, "What was read: /dev/kmsg, dmesg or a file."),
    FactSpec("kernel_log.line_count", FactType.INTEGER, "How many lines were read."),
    FactSpec("kernel_log.lines", _TEXTS, "The last lines that tell of GPUs, memory, crashes or buses.", private=True),
    FactSpec("kernel_log.xid_codes", FactType.INTEGER_LIST, "The codes of Xid errors, in order."),
    FactSpec("kernel_log.xid_lines", _TEXTS, "Xid errors of NVIDIA's driver.", private=True),
    FactSpec("kernel_log.nvrm_lines", _TEXTS, "Other lines of NVIDIA's driver.", private=True),
    FactSpec("kernel_log.oom_lines", _TEXTS, "Processes killed because memory ran out.", private=True),
    FactSpec("kernel_log.segfault_lines", _TEXTS, "Programs that crashed.", private=True),
    FactSpec("kernel_log.aer_lines", _TEXTS, "PCI Express errors.", private=True),
    FactSpec("kernel_log.module_lines", _TEXTS, "Kernel modules that were refused or tainted.", private=True),
    FactSpec("kernel_log.hardware_lines", _TEXTS, "Machine checks and memory errors of the machine.", private=True),
)
MAXIMUM_LINES = 200
_MAXIMUM_BYTES = 4_000_000
_LIMIT_SECONDS = 3.0
_FILES = ("/var/log/kern.log", "/var/log/dmesg", "/var/log/messages", "/var/log/syslog")
# Kind, words of which one stands in every line of it, and what fits such a line. The first kind that fits is a line's.
# Patterns are compiled when such a word is met: most logs hold few of them.
_KINDS = (
    ("xid", ("NVRM",), r"NVRM: (?:GPU at .{1,80}|Xid \()|NVRM: Xid"),
    (
        "oom",
        ("ut of memory", "oom", "Killed process"),
        r"[Oo]ut of memory|oom[-_]kill|oom_reaper|invoked oom-killer|Killed process \d",
    ),
    (
        "aer",
        ("AER:", "PCIe Bus Error", "pcieport", "Link Down", "DPC:"),
        r"\bAER:|PCIe Bus Error|pcieport .{1,200}(?:error|down)|Link Down|DPC:",
    ),
    (
        "module",
        ("nvidia", "odule"),
        r"nvidia.{0,80}(?:verification failed|required key|Lockdown|taints kernel|version magic)"
        r"|(?:module|Lockdown).{0,120}nvidia|Loading of (?:unsigned )?module .{0,80}rejected",
    ),
    (
        "nvrm",
        ("NVRM", "nvidia"),
        r"NVRM|\bnvidia(?:[-_](?:uvm|modeset|drm|peermem|nvswitch|nvlink))?[ :]|nvidia-nvswitch",
    ),
    (
        "segfault",
        ("segfault at", "general protection", "trap", "Code: ", "unhandled", "unexpected fatal"),
        r"segfault at|general protection fault|traps: |trap (?:invalid opcode|divide error|int3)"
        r"|Code: [0-9a-f]{2} |unhandled (?:level|signal)|potentially unexpected fatal signal",
    ),
    (
        "hardware",
        ("mce: ", "Machine ", "Hardware Error", "EDAC", "Memory failure"),
        r"\bmce: |Machine [Cc]heck|Hardware Error|EDAC .{0,80}(?:CE|UE)|Memory failure: 0x",
    ),
    (
        "other",
        (
            *("mlx5", "nouveau", "hung_task", "blocked for more", "IOMMU", "DMAR"),
            "IO_PAGE",
            "I/O error",
            "No space left",
        ),
        r"mlx5|nouveau|hung_task|blocked for more than|IOMMU|DMAR|IO_PAGE_FAULT|I/O error|No space left",
    ),
)
_WORDS = tuple(dict.fromkeys(word for _kind, words, _pattern in _KINDS for word in words))
BACKSLASH = chr(92)
_RECORD = r"^[^,;\n]*,[^,;\n]*,(\d{1,20})(?:,[^;\n]*)?;(.*)$"


def parse_kmsg(text: str) -> list[str]:
    """Records of /dev/kmsg as dmesg prints them: `[  12.345678] text`. Lines of another shape are left out."""
    lines = []
    for time, message in re.findall(_RECORD, text, re.MULTILINE):
        seconds, micros = divmod(int(time), 1_000_000)
        lines.append(f"[{seconds:5d}.{micros:06d}] {_unescaped(message) if BACKSLASH in message else message}")
    return lines


def _unescaped(message: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)) if match[1] != "0a" else " ", message)


def kind_of(line: str) -> str:
    """What a line tells of: xid, oom, aer, module, nvrm, segfault, hardware, other; empty for everything else."""
    for kind, words, pattern in _KINDS:
        if any(word in line for word in words) and re.search(pattern, line):
            return kind
    return ""


def xid_code(line: str) -> int | None:
    """79 of `NVRM: Xid (PCI:0000:41:00): 79, ...`; None without one."""
    match = re.search(r"NVRM: Xid(?: \(.{1,60}?\))?: (\d{1,4})\b", line)
    return None if match is None else int(match[1])


def _read(host: Host) -> tuple[str, list[str]]:
    """The source and its lines; HostError with the first refusal when none can be read."""
    refusals: list[HostError] = []
    try:
        lines = parse_kmsg(host.read_text("/dev/kmsg", _MAXIMUM_BYTES))
        if lines:
            return "/dev/kmsg", lines
    except HostError as error:
        refusals.append(error)
    end = host.run(["dmesg"], _LIMIT_SECONDS)
    if end.ok and end.stdout.strip():
        return "dmesg", end.stdout.splitlines()
    refusals.append(_refusal(end))
    for path in _FILES:
        try:
            return path, _tail(host, path)
        except HostError as error:
            refusals.append(error)
    denied = [refusal for refusal in refusals if refusal.reason is Reason.PERMISSION_DENIED]
    raise (denied or refusals)[0]


def _tail(host: Host, path: str) -> list[str]:
    start = max(host.stat(path).size - _MAXIMUM_BYTES, 0)
    lines = host.read_bytes(path, _MAXIMUM_BYTES, start).decode("utf-8", "surrogateescape").splitlines()
    return lines[1:] if start else lines


def _refusal(end: ChildEnd) -> HostError:
    words = printable((end.stderr or end.error or end.stdout).strip(), 300)
    if "not permitted" in words or "ermission denied" in words:
        return HostError(Reason.PERMISSION_DENIED, words)
    if end.end is End.TIMED_OUT:
        return HostError(Reason.TIMED_OUT, f"dmesg took longer than {_LIMIT_SECONDS:g} s")
    if end.end is End.NOT_STARTED:
        return HostError(Reason.NOT_INSTALLED, words or "dmesg is not there")
    return HostError(Reason.NO_DATA, words or "the kernel log is empty")


def collect(host: Host) -> Iterable[Fact]:
    """The kernel_log.* facts."""
    source, lines = _read(host)
    yield Fact("kernel_log.source", source)
    yield Fact("kernel_log.line_count", len(lines))
    yield from facts_of(lines)


def facts_of(lines: Sequence[str]) -> Iterable[Fact]:
    """The facts that lines of a kernel log, each with its time, give: the last ones of each kind."""
    whole = "\n".join(lines)
    # Word by word through all lines: trying all words on each line costs several times as much.
    places = {at for word in _WORDS if word in whole for at in [at for at, line in enumerate(lines) if word in line]}
    some = [lines[at] for at in sorted(places)]
    told = [(kind, printable(line, 600)) for line in some if (kind := kind_of(line))]
    yield Fact("kernel_log.lines", tuple(line for _kind, line in told)[-MAXIMUM_LINES:])
    for wanted in ("xid", "nvrm", "oom", "segfault", "aer", "module", "hardware"):
        yield Fact(f"kernel_log.{wanted}_lines", tuple(line for kind, line in told if kind == wanted)[-MAXIMUM_LINES:])
    codes = [xid_code(line) for kind, line in told if kind == "xid"]
    yield Fact("kernel_log.xid_codes", tuple(code for code in codes if code is not None)[-MAXIMUM_LINES:])
