"""The processor: vector extensions that numerical libraries need, and how much of it this process may use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, keyed_texts, names_in, read_clean
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("cpu.model", FactType.TEXT, "The processor's name."),
    FactSpec("cpu.count", FactType.INTEGER, "Logical processors of the machine."),
    FactSpec("cpu.usable_count", FactType.INTEGER, "Logical processors that this process may run on (affinity)."),
    FactSpec("cpu.affinity", FactType.TEXT, "Those processors as the kernel lists them, as in `0-7,16-23`."),
    FactSpec("cpu.socket_count", FactType.INTEGER, "Processor packages."),
    FactSpec("cpu.numa_node_count", FactType.INTEGER, "NUMA nodes of the machine."),
    FactSpec("cpu.numa_affinity", FactType.TEXT, "NUMA nodes that this process may take memory from."),
    FactSpec("cpu.flags", FactType.TEXT_LIST, "Instruction-set extensions that numerical libraries ask for."),
)
_RELEVANT = re.compile(
    r"sse3|pni|ssse3|sse4_[12]|popcnt|fma|f16c|bmi[12]|avx\w*|amx_\w+|lm|hypervisor"
    r"|neon|asimd\w*|sve\w*|i8mm|bf16|fp16|fphp|atomics|sme2?"
)


def parse_cpuinfo(text: str) -> Mapping[str, object]:
    """`model`, `sockets` and `flags` of /proc/cpuinfo on x86-64 or aarch64. ValueError when it lists no processor."""
    fields = keyed_texts(text)
    if "processor" not in fields and "Processor" not in fields:
        raise ValueError("/proc/cpuinfo lists no processor")
    flags = fields.get("flags", fields.get("Features", "")).split()
    return {
        "model": fields.get("model name") or fields.get("Model") or _arm_model(fields),
        "sockets": len(set(re.findall(r"^physical id\s*:\s*(\d{1,6})", text, re.MULTILINE))),
        "flags": tuple(flag for flag in flags if _RELEVANT.fullmatch(flag)),
    }


# Of the implementers and parts that ARM's manuals list, those found in machines with NVIDIA GPUs.
_ARM_PARTS = {
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x4e", "0x004"): "Carmel",
}


def _arm_model(fields: Mapping[str, str]) -> str:
    return _ARM_PARTS.get((fields.get("CPU implementer", ""), fields.get("CPU part", "")), "")


def _usable(who: Mapping[str, object]) -> int | Unknown:
    allowed = who.get("cpus_allowed")
    if isinstance(allowed, (list, tuple)):
        return len(allowed)
    if isinstance(allowed, int) and not isinstance(allowed, bool):
        return allowed
    return Unknown(Reason.NO_DATA, "the system does not tell the affinity")


def _status(host: Host, name: str) -> str | Unknown:
    text = keyed_texts(read_clean(host, "/proc/self/status")).get(name)
    return text or Unknown(Reason.NO_DATA, f"/proc/self/status has no {name}")


def _numa_nodes(host: Host) -> int | Unknown:
    nodes = [name for name in names_in(host, "/sys/devices/system/node") if re.fullmatch(r"node\d{1,4}", name)]
    return len(nodes) or Unknown(Reason.NO_DATA, "/sys/devices/system/node lists no node")


def collect(host: Host) -> Iterable[Fact]:
    """The cpu.* facts."""
    who = host.identity()
    count = who.get("cpu_count")
    yield Fact("cpu.count", count if isinstance(count, int) else Unknown(Reason.NO_DATA, "the system does not say"))
    yield Fact("cpu.usable_count", _usable(who))
    yield fact("cpu.affinity", lambda: _status(host, "Cpus_allowed_list"))
    yield fact("cpu.numa_affinity", lambda: _status(host, "Mems_allowed_list"))
    yield fact("cpu.numa_node_count", lambda: _numa_nodes(host))
    info = attempt(lambda: parse_cpuinfo(read_clean(host, "/proc/cpuinfo", 200_000)))
    if isinstance(info, Unknown):
        for key in ("cpu.model", "cpu.socket_count", "cpu.flags"):
            yield Fact(key, info)
        return
    unsaid = Unknown(Reason.NO_DATA, "/proc/cpuinfo does not say")
    model, sockets, flags = info["model"], info["sockets"], info["flags"]
    yield Fact("cpu.model", model if isinstance(model, str) and model else unsaid)
    yield Fact("cpu.socket_count", sockets if isinstance(sockets, int) and sockets else unsaid)
    yield Fact("cpu.flags", flags if isinstance(flags, tuple) and flags else unsaid)
