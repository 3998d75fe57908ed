"""Facts about the distributions in the target environment, as their metadata tells without importing any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe.answers import absent, said, text, version, why_silent, why_step_failed
from gpudoctor.probe.requirements import conflicts_of

VERSIONS: dict[str, tuple[str, ...]] = {
    "numpy": ("numpy",),
    "torchvision": ("torchvision",),
    "torchaudio": ("torchaudio",),
    "torchtext": ("torchtext",),
    "torchao": ("torchao",),
    "triton": ("triton", "pytorch-triton", "triton-nightly", "pytorch-triton-rocm", "pytorch-triton-xpu"),
    "transformers": ("transformers",),
    "accelerate": ("accelerate",),
    "deepspeed": ("deepspeed",),
    "flash_attn": ("flash-attn",),
    "xformers": ("xformers",),
    "bitsandbytes": ("bitsandbytes",),
    "vllm": ("vllm",),
    "sglang": ("sglang",),
    "peft": ("peft",),
    "trl": ("trl",),
    "apex": ("apex",),
    "transformer_engine": ("transformer-engine",),
    "lightning": ("lightning", "pytorch-lightning"),
    "jax": ("jax",),
    "tensorflow": ("tensorflow",),
    "cupy": ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x"),
    "onnxruntime_gpu": ("onnxruntime-gpu",),
    "protobuf": ("protobuf",),
    "mpi4py": ("mpi4py",),
    "ray": ("ray",),
    "pynvml": ("pynvml",),
    "nvidia_ml_py": ("nvidia-ml-py",),
}
WHEELS = {
    "cudnn": "nvidia-cudnn",
    "nccl": "nvidia-nccl",
    "cublas": "nvidia-cublas",
    "cuda_runtime": "nvidia-cuda-runtime",
    "nvjitlink": "nvidia-nvjitlink",
    "nvshmem": "nvidia-nvshmem",
}
FACTS = (
    FactSpec("packages.count", FactType.INTEGER, "how many distributions the environment holds"),
    FactSpec("packages.names_versions", FactType.TEXT_LIST, "the distributions that matter to GPUs, as name==version"),
    FactSpec(
        "packages.duplicates", FactType.TEXT_LIST, "GPU distributions found more than once, with where", private=True
    ),
    FactSpec("packages.broken", FactType.TEXT_LIST, "metadata folders that make no sense, with why", private=True),
    FactSpec("packages.unreadable_paths", FactType.TEXT_LIST, "path entries that cannot be listed", private=True),
    FactSpec("packages.requirement_conflicts", FactType.TEXT_LIST, "requirements that an installed version violates"),
    FactSpec("packages.missing_requirements", FactType.TEXT_LIST, "requirements for which nothing is installed"),
    FactSpec("packages.cuda_majors", FactType.TEXT_LIST, "CUDA majors that NVIDIA wheels are installed for, as cu12"),
    *(FactSpec(f"{key}.version", FactType.VERSION, f"installed version of {key}") for key in VERSIONS),
    *(
        FactSpec(f"packages.{key}_wheel_version", FactType.VERSION, f"version of the {wheel} wheel")
        for key, wheel in WHEELS.items()
    ),
)
# Doubled between a distribution's and the user's folders on most machines, which hurts nobody.
TOOLS = frozenset(("setuptools", "ninja", "cmake"))
Found = dict[str, list[tuple[str, str]]]


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    line = said(end, "packages")
    if line.get("outcome") != "completed":
        why = why_step_failed(end, "packages") if line else why_silent(end)
        yield from absent(tuple(spec.key for spec in FACTS), why)
        return
    places = [text(place) for place in line.get("places", ())]
    found = by_name(line, places)
    stack = stack_of(line)
    yield Fact("packages.count", len(found))
    yield Fact("packages.names_versions", tuple(sorted(f"{name}=={number}" for name, number in stack.items())))
    yield Fact("packages.duplicates", duplicates_of({name: found[name] for name in stack if name not in TOOLS}))
    yield Fact("packages.broken", tuple(broken_of(line, places)))
    yield Fact("packages.unreadable_paths", tuple(f"{place}: {why}" for place, why in line.get("unreadable", ())))
    wrong, missing = conflicts_of(line, said(end, "interpreter"), {name: found[name][0][0] for name in found})
    yield Fact("packages.requirement_conflicts", wrong)
    yield Fact("packages.missing_requirements", missing)
    yield Fact("packages.cuda_majors", cuda_majors(found))
    for key, names in VERSIONS.items():
        yield Fact(f"{key}.version", installed_version(found, names))
    for key, wheel in WHEELS.items():
        names = (wheel, *(f"{wheel}-cu{major}" for major in (14, 13, 12, 11)))
        yield Fact(f"packages.{key}_wheel_version", installed_version(found, names))


def by_name(line: Mapping[str, Any], places: list[str]) -> Found:
    """Every distribution's versions and places, the one that `import` finds first."""
    found: Found = {}
    for name, number, index in line.get("packages", ()):
        place = places[index] if 0 <= index < len(places) else ""
        found.setdefault(name, []).append((number, place))
    return found


def stack_of(line: Mapping[str, Any]) -> dict[str, str]:
    """Name to version of the distributions whose metadata was read."""
    stack: dict[str, str] = {}
    for detail in line.get("details", ()):
        stack.setdefault(text(detail.get("name")), text(detail.get("version")))
    return stack


def duplicates_of(found: Found) -> tuple[str, ...]:
    """`torch: 2.1.0 in /a, 2.3.0 in /b` for whatever is installed more than once."""
    return tuple(
        f"{name}: " + ", ".join(f"{number or 'unknown version'} in {place}" for number, place in entries)
        for name, entries in sorted(found.items())
        if len(entries) > 1
    )


def broken_of(line: Mapping[str, Any], places: list[str]) -> Iterable[str]:
    """`/a/~orch-2.1.0.dist-info: left over from an interrupted install`."""
    for entry, index, why in line.get("broken", ()):
        place = places[index] if 0 <= index < len(places) else ""
        yield f"{place}/{entry}: {why}"


def cuda_majors(found: Found) -> tuple[str, ...]:
    """`cu11`, `cu12`: the endings of NVIDIA wheels; most of those for CUDA 13 have none, and their version tells."""
    majors = {name.rpartition("-")[2] for name in found if name.startswith("nvidia-") and "-cu1" in name}
    bare = found.get("nvidia-cuda-runtime") or found.get("nvidia-cublas")
    if bare:
        majors.add(f"cu{bare[0][0].split('.')[0]}")
    return tuple(sorted(major for major in majors if major[2:].isdigit()))


def installed_version(found: Found, names: Iterable[str]) -> Value | Unknown:
    """The version of the first of these that is installed."""
    for name in names:
        if name in found:
            return version(found[name][0][0])
    return Unknown(Reason.NOT_INSTALLED)
