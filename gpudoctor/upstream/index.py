"""A package index, read gently: its list of files and the metadata beside each wheel, never a wheel.

Pages are read as JSON where the index offers it and as HTML where not. They tell the tags of the wheels and mostly
Requires-Python. The rest comes from the file that newer indexes keep beside each wheel (a mirror may serve it without
saying so), else, where a release is wheels alone, from the JSON page of the release or of the package. Every answer
is bounded in time and size.
"""

from __future__ import annotations

import html.parser
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from typing import Any

from gpudoctor.model.errors import ExaminationError, UsageError
from gpudoctor.model.record import replace
from gpudoctor.model.version import Version
from gpudoctor.upstream.release import Metadata, Release, demands_of, wheel_of

SECONDS = 30.0
PAUSE_SECONDS = 0.05
MOST_PAGE_BYTES = 64 << 20
MOST_METADATA_BYTES = 4 << 20
NOTHING: Mapping[tuple[str, str], Release] = {}
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


class LookupFailedError(Exception):
    """One look-up that failed; the text says how."""


class AbsentError(LookupFailedError):
    """The index answered that it has no such page."""


class Index:
    """One index by its simple URL (`https://host/simple`)."""

    def __init__(self, url: str, certificates: str, most: int) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"an index has an http or https address, not {url[:80]!r}")
        self._url = url.rstrip("/")
        self._most = most
        self.lookups = 0
        self._pages: dict[str, dict[str, Any]] = {}
        context = ssl.create_default_context(cafile=certificates or None)
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def read(
        self, wanted: Mapping[str, tuple[str, ...]], known: Mapping[tuple[str, str], Release] = NOTHING
    ) -> Metadata:
        """The published versions of each package, and the metadata of the wanted releases. Of those that are `known`
        the list of files alone is read: what a published release demands does not change any more."""
        versions: dict[str, tuple[str, ...]] = {}
        releases: list[Release] = []
        troubles: list[str] = []
        for package, asked in wanted.items():
            try:
                files = self._files(package)
            except LookupFailedError as error:
                if not versions and not troubles:
                    raise ExaminationError(f"the index did not answer: {error}") from error
                troubles.append(f"{package}: {error}")
                continue
            versions[package] = published(files)
            for version in asked:
                found, item = _listed(package, version, files)
                if found is None:
                    continue
                earlier = known.get((package, version))
                try:
                    found = replace(found, **_kept(earlier) if earlier else self._described(package, version, item))
                except LookupFailedError as error:
                    troubles.append(f"{package} {version}: {error}")
                releases.append(found)
        return Metadata(versions, tuple(releases), tuple(troubles), self.lookups)

    def _files(self, package: str) -> list[dict[str, Any]]:
        url = f"{self._url}/{package}/"
        kind, data = self._get(url, MOST_PAGE_BYTES)
        if "json" in kind:
            try:
                files = list(json.loads(data)["files"])
            except (ValueError, KeyError, TypeError) as error:
                raise LookupFailedError("its page is not what it says to be") from error
            found = [item for item in files if isinstance(item, dict) and isinstance(item.get("filename"), str)]
        else:
            parser = _Links()
            parser.feed(data.decode("utf-8", "replace"))
            found = parser.files
        return [{**item, "url": urllib.parse.urljoin(url, str(item.get("url", "")))} for item in found]

    def _described(self, package: str, version: str, item: dict[str, Any]) -> dict[str, Any]:
        """What a release says of itself: its demands, and Requires-Python where the page kept that to itself."""
        said = self._metadata(package, version, item)
        requires = said["requires_python"] or item.get("requires-python") or ""
        return {"demands": demands_of(said["requires_dist"]), "requires_python": str(requires)}

    def _metadata(self, package: str, version: str, item: dict[str, Any]) -> dict[str, Any]:
        marks = [item[name] for name in ("core-metadata", "data-dist-info-metadata") if name in item]
        if any(marks) or not marks:
            try:
                _, data = self._get(item["url"].partition("#")[0] + ".metadata", MOST_METADATA_BYTES)
                parsed = HeaderParser().parsestr(data.decode("utf-8", "replace"))
                return {
                    "requires_dist": [str(line) for line in parsed.get_all("Requires-Dist") or ()],
                    "requires_python": parsed.get("Requires-Python"),
                }
            except AbsentError:
                pass  # the JSON pages may tell
        if item["has_sdist"]:
            # The pages describe the file that was uploaded first; a source archive was seen to demand other versions.
            raise LookupFailedError("the index serves no metadata of its wheels")
        try:
            return self._json_page(package, version, f"{package}/{version}")
        except AbsentError:
            return self._json_page(package, version, package)

    def _json_page(self, package: str, version: str, path: str) -> dict[str, Any]:
        base = re.sub(r"/simple$", "", self._url)
        try:
            if path not in self._pages:
                _, data = self._get(f"{base}/pypi/{path}/json", MOST_METADATA_BYTES)
                self._pages[path] = dict(json.loads(data)["info"])
            info = self._pages[path]
            if not _same(str(info.get("version") or version), version):
                raise LookupFailedError("the index serves neither its metadata nor its JSON page")
            return {
                "requires_dist": [str(line) for line in info.get("requires_dist") or ()],
                "requires_python": info.get("requires_python"),
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LookupFailedError("its JSON page is not what it should be") from error

    def _get(self, url: str, most: int) -> tuple[str, bytes]:
        if self.lookups >= self._most:
            raise LookupFailedError(f"more than {self._most} look-ups would be needed")
        if self.lookups:
            time.sleep(PAUSE_SECONDS)
        self.lookups += 1
        request = urllib.request.Request(url, headers={"Accept": ACCEPT, "User-Agent": "gpudoctor rules verify"})
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                data = answer.read(most + 1)
                kind = str(answer.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            kind_of = AbsentError if error.code in (404, 410) else LookupFailedError
            raise kind_of(f"HTTP status {error.code}") from error
        except (OSError, ValueError, urllib.error.URLError) as error:
            raise LookupFailedError(str(getattr(error, "reason", error))) from error
        if len(data) > most:
            raise LookupFailedError(f"an answer of more than {most >> 20} MiB")
        return kind, data


class _Links(html.parser.HTMLParser):
    """The links of a simple page with the attributes that matter."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one link."""
        given = dict(attrs)
        url = given.get("href")
        if tag == "a" and url:
            name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
            has_metadata = "data-core-metadata" in given or "data-dist-info-metadata" in given
            found = {"filename": name, "url": url, "yanked": "data-yanked" in given}
            if has_metadata:
                found["core-metadata"] = True
            if "data-requires-python" in given:
                found["requires-python"] = given["data-requires-python"]
            self.files.append(found)


def _listed(package: str, version: str, files: Iterable[dict[str, Any]]) -> tuple[Release | None, dict[str, Any]]:
    """What the list of files alone tells of a release, and the wheel whose metadata is worth reading."""
    wheels = []
    archive = re.compile(re.escape(f"{package}-{version}") + r"\.(?:tar\.\w+|zip)")
    has_sdist = False
    for item in files:
        has_sdist = has_sdist or bool(archive.fullmatch(item["filename"]))
        parsed = wheel_of(item["filename"])
        if parsed and _same(parsed[0], version) and not item.get("yanked"):
            wheels.append((parsed[1], item))
    if not wheels:
        return None, {}
    # Demands differ between platforms in old releases; ours are those of Linux x86-64.
    wheels.sort(key=lambda pair: ("x86_64" not in pair[0] or "linux" not in pair[0], pair[0]))
    first = {**wheels[0][1], "has_sdist": has_sdist}
    requires = str(first["requires-python"] or "") if "requires-python" in first else None
    return Release(package, version, requires, None, tuple(sorted({tag for tag, _ in wheels}))), first


def _kept(earlier: Release) -> dict[str, Any]:
    return {"demands": earlier.demands, "resolved": earlier.resolved}


def published(files: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """The final versions that have a wheel, oldest first; labels such as +cu128 make no version of their own."""
    found: dict[Version, str] = {}
    for item in files:
        parsed = wheel_of(item["filename"])
        if parsed is None or item.get("yanked"):
            continue
        try:
            version = Version.parse(parsed[0])
        except ValueError:
            continue
        if not version.is_prerelease:
            found.setdefault(version, version.base)
    return tuple(found[version] for version in sorted(found))


def _same(one: str, other: str) -> bool:
    try:
        return Version.parse(one) == Version.parse(other)
    except ValueError:
        return one == other
