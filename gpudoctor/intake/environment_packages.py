"""Packages in environment reports: `[pip3]` and `[conda]` lines, pip and conda lists, Lightning's and others' lists."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudoctor.intake import environment_values as values
from gpudoctor.intake.package_list import GPU_STACK
from gpudoctor.intake.statements import INFERRED, LISTED, MEASURED, STATED, TOLD, Statements, version_in

_PIP = re.compile(
    r"^\s{0,40}(?:\[pip3?\]|[-*])?\s{0,4}\"?(?P<name>[A-Za-z][\w.-]{0,80})(?:\[[\w,-]{1,60}\])?={2,3}"
    r"(?P<version>\d[\w.+!-]{0,60})(?:\",?)?\s*(?:;.{0,200})?$"
)
_CONDA = re.compile(
    r"^\s{0,8}\[(?:conda|pip3?)\]\s{0,4}(?P<name>[A-Za-z_][\w.-]{0,80})\s{1,60}v?(?P<version>\d[\w.+!-]{0,60})"
    r"(?:\s{1,60}(?P<build>[\w.+-]{1,80}))?(?:\s{1,60}\S{1,120})?\s*$"
)
# `conda list --export`, `conda env export`: name=version=build
_EXPORTED = re.compile(
    r"^\s{0,8}(?:- )?(?P<name>[a-z_][\w.-]{0,60})=(?P<version>\d[\w.+!]{0,40})=(?P<build>[\w.]{1,80})\s*$"
)
# `poetry show`: a description follows
_DESCRIBED = re.compile(
    r"^(?P<name>[A-Za-z][\w.-]{0,60})\s{2,60}(?P<version>\d{1,4}(?:\.\w{1,12}){1,5}(?:\+[\w.]{1,40})?)\s{1,40}[A-Z].{5,300}$"
)
# `pip list --format=json`
_JSON = re.compile(r'\{"name": "(?P<name>[A-Za-z][\w.-]{0,60})", "version": "(?P<version>\d[\w.+!-]{0,40})"')
_AT = re.compile(
    r"^\s{0,8}(?P<name>[A-Za-z][\w.-]{0,80}) @ \S{0,400}/[\w.]{1,80}-(?P<version>\d[\w.+%]{0,40})-\S{1,80}\.whl"
)
_SHOWN = re.compile(r"^Name: (?P<name>[A-Za-z][\w.-]{0,80})$")
_SHOWN_VERSION = re.compile(r"^Version: (?P<version>\d[\w.+!-]{0,60})$")
# `pip list`, `uv pip list` and `conda list` in a text of many things: two columns, the second a version.
_COLUMNS = re.compile(
    r"^\s{0,8}(?P<name>[A-Za-z_][\w.-]{0,80})\s{2,80}v?(?P<version>\d{1,4}(?:\.\w{1,12}){1,5}(?:[+!-][\w.]{1,40})?)"
    r"(?:\s{1,60}(?P<build>\S{1,120})){0,1}(?:\s{1,60}\S{1,200})?\s*$"
)
# `torch 2.6.0`, all that a line says: what people type of their environment.
_TYPED = re.compile(
    r"^\s{0,8}(?:[-*\u2022]\s{1,4})?(?P<name>(?i:python|pytorch|torch|torchvision|torchaudio|numpy|triton|flash[-_]attn|xformers"
    r"|transformers|accelerate|deepspeed|vllm|bitsandbytes)) v?(?P<version>\d{1,2}\.\d[\w.+]{0,40})\s*$"
)
# Lightning's `- torch:  1.13.1+cu116` within a list of packages.
_LABELLED = re.compile(r"^\s{0,40}[-*]\s(?P<name>[a-z][\w.-]{0,60}):\s{1,40}(?P<version>\d[\w.+]{0,40})\s*$")
_CONFLICT = re.compile(
    r"^(?:ERROR: )?(?P<name>[A-Za-z][\w.-]{0,60}) (?P<version>\d[\w.+]{0,40}) (?:requires|has requirement) "
    r"[A-Za-z][^\n]{1,120}?,? but you(?:'ll)? have (?P<other>[A-Za-z][\w.-]{0,60}) (?P<have>\d[\w.+]{0,40})"
)
# `My environment is `torch==1.7.1+cu110``: told as what is there, and not as what to install or what once worked.
_QUOTED = re.compile(r"`(?P<name>[A-Za-z][\w.-]{0,60})={2,3}(?P<version>\d[\w.+]{0,40})`")
_OWN = re.compile(r"\b(?:my|our|i have|i'm using|i am using|i use|we use|current(?:ly)?|running)\b", re.IGNORECASE)
_NOT_OWN = re.compile(
    r"\b(?:install\w*|upgrad\w*|downgrad\w*|updat\w*|tr(?:y|ied|ying)|switch\w*|should|would|could|need\w*"
    r"|requir\w*|work\w*|fix\w*|instead|pin\w*|before|until|old|last|previous\w*|not|don't|without|solv\w*)\b",
    re.IGNORECASE,
)
_BUILD_CUDA = re.compile(r"(?:^|_)(?:cuda|cu)_?(\d{1,2}\.\d{1,2}(?:\.\d{1,4})?|\d{2,3})(?=_|$)")
_NAMES = {
    "pytorch": "torch",
    "pytorch-gpu": "torch",
    "pytorch-cpu": "torch",
    "flash-attn": "flash_attn",
    "nvidia-ml-py": "nvidia_ml_py",
    "nvidia-ml-py3": "nvidia_ml_py",
    "onnxruntime-gpu": "onnxruntime_gpu",
    "transformer-engine": "transformer_engine",
    "pytorch-triton": "triton",
    "pytorch-lightning": "lightning",
}
_WHEELS = (("cudnn", re.compile(r"nvidia-cudnn-cu\d{2}")), ("nccl", re.compile(r"nvidia-nccl-cu\d{2}")))
MOST_PACKAGES = 5_000


def read_packages(lines: Sequence[str], stated: Statements) -> set[int]:
    """State the versions of the GPU stack; gives the places of the lines that were understood."""
    understood: set[int] = set()
    stack: dict[str, None] = {}
    for place, line in enumerate(lines):
        for entry in _JSON.finditer(line) if '{"name": "' in line else ():
            understood.add(place)
            _take(_plain(entry["name"]), entry["version"], stack, stated)
        match = _match(line)
        if match is None:
            typed = _TYPED.match(line)
            if typed:
                understood.add(place)
                _typed(_plain(typed["name"]), typed["version"], stated)
            shown = _SHOWN_VERSION.match(line)
            named = _SHOWN.match(lines[place - 1]) if shown and place else None
            if shown and named:
                understood |= {place - 1, place}
                _state(_plain(named["name"]), shown["version"], stated, LISTED)
            continue
        understood.add(place)
        groups = match.groupdict()
        if "other" in groups:
            _state(_plain(match["other"]), match["have"], stated, MEASURED)
        name = _plain(match["name"])
        _take(name, match["version"], stack, stated)
        if name in ("pytorch", "torch") and groups.get("build"):
            _conda_build(match["build"], stated)
    understood |= _told(lines, stated)
    if stack:
        stated.add("packages.names_versions", tuple(sorted(stack)), LISTED)
    return understood


def _take(name: str, version: str, stack: dict[str, None], stated: Statements) -> None:
    _state(name, version, stated, LISTED)
    if GPU_STACK.search(name) and len(stack) < MOST_PACKAGES:
        stack.setdefault(f"{name}=={version}")


def _typed(name: str, version: str, stated: Statements) -> None:
    if name == "python":
        values.python(stated, version, TOLD)
    else:
        _state(name, version, stated, TOLD)


def _told(lines: Sequence[str], stated: Statements) -> set[int]:
    """Versions that a sentence gives of the writer's own environment."""
    understood = set()
    for place, line in enumerate(lines):
        if "==" in line and "`" in line and _OWN.search(line) and not _NOT_OWN.search(line):
            for match in _QUOTED.finditer(line):
                _state(_plain(match["name"]), match["version"], stated, TOLD)
                understood.add(place)
    return understood


def _match(line: str) -> re.Match[str] | None:
    patterns = (_PIP, _CONDA, _EXPORTED, _AT, _LABELLED, _COLUMNS, _DESCRIBED, _CONFLICT)
    return next((match for match in (pattern.match(line) for pattern in patterns) if match), None)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _state(name: str, version: str, stated: Statements, trust: int) -> None:
    version = version.replace("%2B", "+")
    if name == "pytorch-cuda":
        stated.add("torch.build", "cuda", LISTED)
        stated.say("torch.cuda_version", version, INFERRED)
        return
    if name in ("torch", "pytorch", "pytorch-gpu", "pytorch-cpu"):
        found = version_in(version)
        if found is not None:
            if stated.add("torch.version", found, trust):
                values.build_of(stated, found, trust)
            stated.add("torch.installed", True, trust)
        return
    key = f"{_NAMES.get(name, name)}.version"
    # The wheel of cuDNN or NCCL is the library that torch loads, whatever else lies on the machine.
    library = next((found for found, pattern in _WHEELS if pattern.fullmatch(name)), "")
    if library:
        stated.say(f"{library}.version", version, MEASURED)
    elif key in STATED and name not in ("driver", "glibc", "python"):
        stated.say(key, version, trust)
    elif name == "python":
        stated.say(key, version, TOLD)


def _conda_build(build: str, stated: Statements) -> None:
    """`py3.10_cuda11.8_cudnn8.7.0_0`, `cuda118_py310h...`, `py3.9_cpu_0`: what a build string of conda tells."""
    found = _BUILD_CUDA.search(re.sub(r"^py\d\.?\d{1,2}_", "", build))
    if found:
        number = found[1] if "." in found[1] else f"{found[1][:-1]}.{found[1][-1]}"
        stated.add("torch.build", "cuda", LISTED)
        stated.say("torch.cuda_version", number, LISTED)
    elif re.search(r"(?:^|_)cpu(?:_|$)", build):
        stated.add("torch.build", "cpu", LISTED)
