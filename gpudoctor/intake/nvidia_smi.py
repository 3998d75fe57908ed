"""The output of nvidia-smi: its table in the layouts since 2016, its list, or the error that it gave instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import typed
from gpudoctor.model.fact import Fact

KIND = "nvidia_smi"
FACTS = ()
_HEAD = re.compile(r"NVIDIA-SMI\s+([\d.]{3,20})")
_DRIVER = re.compile(r"(?:Driver Version|KMD Version)\s*:\s*([\d.]{3,20})")
_CUDA = re.compile(r"CUDA (?:Version|UMD Version)\s*:\s*(\d{1,3}\.\d{1,2})")
_GPU = re.compile(
    r"^\s*\|\s+(?P<index>\d{1,3})\s{1,4}(?P<name>[^|\n]{3,40}?)\s+(?:On|Off|N/A|WDDM|TCC|MCDM)?\s*\|\s*[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:",
    re.MULTILINE,
)
_LISTED = re.compile(r"^\s*GPU (?P<index>\d{1,3}): (?P<name>[^\n(]{3,60}?) \(UUID: [^\n)]{1,60}\)", re.MULTILINE)
ERRORS = re.compile(
    r"NVIDIA-SMI has failed because[^\n]{0,200}|NVIDIA-SMI couldn't [^\n]{0,200}|Failed to initialize NVML[^\n]{0,200}"
    r"|No devices were found|Unable to determine the device handle[^\n]{0,200}|GPU is lost[^\n]{0,100}"
    r"|nvidia-smi: (?:command )?not found"
)


def recognises(beginning: str, name: str) -> float:
    """Its banner with the driver's version, its list of GPUs, or an error of its own as most of the text."""
    part = beginning[:65536]
    lines = [line for line in part.split("\n") if line.strip()]
    table = sum(1 for line in lines if line.lstrip()[:1] in ("|", "+"))
    if _HEAD.search(part) and _DRIVER.search(part):
        return 0.9 if table * 3 >= len(lines) else 0.4
    if _GPU.search(part) and table * 2 >= len(lines):
        return 0.8
    listed = len(_LISTED.findall(part)) + len(ERRORS.findall(part))
    return 0.7 if listed and listed * 2 >= len(lines) else 0.0


def read(document: str) -> Reading:
    """Versions, GPUs and the error; what it says in words is read as text besides."""
    return Reading(tuple(_facts(document[:1_000_000])))


def _facts(document: str) -> Iterator[Fact]:
    driver = _DRIVER.search(document) or _HEAD.search(document)
    if driver:
        yield from typed("driver.version", driver[1])
    cuda = _CUDA.search(document)
    if cuda:
        yield from typed("driver.cuda_version", cuda[1])
    named: dict[str, str] = {}
    for match in [*_GPU.finditer(document), *_LISTED.finditer(document)]:
        named.setdefault(match["index"], match["name"].strip())
    if named:
        yield Fact("gpu.count", len(named))
        yield Fact("gpu.names", tuple(named.values()))
    error = ERRORS.search(document)
    if error:
        yield Fact("crash.nvidia_smi_error", error[0].strip())
