"""NVIDIA's libraries among the Python packages: doubles that overwrite each other, and NCCL releases of ill repute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("packages.nccl_wheels", FactType.TEXT_LIST, "The NCCL packages that are installed."),
    FactSpec("packages.cudnn_wheels", FactType.TEXT_LIST, "The cuDNN packages that are installed."),
    FactSpec("packages.doubled_cuda_wheels", FactType.TEXT_LIST, "NVIDIA libraries installed for two CUDA majors."),
    FactSpec("nccl.known_bad", FactType.BOOLEAN, "Whether this NCCL release has a grave fault."),
    FactSpec("nccl.known_issue", FactType.TEXT, "What that fault does."),
    FactSpec("nccl.fixed_in", FactType.VERSION, "The release that mends it."),
    FactSpec("cuda.packages_installed", FactType.BOOLEAN, "Whether Python packages that need CUDA are installed."),
    FactSpec("torch.needed_here", FactType.BOOLEAN, "Whether GPUs were asked for or packages that need CUDA are here."),
)
INPUTS = ("packages.names_versions", "nccl.version", "expect.gpus")
_MAKER = "nvidia-"
_NEED_CUDA = ("nvidia-cu", "nvidia-nccl", "flash-attn", "vllm", "cupy-cuda")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Two packages of one library lie in one folder, so the later one overwrites the files of the earlier."""
    yield from _packages(facts)
    nccl = facts.version("nccl.version")
    if nccl is None:
        why = facts["nccl.version"]
        unknown = why if isinstance(why, Unknown) else Unknown(Reason.NO_DATA)
        yield from (Fact(f"nccl.{key}", unknown) for key in ("known_bad", "known_issue", "fixed_in"))
        return
    row = tables["nccl"].find(nccl=_release(nccl))
    bad = rows.flag(row, "known_bad") if row is not None else False
    none = Unknown(Reason.NOT_APPLICABLE, "no grave fault of this release is known")
    issues = row["issues"] if row is not None else none
    yield Fact("nccl.known_bad", bool(bad))
    yield Fact("nccl.known_issue", str(issues[0]) if bad and isinstance(issues, tuple) and issues else none)
    yield Fact("nccl.fixed_in", (rows.version(row, "fixed_in") if row is not None else None) or none)


def _packages(facts: Facts) -> Iterable[Fact]:
    listed = facts["packages.names_versions"]
    if isinstance(listed, Unknown):
        keys = ("packages.nccl_wheels", "packages.cudnn_wheels", "packages.doubled_cuda_wheels")
        yield from (Fact(key, listed) for key in (*keys, "cuda.packages_installed"))
        yield Fact("torch.needed_here", _is_asked(facts))
        return
    texts = [item for item in facts.elements("packages.names_versions") if isinstance(item, str)]
    wheels = _libraries_in(tuple(texts))
    yield Fact("packages.nccl_wheels", tuple(sorted(wheels.get("nvidia-nccl", ()))))
    yield Fact("packages.cudnn_wheels", tuple(sorted(wheels.get("nvidia-cudnn", ()))))
    doubled = [", ".join(sorted(found)) for found in wheels.values() if len({_name(one) for one in found}) > 1]
    yield Fact("packages.doubled_cuda_wheels", tuple(sorted(doubled)))
    needing = any(text.lower().startswith(_NEED_CUDA) for text in texts)
    yield Fact("cuda.packages_installed", needing)
    yield Fact("torch.needed_here", needing or _is_asked(facts))


@lru_cache(maxsize=16)  # machines of one image have the same packages
def _libraries_in(texts: tuple[str, ...]) -> Mapping[str, list[str]]:
    wheels: dict[str, list[str]] = {}
    for text in texts:
        library = library_of(text)
        if library:
            wheels.setdefault(library, []).append(text.strip())
    return wheels


def library_of(package: str) -> str:
    """Which of NVIDIA's libraries a package brings, whatever CUDA major it is for: `nvidia-nccl` for
    `nvidia_nccl_cu12==2.21.5`. Empty for all others."""
    package = package.strip()  # taken apart by hand: compiling a pattern for it costs more than a hundred packages
    name, version = _name(package), package.partition("==")[2]
    if not name.startswith(_MAKER):
        return ""
    library, _, cuda = name.rpartition("-cu")
    if not (library and cuda.isdecimal()):
        library = name
    letters = library.removeprefix(_MAKER).replace("-", "")
    is_one = library.startswith(_MAKER) and letters.isascii() and letters.isalpha() and version.split() == [version]
    return library if is_one else ""


def _is_asked(facts: Facts) -> bool:
    asked = (facts.text("expect.gpus") or "").strip()
    return asked.isdigit() and int(asked) > 0


def _name(wheel: str) -> str:
    return wheel.split("==")[0].lower().replace("_", "-")


def _release(version: Version) -> Version:
    return Version.parse(".".join(str(number) for number in version.numbers[:3]))
