"""The installed package clients: which index they are told to use, and uv itself as a reader of metadata.

uv resolves from metadata alone, but never tells Requires-Python. pip was seen to fetch a whole wheel of hundreds of
megabytes even for a dry run, so it is asked only for its settings, and for the list of versions where no page of the
index can be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpudoctor.host.base import Host, HostError
from gpudoctor.model.record import record, replace
from gpudoctor.upstream.compare import DEMANDED, PINNING
from gpudoctor.upstream.release import KEPT, Metadata, Release, wheel_of

SECONDS = 120.0
PLATFORM = "x86_64-manylinux_2_28"
VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
PIP_DEFAULTS = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+).*?#\s*via\s+(?P<by>.+)$", re.MULTILINE)
_VERSIONS = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
_REFUSAL = r"{package}(?:==|>=|<=)?\S* depends on {name}((?:[=<>~!]=?[^\s,]+,?)+)"
_WHEEL_URL = re.compile(r"/([^/\"]+\.whl)\"")


@record
class Settings:
    """Where an index is, by the client's own settings: its simple URL and a file of certificates (may be empty)."""

    index_url: str
    certificates: str = ""


def settings_of(host: Host, interpreter: str) -> Settings:
    """The settings of pip under this interpreter; an empty URL where it tells none."""
    env = host.env()
    certificates = (
        env.get("PIP_CERT") or env.get("SSL_CERT_FILE") or _pip(host, interpreter, "config", "get", "global.cert")
    )
    for name in VARIABLES:
        if env.get(name, "").strip():
            return Settings(env[name].strip(), certificates)
    for key in ("global.index-url", "install.index-url"):
        found = _pip(host, interpreter, "config", "get", key)
        if found:
            return Settings(found, certificates)
    return Settings(_output(host, [interpreter, "-c", PIP_DEFAULTS]), certificates)


def _pip(host: Host, interpreter: str, *arguments: str) -> str:
    return _output(host, [interpreter, "-m", "pip", *arguments])


def _output(host: Host, argv: list[str]) -> str:
    try:
        end = host.run(argv, SECONDS)
    except HostError:
        return ""
    return end.stdout.strip() if end.ok else ""


class Client:
    """uv for the metadata and pip for the list of versions, both as the user has configured them."""

    def __init__(self, host: Host, interpreter: str, uv: str) -> None:
        self._host = host
        self._interpreter = interpreter
        self._uv = uv
        self.lookups = 0

    def read(
        self, wanted: Mapping[str, tuple[str, ...]], pythons: Mapping[tuple[str, str], str], pages: Metadata | None
    ) -> Metadata:
        """The same as an index reader gives. What lists of files tell is taken from `pages`, where those could be
        read; without them Requires-Python stays untold, and uv and pip are asked for the rest. `pythons` says for
        each release with which Python to resolve it."""
        listed = {(item.package, item.version): item for item in pages.releases} if pages else {}
        versions: dict[str, tuple[str, ...]] = dict(pages.versions) if pages else {}
        releases: list[Release] = []
        troubles = list(pages.troubles) if pages else []
        self.lookups += pages.lookups if pages else 0
        for package, asked in wanted.items():
            if package not in versions:
                versions[package] = self._versions(package)
                if not versions[package]:
                    troubles.append(f"{package}: pip lists no versions")
            for version in asked:
                page = listed.get((package, version))
                if page is None and pages and package in pages.versions:
                    continue  # the index has no such wheels, so there is nothing to compare
                found = self._found(package, version, pythons.get((package, version), "3.11"), page)
                if isinstance(found, str):
                    troubles.append(f"{package} {version}: {found}")
                    releases += [page] if page else []
                else:
                    releases.append(found)
        return Metadata(versions, tuple(releases), tuple(troubles), self.lookups)

    def _found(self, package: str, version: str, python: str, page: Release | None) -> Release | str:
        if page is not None and page.demands is not None:
            return page
        demands = (
            self._refused(package, version, python) if package in PINNING else self._pins(package, version, python)
        )
        if isinstance(demands, str):
            return demands
        if page is not None:
            return replace(page, demands=demands, resolved=True)
        tags = () if package in PINNING else self._tags(package, version, python)
        return tags if isinstance(tags, str) else Release(package, version, None, demands, tags, True)

    def _versions(self, package: str) -> tuple[str, ...]:
        """All versions that pip would take for any Python; newest last."""
        self.lookups += 1
        text = _pip(self._host, self._interpreter, "index", "versions", package, "--ignore-requires-python")
        match = _VERSIONS.search(text)
        found = [item.partition("+")[0].strip() for item in match[1].split(",")] if match else []
        return tuple(dict.fromkeys(reversed(found)))

    def _tags(self, package: str, version: str, python: str) -> tuple[str, ...] | str:
        wheels = self._compile(package, version, python, "--no-deps", "--universal", "--format", "pylock.toml")
        if wheels.startswith("!"):
            return wheels[1:]
        return tuple(sorted({found[1] for name in _WHEEL_URL.findall(wheels) if (found := wheel_of(name))}))

    def _pins(self, package: str, version: str, python: str) -> dict[str, str] | str:
        pins = self._compile(package, version, python, "--annotation-style", "line", "--python-platform", PLATFORM)
        if pins.startswith("!"):
            return pins[1:]
        return {
            match["name"]: f"=={match['version']}"
            for match in _PIN.finditer(pins)
            if KEPT.fullmatch(match["name"]) and package in [by.strip() for by in match["by"].split(",")]
        }

    def _refused(self, package: str, version: str, python: str) -> dict[str, str] | str:
        """The demands of a package that needs hundreds of others: asked for together with something that cannot be,
        uv says after one look what the package demands instead, and resolves nothing."""
        demands = {}
        for name in DEMANDED:
            answer = self._compile(package, version, python, "--python-platform", PLATFORM, without=f"{name}<0.0.1")
            said = re.search(_REFUSAL.format(package=re.escape(package), name=re.escape(name)), answer)
            if said:
                demands[name] = said[1]
            elif not demands:
                return answer[1:] if answer.startswith("!") else f"it demands no {name}"
            if package == "xformers":
                break  # it demands no other package of these, and resolving it would tell nothing
        return demands

    def _compile(self, package: str, version: str, python: str, *how: str, without: str = "") -> str:
        """What `uv pip compile` prints for one release; a text that begins with `!` says why there is nothing."""
        self.lookups += 1
        requirement = f"{package}=={version}\n{without}\n"
        script = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[2:], input=sys.argv[1].encode()).returncode)"
        argv = [self._uv, "pip", "compile", "-", "--no-header", "-q", "--no-python-downloads", *how]
        argv += ["--python-version", python]
        try:
            end = self._host.run([self._interpreter, "-c", script, requirement, *argv], SECONDS)
        except HostError as error:
            return f"!{error.detail}"
        if end.ok:
            return end.stdout
        return "!" + (end.stderr.strip().replace("\n", " ")[:600] or f"uv ended with status {end.status}")
