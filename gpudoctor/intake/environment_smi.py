"""nvidia-smi inside an environment report: its table, `-L`, `-q` as text and as XML, and what it says when it fails."""

from __future__ import annotations

import re
from collections.abc import Callable

from gpudoctor.intake import nvidia_smi
from gpudoctor.intake.statements import LISTED, MEASURED, MOST_ELEMENTS, Statements, version_in
from gpudoctor.model.fact import Element, Fact, Reason, Unknown

MIB = 1 << 20
_ROW = re.compile(r"^\s*\|\s*(?P<left>[^|\n]*)\|(?P<middle>[^|\n]*)\|(?P<right>[^|\n]*)\|?\s*$", re.MULTILINE)
_FIRST_ROW = re.compile(r"^\s*\d{1,3}\s+\S")
_BUS = re.compile(r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d")
_MEMORY = re.compile(r"(\d{1,9})\s?MiB\s{0,8}/\s{0,8}(\d{1,9})\s?MiB")
_MODES = {
    "default": "default",
    "e. process": "exclusive_process",
    "exclusive_process": "exclusive_process",
    "e. thread": "exclusive_thread",
    "exclusive_thread": "exclusive_thread",
    "prohibited": "prohibited",
}
_NOT_TOLD = Unknown(Reason.NO_DATA, "nvidia-smi did not tell")
_QUERY_HEAD = re.compile(r"=+NVSMI LOG=+|<nvidia_smi_log>")
_QUERY_GPU = re.compile(r"^GPU (?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d", re.MULTILINE)
_TAG = re.compile(r"<(?P<tag>[a-z0-9_]{1,40})>(?P<value>[^<>\n]{0,200})</(?P=tag)>")
# NVML as a whole did not start; a GPU that does not answer is another matter.
_NOT_STARTED = re.compile(r"NVIDIA-SMI|NVML|not found")
_XML_GPU = re.compile(r"<gpu id=")
_UNSET = {"", "n/a", "[n/a]", "not supported", "[not supported]", "unknown error", "[unknown error]"}
LONGEST = 4_000_000


def read_smi(text: str, stated: Statements) -> None:
    """State what any output of nvidia-smi in a text tells."""
    part = text[:LONGEST]
    if "NVIDIA-SMI" in part or "MiB" in part or "(UUID: " in part or "NVML" in part or "nvidia-smi" in part:
        for fact in nvidia_smi.read(part).facts:
            _take(fact, stated)
        _rows(part, stated)
    if "driver_version" in part or "memory.total" in part or "compute_cap" in part:
        _comma_separated(part, stated)
    head = _QUERY_HEAD.search(part)
    if head:
        (_xml if head[0].startswith("<") else _query)(part[head.start() :], stated)


def _take(fact: Fact, stated: Statements) -> None:
    if isinstance(fact.value, Unknown):
        return
    stated.add(fact.key, fact.value, LISTED if fact.key in ("gpu.names", "gpu.count") else MEASURED)
    if fact.key == "crash.nvidia_smi_error" and _NOT_STARTED.search(str(fact.value)):
        stated.add("nvml.init_text", fact.value, MEASURED)


def _rows(text: str, stated: Statements) -> None:
    """The two or three rows that each GPU has in the table."""
    gpus: list[dict[str, Element]] = []
    seen: set[str] = set()
    for match in _ROW.finditer(text):
        if _FIRST_ROW.match(match["left"]) and _BUS.search(match["middle"]):
            index = match["left"].split()[0]
            if index in seen:
                break  # the same table again, from another moment or another machine
            seen.add(index)
            uncorrected = match["right"].strip()
            gpus.append({"gpu.ecc_volatile_uncorrected": int(uncorrected)} if uncorrected.isdigit() else {})
        elif gpus:
            _second_row(match, gpus[-1])
    _columns(gpus, stated, LISTED)


def _second_row(match: re.Match[str], gpu: dict[str, Element]) -> None:
    memory = _MEMORY.search(match["middle"])
    if memory:
        gpu.setdefault("gpu.memory_used_bytes", int(memory[1]) * MIB)
        gpu.setdefault("gpu.memory_total_bytes", int(memory[2]) * MIB)
    right = match["right"].strip()
    load = re.match(r"(\d{1,3})%", right)
    if load:
        gpu.setdefault("gpu.utilisation_percent", int(load[1]))
    mode = next((name for word, name in _MODES.items() if right.lower().endswith(word)), "")
    if mode:
        gpu.setdefault("gpu.compute_modes", mode)
    elif memory is None and right in ("Enabled", "Disabled"):
        gpu.setdefault("gpu.mig_enabled", right == "Enabled")


def _columns(gpus: list[dict[str, Element]], stated: Statements, trust: int) -> None:
    """Turn one dictionary for each GPU into one list for each fact."""
    keys = dict.fromkeys(key for gpu in gpus for key in gpu)
    for key in keys:
        stated.add(key, tuple(gpu.get(key, _NOT_TOLD) for gpu in gpus[:MOST_ELEMENTS]), trust)


def _mib(text: str) -> Element | None:
    found = re.match(r"(\d{1,9}) MiB$", text)
    return int(found[1]) * MIB if found else None


def _mode(text: str) -> Element | None:
    return _MODES.get(text.lower())


def _number(text: str) -> Element | None:
    found = re.match(r"(\d{1,9})(?: %)?$", text)
    return int(found[1]) if found else None


def _enabled(text: str) -> Element | None:
    return {"enabled": True, "disabled": False}.get(text.lower())


def _name(text: str) -> Element | None:
    return text or None


# (section, field) of `-q` and of `-q -x`, in lower case with underscores -> fact and how to read it
_FIELDS: dict[tuple[str, str], tuple[str, Callable[[str], Element | None]]] = {
    ("", "product_name"): ("gpu.names", _name),
    ("", "compute_mode"): ("gpu.compute_modes", _mode),
    ("fb_memory_usage", "total"): ("gpu.memory_total_bytes", _mib),
    ("fb_memory_usage", "used"): ("gpu.memory_used_bytes", _mib),
    ("utilization", "gpu"): ("gpu.utilisation_percent", _number),
    ("utilization", "gpu_util"): ("gpu.utilisation_percent", _number),
    ("mig_mode", "current"): ("gpu.mig_enabled", _enabled),
    ("mig_mode", "current_mig"): ("gpu.mig_enabled", _enabled),
}
_HEADS = {"driver_version": "driver.version", "cuda_version": "driver.cuda_version"}


# Columns of `nvidia-smi --query-gpu=... --format=csv` -> the fact and how to read a cell.
_CSV_FACTS: dict[str, tuple[str, Callable[[str], Element | None]]] = {
    "name": ("gpu.names", _name),
    "gpu_name": ("gpu.names", _name),
    "memory.total": ("gpu.memory_total_bytes", _mib),
    "memory.used": ("gpu.memory_used_bytes", _mib),
    "compute_mode": ("gpu.compute_modes", _mode),
    "compute_cap": ("gpu.compute_capabilities", version_in),
}
_CSV_HEAD = re.compile(r"^\s{0,8}[a-z_.]{2,60}(?: \[\w{1,8}\])?(?:, ?[a-z_.]{2,60}(?: \[\w{1,8}\])?){0,40}\s*$")


def _comma_separated(text: str, stated: Statements) -> None:
    """A head that names the columns, and a row for each GPU below it."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        fields = [re.sub(r" \[\w{1,8}\]$", "", field.strip()) for field in line.split(",")]
        known = "driver_version" in fields or len(set(fields) & set(_CSV_FACTS)) > 1
        if not known or not _CSV_HEAD.match(line):
            continue
        gpus: list[dict[str, Element]] = []
        for row in lines[place + 1 : place + 1 + MOST_ELEMENTS]:
            cells = [cell.strip() for cell in row.split(",")]
            if len(cells) != len(fields) or not row.strip():
                break
            gpus.append(_csv_row(fields, cells, stated))
        if any(gpus):
            stated.add("gpu.count", len(gpus), MEASURED)
            _columns(gpus, stated, MEASURED)
            return


def _csv_row(fields: list[str], cells: list[str], stated: Statements) -> dict[str, Element]:
    gpu: dict[str, Element] = {}
    for field, cell in zip(fields, cells):
        if field == "driver_version":
            stated.say("driver.version", cell, MEASURED)
        elif field in _CSV_FACTS and cell.lower() not in _UNSET:
            key, read = _CSV_FACTS[field]
            value = read(cell)
            if value is not None:
                gpu.setdefault(key, value)
    return gpu


def _field(gpu: dict[str, Element], section: str, field: str, value: str) -> None:
    entry = _FIELDS.get((section, field))
    if entry is None or value.strip().lower() in _UNSET:
        return
    read = entry[1](value.strip())
    if read is not None:
        gpu.setdefault(entry[0], read)


def _finish(gpus: list[dict[str, Element]], stated: Statements) -> None:
    if gpus:
        stated.add("gpu.count", min(len(gpus), MOST_ELEMENTS), MEASURED)
    _columns(gpus, stated, MEASURED)


def _query(text: str, stated: Statements) -> None:
    """`nvidia-smi -q`: sections by indentation, `field : value`."""
    gpus: list[dict[str, Element]] = []
    section, section_depth = "", 0
    for line in text.split("\n"):
        if _QUERY_GPU.match(line):
            gpus.append({})
            section, section_depth = "", 0
            continue
        depth = len(line) - len(line.lstrip())
        label, colon, value = line.strip().partition(":")
        field = re.sub(r"\W+", "_", label.strip().lower())
        if not colon:
            section, section_depth = field, depth
            continue
        if depth <= section_depth:
            section = ""
        if gpus:
            _field(gpus[-1], section, field, value)
        elif field in _HEADS:
            stated.say(_HEADS[field], value, MEASURED)
    _finish(gpus, stated)


def _xml(text: str, stated: Statements) -> None:
    """`nvidia-smi -q -x`, tag by tag: it is often cut off, and then no XML parser reads it."""
    gpus: list[dict[str, Element]] = []
    section = ""
    for line in text.split("\n"):
        leaf = _TAG.search(line)
        if _XML_GPU.search(line):
            gpus.append({})
            section = ""
        elif leaf and not gpus and leaf["tag"] in _HEADS:
            stated.say(_HEADS[leaf["tag"]], leaf["value"], MEASURED)
        elif leaf and gpus:
            _field(gpus[-1], section, leaf["tag"], leaf["value"])
        elif re.match(r"\s*</", line):
            section = ""
        else:
            opened = re.match(r"\s*<([a-z0-9_]{1,40})>\s*$", line)
            section = opened[1] if opened else section
    _finish(gpus, stated)
