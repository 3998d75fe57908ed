"""Version numbers of drivers, CUDA, libraries and Python distributions, compared as numbers.

Driver versions (`535.104.05`), CUDA versions (`12.10` is newer than `12.9`) and PEP 440 versions
(`2.9.0a0+git1234`) share one rule here: compare the dotted numbers, then let a pre-release come before
its release. The local part (`+cu128`) names a build and takes no part in the order.
"""

from __future__ import annotations

import functools
import re

from gpudoctor.model.record import record

_SHAPE = (  # compiled when a version is met that is more than numbers
    r"(?i)v?(?P<numbers>\d{1,9}(?:\.\d{1,9}){0,7})"
    r"(?P<pre>[-_.]?(?:a|b|c|rc|alpha|beta|dev|pre)[-_.]?\d{0,12}(?:[-_.]?dev\d{0,12})?)?"
    r"(?P<post>[-_.]?post\d{0,9})?"
    r"(?:\+(?P<local>[0-9A-Za-z._-]{1,80}))?$"
)
_SHORT = 60  # longer texts are no versions of anything, and need not be remembered


@record(eq=False)
class Version:
    """A parsed version. `text` is kept as it was written; equality and order follow the numbers."""

    text: str
    numbers: tuple[int, ...]
    is_prerelease: bool = False
    post: int = 0
    local: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version; ValueError when the text is none. The same text gives the same object."""
        text = text.strip()
        return _parsed(text) if len(text) <= _SHORT else _parsed.__wrapped__(text)

    @property
    def major(self) -> int:
        """The first number."""
        return self.numbers[0]

    @property
    def minor(self) -> int:
        """The second number; 0 when there is none."""
        return self.numbers[1] if len(self.numbers) > 1 else 0

    @property
    def base(self) -> str:
        """The version without its local part, as written: `2.7.0+cu128` gives `2.7.0`."""
        return self.text.split("+", 1)[0]

    def _key(self) -> tuple[tuple[int, ...], bool, int]:
        held = self.__dict__
        if "_compared" not in held:  # versions out of tables are compared over and over
            numbers = self.numbers
            while len(numbers) > 1 and numbers[-1] == 0:
                numbers = numbers[:-1]
            held["_compared"] = (numbers, not self.is_prerelease, self.post)
        compared: tuple[tuple[int, ...], bool, int] = held["_compared"]
        return compared

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __le__(self, other: Version) -> bool:
        return self._key() <= other._key()

    def __gt__(self, other: Version) -> bool:
        return self._key() > other._key()

    def __ge__(self, other: Version) -> bool:
        return self._key() >= other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Version:
    numbers = text.split(".")
    if len(numbers) <= 4 and all(part.isdecimal() and len(part) <= 9 for part in numbers):
        return Version(text, tuple(map(int, numbers)))  # numbers and dots only, as most are
    match = re.match(_SHAPE, text)
    if match is None:
        raise ValueError(f"not a version: {text!r}")
    post = re.sub(r"\D", "", match["post"] or "")
    return Version(
        text=text,
        numbers=tuple(int(part) for part in match["numbers"].split(".")),
        is_prerelease=bool(match["pre"]),
        post=int(post) if post else 0,
        local=match["local"] or "",
    )
