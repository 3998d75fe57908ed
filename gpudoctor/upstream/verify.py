"""One comparison of the tables with upstream: by an index, the installed client, or a file of kept metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from gpudoctor.host.base import Host
from gpudoctor.knowledge import rows
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.record import record
from gpudoctor.probe.target import choose
from gpudoctor.upstream import own_tables
from gpudoctor.upstream.client import Client, settings_of
from gpudoctor.upstream.compare import PACKAGES, Comparison, compare, wanted_releases
from gpudoctor.upstream.index import Index
from gpudoctor.upstream.release import Metadata, Release, of_data

MOST_LOOKUPS = 400


@record
class VerifySettings:
    """`source` is a file of kept metadata, compared as it is; `known` is one too, whose releases are not read again but
    for the list of their files; `index_url` an index's simple URL, else the client's own; `way` is how to
    read (`index` by HTTP, `uv` by that program, `auto`); `packages` empty means all; `newest` limits each package to
    its newest rows (0 means all)."""

    index_url: str = ""
    source: str = ""
    known: str = ""
    way: str = "auto"
    python: str = ""
    packages: tuple[str, ...] = ()
    newest: int = 0
    most_lookups: int = MOST_LOOKUPS


@record
class Verified:
    """What came of it: the metadata, the comparison, and what the installed torch said (empty version: none)."""

    metadata: Metadata
    comparison: Comparison
    torch_version: str = ""


def verify(settings: VerifySettings, host: Host, tables: Tables) -> Verified:
    """Read and compare; ExaminationError where nothing could be read at all."""
    interpreter = choose(host, settings.python).interpreter
    metadata = _kept(settings.source) if settings.source else _read(settings, host, tables, interpreter)
    found = compare(metadata, tables)
    said = own_tables.ask(host, interpreter) if interpreter else {}
    differing, compared = own_tables.compare_own(said, tables)
    whole = Comparison((*found.disagreements, *differing), found.missing, found.compared + compared, found.releases)
    return Verified(metadata, whole, str(said.get("version") or ""))


def _kept(path: str) -> Metadata:
    try:
        return of_data(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ExaminationError(f"{path} cannot be used: {error}") from error


def _read(settings: VerifySettings, host: Host, tables: Tables, interpreter: str) -> Metadata:
    wanted = wanted_releases(tables, settings.packages or PACKAGES)
    if settings.newest:
        wanted = {package: versions[-settings.newest :] for package, versions in wanted.items()}
    kept = _kept(settings.known).releases if settings.known else ()
    known = {(item.package, item.version): item for item in kept if item.demands is not None}
    uv = _program(host, "uv", interpreter)
    if settings.way == "uv" or (settings.way == "auto" and not settings.index_url and uv):
        if not uv:
            raise ExaminationError("uv is not installed; --via index reads the index itself")
        untold = {(package, item): Release(package, item) for package, items in wanted.items() for item in items}
        try:
            pages = _index(settings, host, interpreter).read(wanted, {**untold, **known})
        except ExaminationError:
            pages = None  # an index that only uv can reach: Requires-Python is then not compared
        return Client(host, interpreter, uv).read(wanted, _pythons(tables, wanted), pages)
    return _index(settings, host, interpreter).read(wanted, known)


def _index(settings: VerifySettings, host: Host, interpreter: str) -> Index:
    client = settings_of(host, interpreter) if interpreter else None
    url = settings.index_url or (client.index_url if client else "")
    if not url:
        raise ExaminationError("the installed package client names no index; give --index-url")
    return Index(url, client.certificates if client else "", settings.most_lookups)


def _program(host: Host, name: str, interpreter: str) -> str:
    folders = [Path(interpreter).parent, *map(Path, filter(None, host.env().get("PATH", "").split(os.pathsep)))]
    return next((str(folder / name) for folder in folders if os.access(folder / name, os.X_OK)), "")


def _pythons(tables: Tables, wanted: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], str]:
    """The Python to resolve each release with: the oldest that torch's row lists, so that all wheels are shown."""
    found = {}
    for row in tables["torch_releases"].rows:
        served = rows.versions(row, "python") or ()
        for package in wanted:
            version = rows.version(row, package)
            if version is not None and served:
                found[(package, str(version))] = str(min(served))
    return found
