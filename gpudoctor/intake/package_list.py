"""Installed packages as `pip list`, `pip freeze`, `uv pip list` or `conda list` print them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import typed
from gpudoctor.model.fact import Fact

KIND = "package_list"
FACTS = ()
_FROZEN = re.compile(r"^\s*(?P<name>[A-Za-z][\w.-]{0,80})==(?P<version>[\w.+!-]{1,60})\s*(?:;.{0,200})?$", re.MULTILINE)
_LISTED = re.compile(
    r"^[ \t]{0,4}(?P<name>[A-Za-z][\w.-]{0,80})[ \t]+v?(?P<version>\d[\w.+!-]{0,60})(?:[ \t]+\S{1,200}){0,3}[ \t]*$",
    re.MULTILINE,
)
_HEADS = re.compile(r"^\s*Package\s+Version\b|^# packages in environment at|^#\s+Name\s+Version\s+Build", re.MULTILINE)
_FACTS = {
    "torch": "torch.version",
    "pytorch": "torch.version",
    "torchvision": "torchvision.version",
    "torchaudio": "torchaudio.version",
    "triton": "triton.version",
    "numpy": "numpy.version",
    "python": "python.version",
    "cudnn": "cudnn.version",
    "nccl": "nccl.version",
}
_WHEELS = ((re.compile(r"nvidia-cudnn-cu\d+"), "cudnn.version"), (re.compile(r"nvidia-nccl-cu\d+"), "nccl.version"))
GPU_STACK = re.compile(
    r"torch|triton|numpy|nvidia|cuda|cudnn|nccl|xformers|flash|deepspeed|bitsandbytes|vllm|sglang|apex|jax|tensorflow"
    r"|transformers|accelerate|lightning|ray|peft|trl|onnxruntime|cupy|protobuf|mmcv|pynvml"
)
MOST_PACKAGES = 5_000


def recognises(beginning: str, name: str) -> float:
    """A header of one of the tools, or lines of names and versions only."""
    part = beginning[:65536]
    lines = [line for line in part.split("\n") if line.strip() and line.lstrip()[0] not in "#-"]
    frozen, listed = len(_FROZEN.findall(part)), len(_LISTED.findall(part))
    if _HEADS.search(part) and listed * 2 >= len(lines):
        return 0.9
    if frozen >= 1 and frozen * 10 >= len(lines) * 7:
        return 0.85
    return 0.6 if listed >= 3 and listed * 10 >= len(lines) * 9 and GPU_STACK.search(part) else 0.0


def read(document: str) -> Reading:
    """Versions of the GPU stack; further packages are counted out."""
    found: dict[str, str] = {}
    for pattern in (_FROZEN, _LISTED):
        for match in pattern.finditer(document[:4_000_000]):
            found.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
            if len(found) >= MOST_PACKAGES:
                break
    return Reading(tuple(_facts(found)))


def _facts(found: dict[str, str]) -> Iterator[Fact]:
    stated: set[str] = set()
    for name, version in found.items():
        key = _FACTS.get(name) or next((fact for pattern, fact in _WHEELS if pattern.fullmatch(name)), "")
        if key and key not in stated:
            stated.add(key)
            # The wheels of cuDNN carry a fourth number, the library itself has three.
            shown = ".".join(version.split(".")[:3]) if key in ("cudnn.version", "nccl.version") else version
            yield from typed(key, shown)
    built = re.search(r"\+cu(\d{2,3})\b", found.get("torch", ""))
    if built:
        yield from typed("torch.cuda_version", f"{built[1][:-1]}.{built[1][-1]}")
    stack = tuple(f"{name}=={version}" for name, version in sorted(found.items()) if GPU_STACK.search(name))
    if stack:
        yield Fact("packages.names_versions", stack)
