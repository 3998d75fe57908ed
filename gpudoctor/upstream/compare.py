"""Our tables against what packages say of themselves. Pure: the metadata was read before, from an index or a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gpudoctor.knowledge import rows
from gpudoctor.knowledge.specifier import satisfies
from gpudoctor.knowledge.tables import Row, Tables
from gpudoctor.model.record import record
from gpudoctor.model.version import Version
from gpudoctor.upstream.pythons import admits, glibc_of, platforms_of, pythons_of, serves
from gpudoctor.upstream.release import Metadata, Release

TORCH = "torch"
PARTNERS = ("torchvision", "torchaudio")
PINNING = ("vllm", "xformers")
PACKAGES = (TORCH, *PARTNERS, *PINNING)
DEMANDED = ("torch", "torchvision", "torchaudio")


@record
class Disagreement:
    """One point where the table and the package say different things."""

    package: str
    version: str
    what: str
    table: str
    upstream: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.what}: the table says {self.table}, upstream {self.upstream}"


@record
class Comparison:
    """`compared` counts the single values that were held against each other; `missing` are releases without a row."""

    disagreements: tuple[Disagreement, ...]
    missing: tuple[tuple[str, str], ...]
    compared: int
    releases: int


def wanted_releases(tables: Tables, packages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What to look up: for each package the releases that the tables hold rows for."""
    return {package: tuple(str(version) for version in _known(tables, package)) for package in packages}


def _known(tables: Tables, package: str) -> list[Version]:
    if package == TORCH:
        found = [rows.version(row, "torch") for row in tables["torch_releases"].rows]
    else:
        pins = tables["package_pins"].rows
        found = [rows.version(row, "version") for row in pins if rows.text(row, "package") == package]
        found += [rows.version(row, package) for row in tables["torch_releases"].rows if package in PARTNERS]
    return sorted({version for version in found if version is not None})


def compare(metadata: Metadata, tables: Tables) -> Comparison:
    """Hold everything that both sides know against each other."""
    found: list[Disagreement] = []
    compared = 0
    for release in metadata.releases:
        for what, ours, theirs in _pairs(release, tables):
            compared += 1
            if not _agree(ours, theirs, release.resolved):
                found.append(Disagreement(release.package, release.version, what, ours, theirs))
    missing = tuple(pair for package in metadata.versions for pair in _missing(package, metadata, tables))
    return Comparison(tuple(found), missing, compared, len(metadata.releases))


def _missing(package: str, metadata: Metadata, tables: Tables) -> Iterator[tuple[str, str]]:
    """Published releases without a row: of torch and its partners all since the first known, else the newer ones."""
    known = _known(tables, package)
    if not known:
        return
    complete = package == TORCH or package in PARTNERS
    for text in metadata.versions[package]:
        version = Version.parse(text)
        if version not in known and version > (known[0] if complete else known[-1]):
            yield package, text


def _pairs(release: Release, tables: Tables) -> Iterator[tuple[str, str, str]]:
    """What is compared, our value, theirs; only where both sides say something."""
    both = _torch_pairs(release, tables) if release.package == TORCH else _pin_pairs(release, tables)
    for what, ours, theirs in both:
        if ours and theirs:
            yield what, ours, theirs


def _torch_pairs(release: Release, tables: Tables) -> Iterator[tuple[str, str, str]]:
    row = _row(tables, "torch_releases", torch=release.version)
    if row is None:
        return
    yield "Requires-Python", rows.text(row, "requires_python"), _said(release.requires_python)
    yield "Pythons that Requires-Python admits", *_admitted(_list(row, "python"), release)
    plain, threadless = pythons_of(release.tags)
    if release.tags:
        yield "wheels for Python", _listed(row, "python"), ", ".join(plain) or "none"
        yield "free-threaded wheels", _listed(row, "python_free_threaded") or "none", ", ".join(threadless) or "none"
    yield "oldest glibc", str(rows.version(row, "glibc") or ""), glibc_of(release.tags)
    yield "platform of the Linux wheel", *_platform(row, release)
    demands = release.demands or {}
    yield "triton", _triton(row, demands.get("triton", "")), demands.get("triton", "")
    variant = _default_variant(row, tables)
    cuda = _first(demands, r"nvidia-cuda-runtime(?:-cu\d+)?|cuda-toolkit")
    yield "CUDA of the default build", str(rows.version(row, "default_cuda") or ""), ".".join(cuda.split(".")[:2])
    if variant is not None:
        yield "cuDNN of the default build", _exact(variant, "cudnn"), _first(demands, r"nvidia-cudnn-cu\d+")
        yield "NCCL of the default build", _exact(variant, "nccl"), _first(demands, r"nvidia-nccl-cu\d+")


def _pin_pairs(release: Release, tables: Tables) -> Iterator[tuple[str, str, str]]:
    demands = release.demands or {}
    row = _row(tables, "package_pins", package=release.package, version=release.version)
    if row is not None:
        yield "Requires-Python", rows.text(row, "requires_python"), _said(release.requires_python)
        yield "platform of the Linux wheel", *_platform(row, release)
        for name in DEMANDED:
            said = demands.get(name, "" if release.resolved or release.demands is None else "none")
            yield f"what it demands of {name}", rows.text(row, name), said
    if release.package in PARTNERS:
        for torch_row in tables["torch_releases"].rows:
            partner = rows.version(torch_row, release.package)
            if partner != Version.parse(release.version):
                continue
            pinned = demands.get("torch", "")
            if pinned.startswith("=="):
                yield "the torch it was made for", f"=={rows.version(torch_row, 'torch')}", pinned
            yield (
                f"wheels for the Pythons of torch {rows.version(torch_row, 'torch')}",
                *_installable(torch_row, release),
            )


def _said(requires_python: str | None) -> str:
    """What upstream says, where it was read: a release without such a demand says `none`."""
    return "" if requires_python is None else requires_python or "none"


def _admitted(pythons: tuple[str, ...], release: Release) -> tuple[str, str]:
    """The Pythons of a row, and those of them that the release lets in (`none`, where it shuts all out)."""
    requires = release.requires_python
    if not requires:
        return "", ""
    return ", ".join(pythons), ", ".join(item for item in pythons if admits(requires, item) is not False) or "none"


def _installable(torch_row: Row, release: Release) -> tuple[str, str]:
    """The Pythons for which torch's row promises a wheel of this partner too, and those that upstream serves."""
    if not release.tags:
        return "", ""
    served = (*_list(torch_row, "python"), *_list(torch_row, "python_free_threaded"))
    without = _list(torch_row, "python_without_partners")
    theirs = (item for item in served if serves(release.tags, release.requires_python or "", item))
    return ", ".join(item for item in served if item not in without), ", ".join(theirs) or "none"


def _platform(row: Row, release: Release) -> tuple[str, str]:
    """The platform that the row names, and what upstream names: the same one, where it is among several."""
    ours, theirs = rows.text(row, "wheel_tag"), platforms_of(release.tags)
    return ours, ours if ours in theirs else ", ".join(theirs)


def _row(tables: Tables, table: str, **keys: str) -> Row | None:
    return tables[table].find(**keys)


def _default_variant(row: Row, tables: Tables) -> Row | None:
    return _row(tables, "torch_variants", torch=str(row["torch"]), variant=rows.text(row, "default_variant"))


def _list(row: Row, column: str) -> tuple[str, ...]:
    value = row[column]
    return tuple(str(item) for item in value) if isinstance(value, tuple) else ()


def _listed(row: Row, column: str) -> str:
    return ", ".join(_list(row, column))


def _exact(row: Row, column: str) -> str:
    return str(rows.version(row, column) or "")


def _triton(row: Row, theirs: str) -> str:
    """Our triton in the form that upstream uses for it: an exact pin, or one that leaves the patch open."""
    version = rows.version(row, "triton")
    if version is None or not theirs:
        return ""
    if not rows.flag(row, "triton_patch_may_differ"):
        return f"=={version}"
    operator = re.match(r"[~>]=", theirs)
    return f"{operator[0] if operator else '~='}{version}"


def _first(demands: Mapping[str, str], pattern: str) -> str:
    for name, demand in demands.items():
        if re.fullmatch(pattern, name) and demand.startswith("=="):
            return demand[2:]
    return ""


def _agree(ours: str, theirs: str, resolved: bool) -> bool:
    """Equal in meaning; a version that a resolver chose agrees with every specifier that allows it."""
    if resolved and theirs.startswith("==") and not ours.startswith("=="):
        return satisfies(Version.parse(theirs[2:]), ours) is True
    return _plain(ours) == _plain(theirs)


def _plain(text: str) -> list[str]:
    return sorted(re.sub(r"(?<=\d)(?:\.0|\.\*)+$", "", part.strip()) for part in text.split(",") if part.strip())
