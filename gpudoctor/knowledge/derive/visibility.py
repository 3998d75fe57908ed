"""What environment variables hide from CUDA, and what the container was given of the driver."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("env.hides_all_gpus", FactType.BOOLEAN, "Whether CUDA_VISIBLE_DEVICES hides every GPU."),
    FactSpec("env.names_missing_gpu", FactType.BOOLEAN, "Whether CUDA_VISIBLE_DEVICES names a GPU that is not there."),
    FactSpec("env.first_missing_gpu", FactType.TEXT, "The first entry of CUDA_VISIBLE_DEVICES that names no GPU."),
    FactSpec("container.driver_parts", FactType.TEXT_LIST, "The driver capabilities that the container was given."),
    FactSpec(
        "env.ld_library_path_stubs", FactType.BOOLEAN, "Whether LD_LIBRARY_PATH holds a folder of stub libraries."
    ),
    FactSpec("env.ld_library_path_toolkit", FactType.TEXT, "A CUDA toolkit or cuDNN folder on LD_LIBRARY_PATH."),
)
INPUTS = (
    "env.cuda_visible_devices",
    "gpu.count",
    "nvml.device_count",
    "device.gpu_node_count",
    "container.nvidia_driver_capabilities",
    "env.ld_library_path",
)
NOT_SET = Unknown(Reason.NOT_APPLICABLE, "CUDA_VISIBLE_DEVICES is not set")
_TOOLKIT = r"/(?:cuda(?:-\d+(?:\.\d+)?)?|cudnn[^/]*)(?:/targets/[^/]+)?/lib(?:64)?/?$"
_ALL_PARTS = ("compute", "compat32", "graphics", "utility", "video", "display", "ngx")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """CUDA reads its variable from left to right and stops at the first entry that names no GPU."""
    yield from _visible(facts)
    parts = facts.text("container.nvidia_driver_capabilities")
    if parts is None:
        why = facts["container.nvidia_driver_capabilities"]
        unset = Unknown(Reason.NOT_APPLICABLE, "the defaults hold: compute and utility")
        unseen = isinstance(why, Unknown) and why.reason not in (Reason.NOT_APPLICABLE, Reason.NO_DATA)
        yield Fact("container.driver_parts", why if unseen else unset)
    else:
        named = tuple(part.strip().lower() for part in parts.split(",") if part.strip())
        yield Fact("container.driver_parts", _ALL_PARTS if "all" in named else named or ("compute", "utility"))
    folders = [part for part in (facts.text("env.ld_library_path") or "").split(":") if part]
    yield Fact("env.ld_library_path_stubs", any(part.rstrip("/").endswith("/stubs") for part in folders))
    toolkit = next((part for part in folders if re.search(_TOOLKIT, part)), "")
    none = Unknown(Reason.NOT_APPLICABLE, "no such folder on LD_LIBRARY_PATH")
    yield Fact("env.ld_library_path_toolkit", toolkit or none)


def _visible(facts: Facts) -> Iterable[Fact]:
    given = facts.text("env.cuda_visible_devices")
    if given is None:
        value = facts["env.cuda_visible_devices"]
        why = value if isinstance(value, Unknown) and value.detail else NOT_SET
        hidden = False if why.reason in (Reason.NOT_APPLICABLE, Reason.NO_DATA) else why
        yield Fact("env.hides_all_gpus", hidden)
        yield Fact("env.names_missing_gpu", hidden)
        yield Fact("env.first_missing_gpu", why)
        return
    entries = [entry.strip() for entry in given.split(",")]
    number = re.fullmatch(r"-?\d+", entries[0]) if entries else None
    first_is_none = entries[0].lower() in ("", "nodevfiles", "none", "void") or bool(number and int(entries[0]) < 0)
    yield Fact("env.hides_all_gpus", first_is_none)
    missing = _first_missing(entries, facts)
    unnamed = Unknown(Reason.NOT_APPLICABLE, "every entry names a GPU")
    yield Fact("env.names_missing_gpu", False if first_is_none else _yes_or_why(missing))
    yield Fact("env.first_missing_gpu", unnamed if first_is_none or missing == "" else missing)


def _yes_or_why(missing: str | Unknown) -> Value | Unknown:
    return missing if isinstance(missing, Unknown) else bool(missing)


def _first_missing(entries: list[str], facts: Facts) -> str | Unknown:
    count = next((n for key in ("nvml.device_count", "device.gpu_node_count") if (n := facts.number(key))), None)
    count = count or facts.number("gpu.count")
    for entry in entries:
        if not re.fullmatch(r"-?\d+", entry):
            continue  # GPU and MIG identifiers; which of them exist is not compared here
        if count is None:
            return Unknown(Reason.NO_DATA, "how many GPUs there are is not known")
        if not 0 <= int(entry) < count:
            return entry
    return ""
