"""Documents: what people hand over, reduced to the lines that can matter and the facts that it states."""

from __future__ import annotations

from gpudoctor.model.fact import Fact
from gpudoctor.model.record import record

# The kinds that signatures may name in `documents`.
KINDS = (
    "log",
    "kernel_log",
    "container_inspect",
    "pod",
    "events",
    "slurm",
    "cgroup",
    "nvidia_smi",
    "package_list",
    "elastic_error",
    "core_files",
    "notes",
    "report",
    "environment",
)


@record
class Line:
    """One line worth matching. `number` counts from 1; `times` is how often its like was seen, digits aside."""

    number: int
    text: str
    times: int = 1


@record
class Document:
    """One piece of evidence.

    `lines` are those that hold a trigger word, in order; `facts` what a structured document states; `line_count`
    and `size_bytes` tell how much was read; `notes` what was not understood or left out, in plain words.
    """

    name: str
    kind: str
    lines: tuple[Line, ...] = ()
    facts: tuple[Fact, ...] = ()
    line_count: int = 0
    size_bytes: int = 0
    notes: tuple[str, ...] = ()
