"""Reasons for "no GPU" that were seen directly, so that vaguer answers of CUDA need not be reported beside them.

Always decided: they say what was seen.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType

FACTS = (
    FactSpec("cuda.no_device_has_reason", FactType.BOOLEAN, "Whether something seen explains why CUDA lists no GPU."),
    FactSpec("driver.seen_mismatch", FactType.BOOLEAN, "Whether the driver's halves were seen to differ."),
)
INPUTS = (
    "device.control_node_errno",
    "device.uvm_node_errno",
    "device.gpu_node_errnos",
    "device.gpu_node_count",
    "driver.halves_agree",
    "libcuda.kind",
    "nvml.failure_code",
    "gpu.mig_without_slices",
    "gpu.compute_modes",
    "machine.has_device_nodes",
)
_FOREIGN = ("stub", "empty", "wrong_architecture", "unreadable", "absent")
_DRIVER_ERRORS = (4, 9, 15, 18)


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Nodes that are missing or refuse, a libcuda that is none, an answer of NVML, GPUs that are closed."""
    code = facts.number("nvml.failure_code")
    mismatch = facts.flag("driver.halves_agree") is False or code == 18
    yield Fact("driver.seen_mismatch", mismatch)
    nodes = facts.flag("machine.has_device_nodes") is True and _nodes_refuse(facts)
    closed = True in facts.elements("gpu.mig_without_slices") or "prohibited" in facts.elements("gpu.compute_modes")
    foreign = facts.text("libcuda.kind") in _FOREIGN
    yield Fact("cuda.no_device_has_reason", mismatch or nodes or closed or foreign or code in _DRIVER_ERRORS)


def _nodes_refuse(facts: Facts) -> bool:
    if any(facts.text(f"device.{name}_node_errno") not in (None, "") for name in ("control", "uvm")):
        return True
    return any(isinstance(one, str) and one != "" for one in facts.elements("device.gpu_node_errnos"))
