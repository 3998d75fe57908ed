"""Lists of GPUs in environment reports: `GPU 0: ...` lines, SGLang's and mmcv's `GPU 0,1,2: ...`, warp's `cuda:0`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudoctor.intake.statements import INFERRED, LISTED, MEASURED, MOST_ELEMENTS, Statements
from gpudoctor.model.fact import Element, Reason, Unknown
from gpudoctor.model.version import Version

_NAMED = re.compile(
    r"^\s{0,40}[-*'\"]{0,2}\s{0,4}(?:GPU models and configuration\s{0,9}:\s{0,4})?"
    r"GPU (?P<indices>\d{1,3}(?:-\d{1,3}|(?:,\d{1,3}){0,255}))"
    r"['\"]?\s{0,40}: ['\"]?(?P<name>[A-Za-z][^\n(]{2,80}?(?: \(nvgpu\))?)['\"]?,?\s{0,8}"
    r"(?:\((?:UUID: [^)]{0,60}|[^()]{1,40})\)?)?$"
)
_ELLIPSIS = re.compile(r"\s{1,4}\.{3}$")
_CAPABILITY = re.compile(
    r"^\s{0,40}['\"]?GPU (?P<indices>\d{1,3}(?:,\d{1,3}){0,255}) Compute Capability['\"]?\s{0,20}: "
    r"['\"]?(?P<value>\d{1,2}\.\d)"
)
_CUDA_DEVICE = re.compile(r"[\"'\s(]cuda:(?P<index>\d{1,3})[\"']?\b[^\n]{0,120}?\bsm_(?P<arch>\d{2,3})\b")
_TOPOLOGY = re.compile(r"^(?:GPU topology\s{0,9}:)?\s{0,40}GPU0\s.{0,2000}CPU Affinity")
_FOUND = re.compile(r"Found GPU(?P<index>\d{1,3}) (?P<name>[^\n]{3,60}?) which is of (?:compute |cuda )capability")
_PROBLEM = re.compile(
    r"(?P<name>[A-Z][^\n]{3,60}?) with CUDA capability sm_(?P<arch>\d{2,3}) is not compatible with the current PyTorch"
)


def read_gpus(lines: Sequence[str], stated: Statements) -> set[int]:
    """State the lists of a document; gives the places of the lines that were understood."""
    names: dict[int, str] = {}
    capabilities: dict[int, str] = {}
    understood: set[int] = set()
    for place, line in enumerate(lines):
        if "GPU " in line:
            for pattern, kept, group in ((_NAMED, names, "name"), (_CAPABILITY, capabilities, "value")):
                match = pattern.match(line)
                if match:
                    understood.add(place)
                    for index in _numbers(match["indices"]):
                        kept.setdefault(index, _ELLIPSIS.sub("", match[group].strip()))
    if names and len(names) <= max(names):
        # Somebody left lines out: what is there is what was named, not all.
        stated.add("gpu.names", tuple(dict.fromkeys(names.values()))[:MOST_ELEMENTS], INFERRED)
    elif names:
        listed = tuple(names[index] for index in sorted(names))[:MOST_ELEMENTS]
        stated.add("gpu.names", listed, MEASURED)
        stated.add("gpu.count", len(listed), MEASURED)
    if capabilities and len(capabilities) > max(capabilities) and (not names or len(capabilities) == len(names)):
        values = tuple(Version.parse(capabilities[index]) for index in sorted(capabilities))
        stated.add("gpu.compute_capabilities", values[:MOST_ELEMENTS], MEASURED)
    topology = next((line for line in lines if _TOPOLOGY.match(line)), "")
    if topology:
        stated.add("gpu.count", len(set(re.findall(r"\bGPU\d{1,3}\b", topology))), INFERRED)
    return understood | _mentioned(lines, stated)


def _numbers(indices: str) -> list[int]:
    """`0,1,2` and, where somebody abbreviated it, `0-7`."""
    first, dash, last = indices.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(index) for index in indices.split(",")]


def _mentioned(lines: Sequence[str], stated: Statements) -> set[int]:
    """GPUs that a message speaks of: what it does not mention may be there as well."""
    found: dict[int, str] = {}
    named: list[Element] = []
    understood: set[int] = set()
    for place, line in enumerate(lines):
        device = _CUDA_DEVICE.search(f" {line}")
        if device:
            found.setdefault(int(device["index"]), f"{device['arch'][:-1]}.{device['arch'][-1]}")
            understood.add(place)
        told = _FOUND.search(line) or _PROBLEM.search(line)
        if told:
            understood.add(place)
            name = re.sub(r"^.*(?:UserWarning|WARNING): {0,4}", "", told["name"]).strip()
            if name not in named:
                named.append(name)
    if found:
        size = min(max(found) + 1, MOST_ELEMENTS)
        gap = Unknown(Reason.NO_DATA, "the text does not mention it")
        values: list[Element] = [Version.parse(found[index]) if index in found else gap for index in range(size)]
        stated.add("gpu.compute_capabilities", tuple(values), LISTED)
        stated.add("gpu.count", size, LISTED)
    if named:
        stated.add("gpu.names", tuple(named[:MOST_ELEMENTS]), INFERRED)
    return understood
