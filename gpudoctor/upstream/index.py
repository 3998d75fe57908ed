"""A package index, read gently: its list of files and the metadata beside each wheel, never a wheel.

Pages are read as JSON where the index offers it and as HTML where not; metadata comes from the file that newer
indexes keep beside each wheel, else from the JSON page of the release. Every answer is bounded in time and size.
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
from collections.abc import Iterable
from email.parser import HeaderParser
from typing import Any

from gpudoctor.model.errors import ExaminationError, UsageError
from gpudoctor.model.version import Version
from gpudoctor.upstream.release import Metadata, Release, demands_of, wheel_of

SECONDS = 30.0
PAUSE_SECONDS = 0.05
MOST_PAGE_BYTES = 64 << 20
MOST_METADATA_BYTES = 4 << 20
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


class LookupFailedError(Exception):
    """One look-up that failed; the text says how."""


class Index:
    """One index by its simple URL (`https://host/simple`)."""

    def __init__(self, url: str, certificates: str, most: int) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"an index has an http or https address, not {url[:80]!r}")
        self._url = url.rstrip("/")
        self._most = most
        self.lookups = 0
        context = ssl.create_default_context(cafile=certificates or None)
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def read(self, wanted: dict[str, tuple[str, ...]]) -> Metadata:
        """The published versions of each package, and the metadata of the wanted releases."""
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
                try:
                    found = self._release(package, version, files)
                except LookupFailedError as error:
                    troubles.append(f"{package} {version}: {error}")
                    continue
                if found is not None:
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

    def _release(self, package: str, version: str, files: Iterable[dict[str, Any]]) -> Release | None:
        wheels = []
        for item in files:
            parsed = wheel_of(item["filename"])
            if parsed and _same(parsed[0], version) and not item.get("yanked"):
                wheels.append((parsed[1], item))
        if not wheels:
            return None
        # Demands differ between platforms in old releases; ours are those of Linux x86-64.
        wheels.sort(key=lambda pair: ("x86_64" not in pair[0] or "linux" not in pair[0], pair[0]))
        head = self._metadata(package, version, wheels[0][1])
        demands = demands_of(head.get("requires_dist", ()))
        tags = tuple(tag for tag, _ in wheels)
        return Release(package, version, str(head.get("requires_python") or ""), demands, tags)

    def _metadata(self, package: str, version: str, item: dict[str, Any]) -> dict[str, Any]:
        if item.get("core-metadata") or item.get("data-dist-info-metadata"):
            _, data = self._get(item["url"].partition("#")[0] + ".metadata", MOST_METADATA_BYTES)
            parsed = HeaderParser().parsestr(data.decode("utf-8", "replace"))
            return {
                "requires_dist": [str(line) for line in parsed.get_all("Requires-Dist") or ()],
                "requires_python": parsed.get("Requires-Python"),
            }
        base = re.sub(r"/simple$", "", self._url)
        _, data = self._get(f"{base}/pypi/{package}/{version}/json", MOST_METADATA_BYTES)
        try:
            info = json.loads(data)["info"]
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
            raise LookupFailedError(f"HTTP status {error.code}") from error
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
            self.files.append(
                {"filename": name, "url": url, "core-metadata": has_metadata, "yanked": "data-yanked" in given}
            )


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
