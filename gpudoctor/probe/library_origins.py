"""Facts about which file each CUDA library in the process came from: a library of LD_LIBRARY_PATH that stands before
the one that torch brought is behind many import errors and more wrong results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.probe.answers import absent, known_or, said, texts, why_no_torch

FAMILIES = {
    "libcuda": "libcuda.so",
    "libcudart": "libcudart",
    "libcublas": "libcublas.so",
    "libcublaslt": "libcublaslt",
    "libcudnn": "libcudnn.so",
    "libnccl": "libnccl",
    "libnvjitlink": "libnvjitlink",
    "libnvrtc": "libnvrtc.so",
    "libcusparse": "libcusparse.so",
    "libcusolver": "libcusolver.so",
    "libcupti": "libcupti",
    "libnvshmem": "libnvshmem",
    "libstdcxx": "libstdc++",
    "libtorch": "libtorch_cpu",
}
SHIPPED = re.compile(
    r"lib(cudart|cublas|cudnn|cufft|curand|cusolver|cusparse|nccl|nvjitlink|nvrtc|cupti|nvshmem|cufile)"
)
FACTS = (
    FactSpec("torch.maps", FactType.TEXT_LIST, "CUDA, C++ and torch libraries that were loaded", private=True),
    FactSpec("torch.maps_stage", FactType.TEXT, "when they were listed: after the import or after starting CUDA"),
    FactSpec("torch.maps_outside", FactType.TEXT_LIST, "CUDA libraries from outside the environment", private=True),
    FactSpec("torch.maps_doubled", FactType.TEXT_LIST, "CUDA libraries loaded from more than one file", private=True),
    *(
        FactSpec(f"torch.{family}_path", FactType.TEXT, f"the file that {family} was loaded from", private=True)
        for family in FAMILIES
    ),
)


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them, from the latest listing."""
    stages = (("cuda", "cuda"), ("build", "import"), ("libraries", "import"))
    step, stage = next(((name, when) for name, when in stages if "files" in said(end, name)), ("", ""))
    if not stage:
        why = why_no_torch(end, plan) or Unknown(Reason.NO_DATA, "the loaded libraries were not listed")
        yield from absent(tuple(spec.key for spec in FACTS), why)
        return
    files = texts(said(end, step).get("files"))
    yield Fact("torch.maps", files)
    yield Fact("torch.maps_stage", stage)
    yield Fact("torch.maps_outside", outside(files, homes(end)))
    yield Fact("torch.maps_doubled", doubled(files))
    for family, stem in FAMILIES.items():
        path = next((file for file in files if name_of(file).startswith(stem)), "")
        yield Fact(f"torch.{family}_path", known_or(path, Unknown(Reason.NOT_APPLICABLE, "it was not loaded")))


def name_of(path: str) -> str:
    """A library's file name in lower case."""
    return path.rsplit("/", 1)[-1].lower()


def homes(end: ChildEnd) -> tuple[str, ...]:
    """The folders that the environment's own libraries lie in: where torch is, and the prefix of conda."""
    interpreter = said(end, "interpreter")
    parents = {path.rstrip("/").rpartition("/")[0] for path in texts(said(end, "torch_files").get("locations"))}
    places = {place for place in texts(said(end, "packages").get("places")) if place.endswith("-packages")}
    if interpreter.get("environment") in ("venv", "uv", "conda"):
        places.add(str(interpreter.get("prefix")))
    return tuple(place.rstrip("/") + "/" for place in sorted(parents | places) if place)


def outside(files: tuple[str, ...], inside: tuple[str, ...]) -> tuple[str, ...]:
    """Libraries that wheels bring, but that were found elsewhere. libcuda is never a wheel's, so it is never listed."""
    return tuple(file for file in files if SHIPPED.match(name_of(file)) and not file.startswith(inside))


def doubled(files: tuple[str, ...]) -> tuple[str, ...]:
    """`libcudart: /a/libcudart.so.12, /b/libcudart.so.11.0` for a library that is there twice."""
    found: dict[str, list[str]] = {}
    for file in files:
        if SHIPPED.match(name_of(file)):
            found.setdefault(name_of(file).partition(".so")[0], []).append(file)
    return tuple(f"{stem}: {', '.join(paths)}" for stem, paths in sorted(found.items()) if len(paths) > 1)
