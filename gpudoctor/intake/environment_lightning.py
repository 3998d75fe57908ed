"""The report of PyTorch Lightning: sections by indentation, of which only those on CUDA and the system need a place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudoctor.intake import environment_values as values
from gpudoctor.intake.statements import LISTED, MEASURED, Statements

_SECTION = re.compile(r"^\s{0,8}\* (?P<name>[A-Za-z][\w ]{1,30}):\s*$")
_ENTRY = re.compile(r"^\s{0,40}- (?P<label>[A-Za-z]\w{0,30}):\s{0,40}(?P<value>\S.{0,200})?$")
_ITEM = re.compile(r"^\s{1,40}- (?P<name>[A-Z][\w .-]{2,60})$")


def read_lightning(lines: Sequence[str], stated: Statements) -> set[int]:
    """State what its sections tell; gives the places of the lines that were understood."""
    section = listing = ""
    gpus: list[str] = []
    understood: set[int] = set()
    for place, line in enumerate(lines):
        head = _SECTION.match(line)
        if head:
            section, listing = head["name"].lower(), ""
            understood.add(place)
            continue
        if section not in ("cuda", "system") or not line.strip():
            continue
        entry, item = _ENTRY.match(line), _ITEM.match(line)
        if item and listing == "gpu" and item["name"] != "None":
            gpus.append(item["name"].strip())
            understood.add(place)
        elif entry:
            listing = entry["label"].lower() if not entry["value"] else ""
            understood.add(place)
            _entry(section, entry["label"].lower(), entry["value"] or "", stated)
        elif not line.lstrip().startswith("-"):
            section = ""
    if gpus:
        stated.add("gpu.names", tuple(gpus[:1_024]), MEASURED)
        stated.add("gpu.count", len(gpus[:1_024]), MEASURED)
    return understood


def _entry(section: str, label: str, value: str, stated: Statements) -> None:
    if not value:
        return
    if section == "cuda" and label == "available":
        values.cuda_available(stated, value, MEASURED)
    elif section == "cuda" and label == "version":
        values.built_cuda(stated, value, LISTED)
    elif section == "system" and label == "python":
        values.python(stated, value, MEASURED)
    elif section == "system" and label == "release":
        stated.say("kernel.release", value, LISTED)
    elif section == "system" and label == "os":
        stated.say("kernel.name", value, LISTED)
