"""The facts about a crash that documents of many kinds state, declared once, and the ways to state them.

Facts of this machine (`driver.version`, `torch.version` ...) are declared by who reads them here; documents may state
them as well, in the type that `BORROWED` repeats.
"""

from __future__ import annotations

import re

from gpudoctor.model.fact import Fact, FactSpec, FactType
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("crash.exit_code", FactType.INTEGER, "the exit code that a document states"),
    FactSpec("crash.signal", FactType.TEXT, "the signal that ended it, as a document states it"),
    FactSpec("crash.oom_killed", FactType.BOOLEAN, "a container engine or Kubernetes says that it was OOM-killed"),
    FactSpec("crash.reason", FactType.TEXT, "the reason that Kubernetes gives, such as OOMKilled or Evicted"),
    FactSpec("crash.state", FactType.TEXT, "the container's state: created, running, exited, dead ..."),
    FactSpec("crash.state_error", FactType.TEXT, "the error that a container engine noted, verbatim"),
    FactSpec("crash.restart_count", FactType.INTEGER, "how often it was started again"),
    FactSpec("crash.context", FactType.TEXT_LIST, "where it ran: container, k8s, slurm, wsl, ray, multi_rank ..."),
    FactSpec("crash.memory_limit_bytes", FactType.INTEGER, "its memory limit", unit="bytes"),
    FactSpec("crash.memory_peak_bytes", FactType.INTEGER, "the most memory that it was seen to use", unit="bytes"),
    FactSpec("crash.shm_size_bytes", FactType.INTEGER, "the size of its /dev/shm", unit="bytes"),
    FactSpec("crash.pid1_init", FactType.BOOLEAN, "an init process was PID 1 in its container"),
    FactSpec("crash.gpu_requested", FactType.BOOLEAN, "it was started with a request for GPUs"),
    FactSpec("crash.runtime", FactType.TEXT, "the container runtime"),
    FactSpec("crash.run_flags", FactType.TEXT, "the options that its container was started with"),
    FactSpec("crash.kernel_oom", FactType.BOOLEAN, "a kernel log tells of the OOM killer"),
    FactSpec("crash.kernel_oom_scope", FactType.TEXT, "what ran out of memory: cgroup or machine"),
    FactSpec("crash.kernel_oom_tasks", FactType.TEXT_LIST, "the programs that the OOM killer ended"),
    FactSpec("crash.segfault_objects", FactType.TEXT_LIST, "the files that segfault lines of the kernel name"),
    FactSpec("crash.xids", FactType.INTEGER_LIST, "the Xid codes of a kernel log"),
    FactSpec("crash.oom_kill_count", FactType.INTEGER, "OOM kills that its control group counted"),
    FactSpec("crash.pids_limit_hits", FactType.INTEGER, "forks that its control group refused"),
    FactSpec("crash.slurm_state", FactType.TEXT, "the job's state as Slurm names it"),
    FactSpec("crash.slurm_exit", FactType.TEXT, "Slurm's pair of exit code and signal"),
    FactSpec("crash.event_reasons", FactType.TEXT_LIST, "the reasons of Kubernetes events"),
    FactSpec("crash.nvidia_smi_error", FactType.TEXT, "what nvidia-smi said instead of its table"),
    FactSpec("crash.report_causes", FactType.TEXT_LIST, "the causes that an earlier report of ours found"),
)

# Facts that others declare and documents may state: key -> type.
BORROWED = {
    "cgroup.oom_count": FactType.INTEGER,
    "cgroup.oom_kill_count": FactType.INTEGER,
    "cgroup.pids_limit_hit_count": FactType.INTEGER,
    "core_files.count": FactType.INTEGER,
    "core_files.found": FactType.TEXT_LIST,
    "cudnn.version": FactType.VERSION,
    "driver.cuda_version": FactType.VERSION,
    "driver.version": FactType.VERSION,
    "elastic.error_callstack": FactType.TEXT,
    "elastic.error_message": FactType.TEXT,
    "glibc.version": FactType.VERSION,
    "gpu.count": FactType.INTEGER,
    "gpu.names": FactType.TEXT_LIST,
    "kernel.machine": FactType.TEXT,
    "nccl.version": FactType.VERSION,
    "numpy.version": FactType.VERSION,
    "os.is_wsl": FactType.BOOLEAN,
    "os.name": FactType.TEXT,
    "packages.names_versions": FactType.TEXT_LIST,
    "python.version": FactType.VERSION,
    "torch.cuda_version": FactType.VERSION,
    "torch.version": FactType.VERSION,
    "torchaudio.version": FactType.VERSION,
    "torchvision.version": FactType.VERSION,
    "triton.version": FactType.VERSION,
}
_TYPES = {**{spec.key: spec.type for spec in FACTS}, **BORROWED}

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
LONGEST_VALUE = 4_000
LARGEST = 1 << 62


def typed(key: str, text: str) -> tuple[Fact, ...]:
    """A fact from the text of its value; nothing where the text is no such value."""
    text = text.strip()[:LONGEST_VALUE]
    kind = _TYPES.get(key)
    if kind is None or not text:
        return ()
    if kind is FactType.VERSION:
        version = version_of(text)
        return () if version is None else (Fact(key, version),)
    if kind is FactType.INTEGER:
        return (Fact(key, int(text)),) if re.fullmatch(r"-?\d{1,18}", text) else ()
    if kind is FactType.BOOLEAN:
        return (Fact(key, text.lower() == "true"),) if text.lower() in ("true", "false") else ()
    return (Fact(key, (text,) if kind is FactType.TEXT_LIST else text),)


def version_of(text: str) -> Version | None:
    """The version that a text begins with; None where it begins with none."""
    found = re.match(r"v?(\d[\w.+!-]{0,60})", text.strip())
    try:
        return Version.parse(found[1]) if found else None
    except ValueError:
        return None


def bytes_of(text: str) -> int | None:
    """`64m`, `16Gi`, `8G`, `512 MB`, `65536` in bytes; decimal where Kubernetes means it so (`8G` of a pod does)."""
    match = re.fullmatch(r"\s*(\d{1,18}(?:\.\d{1,9})?)\s*([kKmMgGtTpP]?)(i?)[bB]?[ncp]?\s*", text)
    if match is None:
        return None
    value = float(match[1]) * _UNITS[match[2].lower()]
    return int(value) if value < LARGEST else None


def decimal_bytes_of(text: str) -> int | None:
    """A Kubernetes quantity: `8G` is 8e9 there, `8Gi` is 8 * 2**30."""
    match = re.fullmatch(r"\s*(\d{1,18}(?:\.\d{1,9})?)([kMGTP])\s*", text)
    if match is None:
        return bytes_of(text)
    value = float(match[1]) * _DECIMAL[match[2].lower()]
    return int(value) if value < LARGEST else None
