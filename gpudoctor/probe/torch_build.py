"""Facts about the torch that is there: from the imported module, else from version.py, else from its metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.record import record
from gpudoctor.probe import answers
from gpudoctor.probe.answers import known_or, said, text, version

FACTS = (
    FactSpec("torch.installed", FactType.BOOLEAN, "whether torch is there, by its files or its metadata"),
    FactSpec("torch.package_kind", FactType.TEXT, "what importing torch finds: package, namespace, module or absent"),
    FactSpec("torch.path", FactType.TEXT, "the folder of the torch that is imported", private=True),
    FactSpec("torch.shadow_path", FactType.TEXT, "a file that stands before the installed torch", private=True),
    FactSpec("torch.metadata_version", FactType.VERSION, "version of torch by its packaging metadata"),
    FactSpec("torch.installer", FactType.TEXT, "the tool that installed torch, by its own mark"),
    FactSpec("torch.version", FactType.VERSION, "version of torch"),
    FactSpec("torch.version_source", FactType.TEXT, "where torch.version is from: import, version_file or metadata"),
    FactSpec("torch.build", FactType.TEXT, "cuda, rocm, xpu or cpu"),
    FactSpec("torch.cuda_version", FactType.VERSION, "the CUDA version that torch was built for"),
    FactSpec("torch.hip_version", FactType.VERSION, "the HIP version that torch was built for"),
    FactSpec("torch.arch_list", FactType.TEXT_LIST, "the GPU architectures that torch holds code for, as sm_90"),
    FactSpec("torch.git_version", FactType.TEXT, "the commit that torch was built from"),
    FactSpec("torch.is_debug_build", FactType.BOOLEAN, "whether torch was built for debugging"),
    FactSpec("torch.cxx11_abi", FactType.BOOLEAN, "whether torch uses the newer C++ string layout"),
    FactSpec("torch.cudnn_compiled_version", FactType.VERSION, "the cuDNN that torch was compiled with"),
    FactSpec("torch.cuda_initialised_by_import", FactType.BOOLEAN, "whether importing torch alone started CUDA"),
)
LOCAL = re.compile(r"\+(?:.*\.)?(cpu|cu\d{2,4}|rocm[\d.]+|xpu)")


@record
class Sources:
    """The three places that can tell the build, as plain data; an empty mapping where one tells nothing."""

    imported: Mapping[str, Any]
    version_file: Mapping[str, Any]
    metadata: Mapping[str, Any]
    files: Mapping[str, Any]
    why: Unknown

    @classmethod
    def of(cls, end: ChildEnd, plan: Mapping[str, Any]) -> Sources:
        """Read the lines of the child."""
        files = said(end, "torch_files")
        details = said(end, "packages").get("details", ())
        metadata: dict[str, Any] = next((detail for detail in details if detail.get("name") == "torch"), {})
        why = answers.why_no_torch(end, plan) or Unknown(Reason.NO_DATA, "this torch does not tell")
        return cls(said(end, "torch_build"), files.get("version_file") or {}, metadata, files, why)

    @property
    def installed(self) -> bool:
        """By files or by metadata."""
        return self.files.get("kind") == "package" or bool(self.metadata)

    def version(self) -> tuple[str, str]:
        """The version's text and where it is from; two empty texts where nobody tells."""
        for source, value in (
            ("import", self.imported.get("version")),
            ("version_file", self.version_file.get("__version__")),
            ("metadata", self.metadata.get("version")),
        ):
            if isinstance(value, str) and value:
                return value, source
        return "", ""

    def constant(self, name: str) -> tuple[bool, Any]:
        """Whether `torch.version.<name>` is known, and its value, which is None for a build without it."""
        if f"version_{name}" in self.imported:
            return True, self.imported[f"version_{name}"]
        if name in self.version_file:
            return True, self.version_file[name]
        return False, None

    def build(self) -> str:
        """cuda, rocm, xpu, cpu, or empty where nobody tells."""
        for name, build in (("hip", "rocm"), ("cuda", "cuda"), ("xpu", "xpu")):
            if text(self.constant(name)[1]):
                return build
        if self.constant("cuda")[0]:
            return "cpu"
        match = LOCAL.search(self.version()[0])
        return {"cp": "cpu", "cu": "cuda", "ro": "rocm", "xp": "xpu"}[match[1][:2]] if match else ""


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them."""
    if said(end, "torch_files").get("outcome") != "completed" and not said(end, "packages"):
        yield from answers.absent(tuple(spec.key for spec in FACTS), answers.why_silent(end))
        return
    sources = Sources.of(end, plan)
    yield Fact("torch.installed", sources.installed)
    yield Fact("torch.package_kind", known_or(text(sources.files.get("kind")), answers.why_silent(end)))
    shadow = text(sources.files.get("shadow"))
    yield Fact("torch.shadow_path", known_or(shadow, Unknown(Reason.NOT_APPLICABLE, "nothing stands before torch")))
    if not sources.installed:
        settled = ("torch.installed", "torch.package_kind", "torch.shadow_path")
        yield from answers.absent(tuple(spec.key for spec in FACTS if spec.key not in settled), answers.NOT_INSTALLED)
        return
    yield from identity(sources)
    yield from build_facts(sources)


def identity(sources: Sources) -> Iterable[Fact]:
    """Which torch it is."""
    locations = answers.texts(sources.files.get("locations"))
    yield Fact("torch.path", known_or(next(iter(locations), ""), Unknown(Reason.NO_DATA, "its files were not found")))
    number = sources.metadata.get("version")
    untold = Unknown(Reason.NO_DATA, "torch has no packaging metadata")
    yield Fact("torch.metadata_version", version(number) if number else untold)
    yield Fact("torch.installer", known_or(text(sources.metadata.get("installer")), untold))
    number, source = sources.version()
    yield Fact("torch.version", version(number) if number else sources.why)
    yield Fact("torch.version_source", known_or(source, sources.why))


def build_facts(sources: Sources) -> Iterable[Fact]:
    """What it was built for."""
    build = sources.build()
    yield Fact("torch.build", known_or(build, sources.why))
    yield Fact("torch.cuda_version", toolkit_version(sources, build, "cuda"))
    yield Fact("torch.hip_version", toolkit_version(sources, build, "rocm"))
    yield Fact("torch.arch_list", arch_list(sources, build))
    yield Fact("torch.git_version", known_or(text(sources.constant("git_version")[1]), sources.why))
    told, debug = sources.constant("debug")
    yield Fact("torch.is_debug_build", bool(debug) if told else sources.why)
    for key, name in (("torch.cxx11_abi", "cxx11_abi"), ("torch.cuda_initialised_by_import", "cuda_initialised")):
        value = sources.imported.get(name)
        yield Fact(key, value if isinstance(value, bool) else untold(sources, name))
    compiled = sources.imported.get("cudnn_compiled")
    number = version(".".join(str(part) for part in compiled)) if isinstance(compiled, list) else None
    why = untold(sources, "cudnn_compiled")
    yield Fact("torch.cudnn_compiled_version", other_build(build, "cuda") or number or why)


def untold(sources: Sources, name: str) -> Unknown:
    """Why one reading of the imported torch gave nothing."""
    error = (sources.imported.get("errors") or {}).get(name)
    return Unknown(Reason.NO_DATA, text(error)) if error else sources.why


def other_build(build: str, wanted: str) -> Unknown | None:
    """`CPU-only build` and its like, for facts that only another build has; None where the build is the wanted one."""
    names = {"cpu": "CPU-only build", "rocm": "ROCm build", "xpu": "XPU build", "cuda": "CUDA build"}
    return Unknown(Reason.NOT_APPLICABLE, names[build]) if build in names and build != wanted else None


def toolkit_version(sources: Sources, build: str, wanted: str) -> Value | Unknown:
    """The CUDA or HIP version; `+cu118` in the version text serves where nothing else tells."""
    other = other_build(build, wanted)
    if other is not None:
        return other
    value = text(sources.constant("hip" if wanted == "rocm" else "cuda")[1])
    if value:
        return version(value.split("-", 1)[0])
    match = LOCAL.search(sources.version()[0])
    if match and match[1].startswith("cu") and wanted == "cuda":
        digits = match[1][2:]
        return version(f"{digits[:-1]}.{digits[-1]}")
    return sources.why


def arch_list(sources: Sources, build: str) -> Value | Unknown:
    """`sm_80`, `compute_90`, ... as compiled into torch."""
    flags = sources.imported.get("arch_flags")
    if isinstance(flags, str):
        return tuple(flags.split())
    if build == "cpu":
        return Unknown(Reason.NOT_APPLICABLE, "CPU-only build")
    return untold(sources, "arch_flags")
