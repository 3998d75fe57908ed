"""Which distributions are installed, read from the names of their metadata folders without importing anything.

`importlib.metadata` opens a file for every package and costs more than starting Python; names of folders tell enough
for most of them. METADATA itself is read for the packages that decide whether a GPU can be used, and only for those.
"""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METADATA_LIMIT = 262_144
PACKAGE_LIMIT = 20_000
GPU_STACK = frozenset(
    (
        "torch torchvision torchaudio torchtext torchdata torchao torchcodec triton triton-nightly numpy transformers "
        "accelerate deepspeed flash-attn flash-attn-3 flashinfer flashinfer-python xformers bitsandbytes vllm sglang "
        "sgl-kernel lightning pytorch-lightning jax jaxlib tensorflow tensorflow-cpu tensorrt protobuf apex peft trl "
        "onnxruntime onnxruntime-gpu mpi4py ray unsloth auto-gptq gptqmodel autoawq mamba-ssm causal-conv1d "
        "transformer-engine megatron-core numba scipy diffusers datasets tokenizers safetensors timm optimum kornia "
        "horovod fairscale intel-extension-for-pytorch ninja cmake setuptools pillow pynvml nvidia-ml-py ctranslate2"
    ).split()
)
GPU_PREFIXES = ("nvidia-", "pytorch-triton", "cupy", "opencv", "jax-cuda", "cuda-", "torch-", "tensorrt", "onnxruntime")
SUFFIXES = (".dist-info", ".egg-info", ".egg-link")


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(name: str) -> bool:
    """Whether METADATA of this distribution is worth opening."""
    return name in GPU_STACK or name.startswith(GPU_PREFIXES)


def scan() -> dict[str, Any]:
    """All distributions on `sys.path` in its order: `places`, `packages` as [name, version, place], and details.

    The working directory, which stands first, is left out: metadata there is that of a source checkout.
    """
    found: dict[str, Any] = {"places": [], "packages": [], "details": [], "broken": [], "unreadable": [], "cut": False}
    seen = set()
    for entry in sys.path[1:] if starts_here() else sys.path:
        place = entry or os.curdir
        try:
            real = os.path.realpath(place)
            if real in seen:
                continue
            seen.add(real)
            names = sorted(os.listdir(place))
        except NotADirectoryError:
            continue  # an archive
        except FileNotFoundError:
            continue
        except OSError as error:
            found["unreadable"].append([place, "%s: %s" % (type(error).__name__, error)])
            continue
        found["places"].append(place)
        scan_place(place, len(found["places"]) - 1, names, found)
    return found


def starts_here() -> bool:
    """Whether the first entry of the path is the working directory."""
    try:
        return bool(sys.path) and os.path.samefile(sys.path[0] or os.curdir, os.curdir)
    except OSError:
        return False


def scan_place(place: str, index: int, names: list[str], found: dict[str, Any]) -> None:
    """Add what the metadata folders in one directory say."""
    for entry in names:
        if not entry.endswith(SUFFIXES):
            continue
        stem, _, kind = entry.rpartition(".")
        if stem.startswith("~"):  # pip renames what it is about to remove, and leaves it when it is interrupted
            found["broken"].append([entry, index, "left over from an interrupted install"])
            continue
        if len(found["packages"]) >= PACKAGE_LIMIT:
            found["cut"] = True
            return
        name, version = split_name(stem)
        where = os.path.join(place, entry)
        if not name or (not version and kind == "dist-info"):
            found["broken"].append([entry, index, "its name is not that of a distribution"])
            continue
        if version and not wanted(name):
            found["packages"].append([name, version, index])
            continue
        detail = read_details(where, kind)
        if "error" in detail:
            found["broken"].append([entry, index, detail["error"]])
        name = normal(detail.get("name") or name)
        version = detail.get("version") or version
        found["packages"].append([name, version, index])
        if wanted(name):
            found["details"].append(dict(detail, name=name, version=version, place=index))


def split_name(stem: str) -> tuple[str, str]:
    """`flash_attn-2.6.3` into its normalised name and version; an egg's `-py3.8` tail is dropped."""
    parts = stem.split("-")
    if len(parts) > 2 and parts[-1].startswith("py"):
        parts = parts[:-1]
    if len(parts) == 1:
        return normal(stem), ""
    return normal("-".join(parts[:-1])), parts[-1]


def read_details(where: str, kind: str) -> dict[str, Any]:
    """Name, version, requirements and installer of one distribution; `error` when its metadata cannot be read."""
    if kind == "egg-link":
        return read_link(where)
    if kind == "egg-info":
        path = os.path.join(where, "PKG-INFO") if os.path.isdir(where) else where
    else:
        path = os.path.join(where, "METADATA")
    try:
        with open(path, "rb") as file:
            text = file.read(METADATA_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}
    detail = parse_headers(text)
    if not detail.get("name"):
        detail["error"] = "its metadata names no distribution"
    if kind == "dist-info":
        detail["installer"] = first_line(os.path.join(where, "INSTALLER"))
        detail["origin"] = first_line(os.path.join(where, "direct_url.json"))
    elif os.path.isdir(where):
        detail["requires"] = egg_requirements(os.path.join(where, "requires.txt"))
    return detail


def read_link(where: str) -> dict[str, Any]:
    """A development install: the link names the source folder, whose egg-info stands on `sys.path` itself."""
    return {"origin": first_line(where)}


def first_line(path: str) -> str:
    """The first line of a small file, or nothing."""
    try:
        with open(path, "rb") as file:
            lines = file.read(2048).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[0].strip() if lines else ""


def parse_headers(text: str) -> dict[str, Any]:
    """The few headers that matter, up to the blank line before the description."""
    detail: dict[str, Any] = {"requires": []}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        value = value.strip()
        if not colon or line[0] in " \t":
            continue
        key = key.lower()
        if key in ("name", "version"):
            detail.setdefault(key, value[:200])
        elif key == "requires-python":
            detail["requires_python"] = value[:200]
        elif key == "requires-dist" and "extra ==" not in value.replace("extra==", "extra =="):
            detail["requires"].append(value[:500])
    return detail


def egg_requirements(path: str) -> list[str]:
    """The unconditional requirements of an egg: those before the first section."""
    try:
        with open(path, "rb") as file:
            text = file.read(METADATA_LIMIT).decode("utf-8", "replace")
    except OSError:
        return []
    head = text.split("\n[", 1)[0] if not text.startswith("[") else ""
    return [line.strip()[:500] for line in head.splitlines() if line.strip()]
