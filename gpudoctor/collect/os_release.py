"""Which distribution this is, by os-release; images often differ from the host here, and wheels care."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import read_clean
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("os.name", FactType.TEXT, "The distribution's full name, as in `Ubuntu 22.04.5 LTS`."),
    FactSpec("os.id", FactType.TEXT, "The distribution's short name, as in `ubuntu`."),
    FactSpec("os.version_id", FactType.TEXT, "The distribution's release number, as in `22.04`."),
    FactSpec("os.id_like", FactType.TEXT_LIST, "The distributions that this one descends from."),
)
_PATHS = ("/etc/os-release", "/usr/lib/os-release")


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file, quotes removed. ValueError when it holds none."""
    found = {}
    for line in text.splitlines():
        name, divider, value = line.strip().partition("=")
        if divider and name.replace("_", "").isalnum() and name.isupper() and name.isascii():
            found[name] = _unquoted(value.strip())
    if not found:
        raise ValueError("os-release holds no assignment")
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        inner = value[1:-1]
        return inner if value[0] == "'" else inner.replace('\\"', '"').replace("\\$", "$").replace("\\\\", "\\")
    return value


def _read(host: Host) -> dict[str, str]:
    try:
        return parse_os_release(read_clean(host, _PATHS[0], 65536))
    except HostError as error:
        if not error.absent:
            raise
        return parse_os_release(read_clean(host, _PATHS[1], 65536))


def collect(host: Host) -> Iterable[Fact]:
    """The os.* facts of the distribution."""
    release = attempt(lambda: _read(host))
    if isinstance(release, Unknown):
        return [Fact(spec.key, release) for spec in FACTS]
    absent = Unknown(Reason.NO_DATA, "os-release does not say")
    name = release.get("PRETTY_NAME") or f"{release.get('NAME', '')} {release.get('VERSION', '')}".strip()
    return [
        Fact("os.name", name or absent),
        Fact("os.id", release.get("ID") or absent),
        Fact("os.version_id", release.get("VERSION_ID") or absent),
        Fact("os.id_like", tuple(release.get("ID_LIKE", "").split())),
    ]
