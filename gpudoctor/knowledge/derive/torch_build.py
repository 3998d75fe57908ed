"""What the tables say about the installed torch: whether that build was published, and for which Python and libc."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge import builds, rows
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("torch.official", FactType.TEXT, "Whether this build was published: official, impossible or unknown."),
    FactSpec("torch.has_own_label", FactType.BOOLEAN, "Whether it is a nightly, a vendor's or an own build."),
    FactSpec("torch.variant", FactType.TEXT, "The build's variant, as in cu128 or cpu."),
    FactSpec("torch.published_variants", FactType.TEXT, "The variants published for this release."),
    FactSpec("torch.newer_than_tables", FactType.BOOLEAN, "Whether this torch is newer than all that the tables know."),
    FactSpec("tables.newest_torch", FactType.VERSION, "The newest release that the tables know."),
    FactSpec("torch.supports_python", FactType.BOOLEAN, "Whether this release has wheels for this Python."),
    FactSpec("torch.supported_pythons", FactType.TEXT, "The Python versions with wheels of this release."),
    FactSpec("torch.min_glibc", FactType.VERSION, "The oldest glibc that the wheels of this release accept."),
)
INPUTS = ("torch.version", "torch.metadata_version", "torch.cuda_version", "python.version")
NOT_LISTED = Unknown(Reason.NO_DATA, "the tables do not list this torch")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Pre-releases and builds with a label of their own are in no table, so most answers stay open for them."""
    torch = facts.version("torch.version") or facts.version("torch.metadata_version")
    newest = builds.newest_release(tables)
    yield Fact("tables.newest_torch", newest or NOT_LISTED)
    if torch is None:
        why = facts["torch.version"]
        absent = why if isinstance(why, Unknown) else NOT_LISTED
        yield from (Fact(spec.key, absent) for spec in FACTS if spec.key != "tables.newest_torch")
        return
    variant = builds.variant_of(torch, facts.version("torch.cuda_version"))
    yield Fact("torch.official", builds.official(torch, variant, tables) if builds.is_plain(torch) else builds.UNKNOWN)
    yield Fact("torch.has_own_label", builds.has_own_label(torch))
    yield Fact("torch.variant", variant or NOT_LISTED)
    published = [rows.text(row, "variant") for row in tables.once(builds.variants).get(torch, ())]
    yield Fact("torch.published_variants", ", ".join(published) or NOT_LISTED)
    yield Fact("torch.newer_than_tables", NOT_LISTED if newest is None else torch > newest)
    row = builds.release_row(torch, tables) if builds.is_plain(torch) else None
    pythons = rows.versions(row, "python") if row is not None else None
    yield Fact("torch.supports_python", _supports(facts, pythons))
    yield Fact("torch.supported_pythons", ", ".join(str(item) for item in pythons) if pythons else NOT_LISTED)
    yield Fact("torch.min_glibc", (rows.version(row, "glibc") if row is not None else None) or NOT_LISTED)


def _supports(facts: Facts, pythons: tuple[object, ...] | None) -> Value | Unknown:
    python = facts.version("python.version")
    if python is None:
        return Unknown(Reason.NO_DATA, "the Python version is not known")
    if not pythons:
        return NOT_LISTED
    return f"{python.major}.{python.minor}" in [str(item) for item in pythons]
