"""Small readers for the formats of /proc, /sys and /etc: they give a value or raise ValueError or HostError."""

from __future__ import annotations

import re
from collections.abc import Callable

from gpudoctor.collect.base import attempt
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, Reason, Unknown, Value

_UNSHOWABLE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"  # compiled when first met: most runs meet none
_WHOLE_NUMBER = re.compile(r"-?\d{1,20}")

NOT_SET = Unknown(Reason.NOT_APPLICABLE, "not set")


def printable(text: str, limit: int = 2000) -> str:
    """The text with everything that could harm a terminal or a JSON file written as an escape, cut to `limit`."""
    text = text[:limit]
    # Most texts are plain, and those of a kernel's log come by the thousand.
    return text if text.isprintable() else re.sub(_UNSHOWABLE, _escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00 if code > 0xFF else code:02x}"


def read_clean(host: Host, path: str, limit: int = 1_000_000) -> str:
    """The text of a file that has to be text: ValueError when it holds binary data."""
    text = host.read_text(path, limit)
    if "\x00" in text:
        raise ValueError(f"{path} holds binary data")
    return printable(text, limit)


def read_line(host: Host, path: str) -> str:
    """The one line of a file such as those in /sys: ValueError when it is empty or binary."""
    text = read_clean(host, path, 4096).strip()
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def whole_number(text: str, what: str) -> int:
    """Decimal digits as a number; ValueError names `what` when they are none."""
    stripped = text.strip()
    if not _WHOLE_NUMBER.fullmatch(stripped):
        raise ValueError(f"{what}: {printable(stripped, 60)!r} is not a number")
    return int(stripped)


def read_integer(host: Host, path: str) -> int:
    """The number that a file holds; ValueError when it holds something else."""
    return whole_number(host.read_text(path, 4096), path)


def keyed_integers(text: str) -> dict[str, int]:
    """Lines of `name number`, as in memory.events or memory.stat; other lines are left out."""
    found = {}
    for line in text.splitlines():
        name, _, number = line.strip().partition(" ")
        if _WHOLE_NUMBER.fullmatch(number.strip()):
            found[name] = int(number)
    return found


def keyed_texts(text: str, separator: str = ":") -> dict[str, str]:
    """Lines of `name: text`, as in /proc/self/status; the first of equal names stays."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, divider, rest = line.partition(separator)
        if divider:
            found.setdefault(name.strip(), rest.strip())
    return found


def fact(key: str, read: Callable[[], Value | Unknown]) -> Fact:
    """A fact from a question to the host; what goes wrong there becomes its Unknown."""
    return Fact(key, attempt(read))


def present(host: Host, path: str) -> bool:
    """Whether a path exists; HostError when that cannot be told."""
    try:
        host.stat(path)
    except HostError as error:
        if error.absent:
            return False
        raise
    return True


def names_in(host: Host, path: str) -> tuple[str, ...]:
    """The names in a directory, none where it does not exist; HostError when it cannot be told."""
    try:
        return host.list_dir(path)
    except HostError as error:
        if error.absent:
            return ()
        raise
