"""Whether the packages around torch fit it: torchvision, torchaudio, triton, numpy, and those that pin a torch."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import builds, rows
from gpudoctor.knowledge.rows import Cells
from gpudoctor.knowledge.specifier import satisfies
from gpudoctor.knowledge.tables import Row, Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("torchvision.expected", FactType.VERSION, "The torchvision released for this torch."),
    FactSpec("torchvision.fits_torch", FactType.BOOLEAN, "Whether torchvision is of the release made for this torch."),
    FactSpec("torchaudio.expected", FactType.VERSION, "The torchaudio released for this torch."),
    FactSpec("torchaudio.fits_torch", FactType.BOOLEAN, "Whether torchaudio is of the release made for this torch."),
    FactSpec("triton.expected", FactType.VERSION, "The triton that this torch pins."),
    FactSpec("triton.fits_torch", FactType.BOOLEAN, "Whether triton is of the release that this torch pins."),
    FactSpec("numpy.fits_torch", FactType.BOOLEAN, "Whether this torch works with this major version of NumPy."),
    FactSpec("packages.extension_conflicts", FactType.TEXT_LIST, "Compiled packages built for another torch."),
    FactSpec("packages.torch_conflicts", FactType.TEXT_LIST, "Other packages whose pin on torch is not met."),
)
INPUTS = (
    "torch.version",
    "torch.metadata_version",
    "torchvision.version",
    "torchaudio.version",
    "triton.version",
    "numpy.version",
    "xformers.version",
    "vllm.version",
    "sglang.version",
    "machine.has_windows_driver",
    "os.is_wsl",
)
NOT_LISTED = Unknown(Reason.NO_DATA, "the tables do not list a partner for this torch")
NO_TORCH = Unknown(Reason.NOT_INSTALLED, "no torch to fit to")
COMPILED = ("xformers", "vllm")
PINNING = ("xformers", "vllm", "sglang")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Patch releases are taken to fit each other: what breaks is another minor release."""
    torch = facts.version("torch.version") or facts.version("torch.metadata_version")
    if torch is None:
        yield from (Fact(spec.key, NO_TORCH) for spec in FACTS)
        return
    row = builds.release_row(torch, tables) if not torch.is_prerelease else None
    for package in ("torchvision", "torchaudio", "triton"):
        expected = rows.version(row, package) if row is not None else None
        yield Fact(f"{package}.expected", expected or NOT_LISTED)
        yield Fact(f"{package}.fits_torch", _fits(package, facts, torch, expected, tables))
    yield Fact("numpy.fits_torch", _numpy(facts, torch, row))
    conflicts = [found for package in PINNING if (found := _conflict(package, facts, torch, tables))]
    yield Fact("packages.extension_conflicts", tuple(text for name, text in conflicts if name in COMPILED))
    yield Fact("packages.torch_conflicts", tuple(text for name, text in conflicts if name not in COMPILED))


def _fits(package: str, facts: Facts, torch: Version, expected: Version | None, tables: Tables) -> Value | Unknown:
    found = facts.version(f"{package}.version")
    if found is None:
        why = facts[f"{package}.version"]
        return why if isinstance(why, Unknown) else NOT_LISTED
    if found.is_prerelease or torch.is_prerelease:
        return Unknown(Reason.NO_DATA, "pre-releases are paired by hand; no table lists them")
    if expected is not None and _minor(found) == _minor(expected):
        return True
    demand = _demand(package, found, "torch", tables)
    if demand and not demand.startswith("=="):
        return satisfies(torch, demand) is True
    if package == "torchaudio" and expected is None and _last_torchaudio(found, tables):
        return True  # the last torchaudio carries no pin and is what later torch releases are used with
    if expected is None and not demand:
        return NOT_LISTED
    return False


def _last_torchaudio(found: Version, tables: Tables) -> bool:
    known = [value for row in tables["torch_releases"].rows if (value := rows.version(row, "torchaudio"))]
    return bool(known) and found >= max(known)


def _demand(package: str, found: Version, on: str, tables: Tables) -> str:
    row = _pin(package, found, tables)
    return rows.text(row, on) if row is not None else ""


def _pin(package: str, found: Version, tables: Tables) -> Cells | None:
    row = tables.once(_pins).get((package, found))
    return row if row is not None and row.confidence == "high" else None


def _pins(tables: Tables) -> dict[tuple[str, Version], Row]:
    pins: dict[tuple[str, Version], Row] = {}
    for row in tables["package_pins"].rows:
        version = rows.version(row, "version")
        if version is not None:
            pins.setdefault((rows.text(row, "package"), version), row)
    return pins


def _numpy(facts: Facts, torch: Version, row: Cells | None) -> Value | Unknown:
    numpy = facts.version("numpy.version")
    if numpy is None:
        why = facts["numpy.version"]
        return why if isinstance(why, Unknown) else NOT_LISTED
    if numpy.major < 2:
        return True
    if row is None:
        # Releases before the table's first one are all older than NumPy 2.
        return False if not torch.is_prerelease and (torch.major, torch.minor) < (1, 12) else NOT_LISTED
    windows = facts.flag("machine.has_windows_driver") is True and facts.flag("os.is_wsl") is not True
    works = rows.flag(row, "numpy2_windows" if windows else "numpy2_linux")
    return NOT_LISTED if works is None else works


def _conflict(package: str, facts: Facts, torch: Version, tables: Tables) -> tuple[str, str] | None:
    found = facts.version(f"{package}.version")
    if found is None or torch.is_prerelease:
        return None
    demand = _demand(package, found, "torch", tables)
    if not demand or satisfies(torch, demand) is not False:
        return None
    return package, f"{package} {found} needs torch{demand}, and torch {torch} is installed"


def _minor(version: Version) -> tuple[int, int]:
    return (version.major, version.minor)
