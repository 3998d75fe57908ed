"""One-line banners in which programs tell of the torch and the GPU that they run on, and what pip says it installed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudoctor.intake import environment_values as values
from gpudoctor.intake.statements import INFERRED, LISTED, MEASURED, MOST_ELEMENTS, Statements

# Ultralytics: `Ultralytics 8.3.50 Python-3.11.10 torch-2.5.1+cu124 CUDA:0 (NVIDIA A100-SXM4-40GB, 40441MiB)`; the
# device is the one chosen for this run, so CPU tells nothing about the build.
_YOLO = re.compile(
    r"\b(?:YOLO|Ultralytics)\S{0,20}\b.{0,80}?\btorch[- ](?P<torch>\d\.\d{1,2}\.\d\S{0,30}) (?P<device>CPU|MPS|CUDA:\d)"
)
_YOLO_PYTHON = re.compile(r"\bPython-(?P<python>\d\.\d{1,2}\.\d{1,2}) torch-")
_YOLO_DEVICE = re.compile(r"\bCUDA:(?P<index>\d{1,2}) \((?P<name>[A-Z][^,\n]{2,60}), \d{3,6}(?:\.\d{1,3})? ?Mi?B\)")
# Unsloth: `Torch: 2.5.1+cu124. CUDA: 8.9. CUDA Toolkit: 12.4. Triton: 3.1.0`; its CUDA is the compute capability.
_UNSLOTH = re.compile(
    r"\b(?:Pyt|T)orch: (?P<torch>\d\.\d{1,2}\.\d\S{0,30}?)\. CUDA(?: =|:) (?P<capability>\d{1,2}\.\d)\. "
    r"CUDA Toolkit(?: =|:) (?P<cuda>\d{1,2}\.\d)\b(?:\. Triton(?: =|:) (?P<triton>\d\.\d\.\d))?"
)
_UNSLOTH_GPU = re.compile(
    r"(?:^|GPU: |[\\/|] {1,20}(?!GPU: ))(?P<name>[A-Z][^.\\/\n]{3,60})\. "
    r"(?:Num GPUs = (?P<count>\d{1,3})\. )?Max memory: \d"
)
# kohya_ss and SD.Next: `INFO     Torch 2.0.1+cu118`, `Torch detected GPU: NVIDIA L4 VRAM 22491 Arch (8, 9) Cores 60`.
_LOGGED = re.compile(r"\bINFO {1,12}(?:Torch|torch) (?P<torch>\d\.\d{1,2}\.\d\S{0,30})")
_DETECTED = re.compile(r"\bTorch detected GPU: (?P<name>[A-Z].{2,60}?) VRAM \d{3,6} ")
# ComfyUI: `Device: cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`, the one device that it took.
_COMFY = re.compile(r"\bcuda:(?P<index>\d{1,3}) (?P<name>[A-Z][^:\n]{2,60}?) : (?:native|cudaMallocAsync)\b")
_INSTALLED = re.compile(r"^\s{0,8}Successfully installed (?P<packages>\S.{0,20000})$")
_PACKAGE = re.compile(r"(?P<name>[A-Za-z][\w.-]{0,80}?)-(?P<version>\d[\w.+!]{0,60})$")


def read_banners(lines: Sequence[str], stated: Statements) -> set[int]:
    """State what banners tell; gives the places of the lines that were understood."""
    understood: set[int] = set()
    named: dict[int, str] = {}
    for place, line in enumerate(lines):
        if "orch" in line and (_yolo(line, stated) or _unsloth(line, stated) or _logged(line, stated)):
            understood.add(place)
        if "Max memory: " in line and _unsloth_gpu(line, stated):
            understood.add(place)
        for pattern in (_YOLO_DEVICE, _COMFY) if "cuda:" in line.lower() else ():
            for match in pattern.finditer(line):
                named.setdefault(int(match["index"]), match["name"].strip())
                understood.add(place)
    if named:
        # The devices of one run, which may not be all that there are.
        stated.add("gpu.names", tuple(named[index] for index in sorted(named))[:MOST_ELEMENTS], INFERRED)
        stated.add("torch.cuda_available", True, INFERRED)
    return understood


def installed(lines: Sequence[str]) -> list[tuple[int, str]]:
    """What pip installed, as `name==version`, each with the place of its line."""
    found = []
    for place, line in enumerate(lines):
        match = _INSTALLED.match(line) if "Successfully installed" in line else None
        for word in match["packages"].split() if match else ():
            package = _PACKAGE.match(word)
            if package:
                found.append((place, f"{package['name']}=={package['version']}"))
    return found


def _yolo(line: str, stated: Statements) -> bool:
    match = _YOLO.search(line)
    if match is None:
        return False
    values.torch_version(stated, match["torch"], LISTED)
    stated.add("torch.import_outcome", "imported", LISTED)
    if match["device"].startswith("CUDA"):
        stated.add("torch.cuda_available", True, MEASURED)
    python = _YOLO_PYTHON.search(line)
    if python:
        values.python(stated, python["python"], LISTED)
    return True


def _unsloth(line: str, stated: Statements) -> bool:
    match = _UNSLOTH.search(line)
    if match is None:
        return False
    values.torch_version(stated, match["torch"], LISTED)
    values.built_cuda(stated, match["cuda"], LISTED)
    stated.add("torch.import_outcome", "imported", LISTED)
    if match["triton"]:
        stated.say("triton.version", match["triton"], LISTED)
    return True


def _logged(line: str, stated: Statements) -> bool:
    torch, gpu = _LOGGED.search(line), _DETECTED.search(line)
    if torch:
        values.torch_version(stated, torch["torch"], LISTED)
        stated.add("torch.import_outcome", "imported", LISTED)
    if gpu:
        stated.add("gpu.names", (gpu["name"].strip(),), INFERRED)
        stated.add("torch.cuda_available", True, INFERRED)
    return bool(torch or gpu)


def _unsloth_gpu(line: str, stated: Statements) -> bool:
    match = _UNSLOTH_GPU.search(line)
    if match is None:
        return False
    stated.add("gpu.names", (match["name"].strip(),), INFERRED)
    stated.add("torch.cuda_available", True, INFERRED)
    if match["count"] and 0 < int(match["count"]) <= MOST_ELEMENTS:
        stated.add("gpu.count", int(match["count"]), LISTED)
    return True
