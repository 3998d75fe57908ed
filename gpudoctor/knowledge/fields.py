"""Takes typed values out of a rule file and says precisely what is wrong: file, key, what, and what is allowed.

Every reader goes through here, so that all complaints read alike and no key can pass unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gpudoctor.knowledge.expand import keys_in

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import TypeAlias


Plain: TypeAlias = "Any"  # a value as a rule file gives it
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NEARLY = re.compile(r"(?<![{$])\{([A-Za-z_][\w.-]*)\}(?!\})")
_FOREIGN = re.compile(r"\{\{[^{}]*\}\}|\$\{[^{}]*\}")


def suggestion(given: str, allowed: Collection[str]) -> str:
    """A hint like `; did you mean error?`, and the whole list where it is short."""
    import difflib  # only needed once something is wrong

    close = difflib.get_close_matches(given, sorted(allowed), n=2, cutoff=0.6)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    if len(allowed) <= 16:
        hint += f"{'' if close else ';'} Allowed: {', '.join(sorted(allowed))}"
    return hint


class Fields:
    """One table of a rule file. Values that do not fit are reported and replaced by an empty one.

    For `trusted` files the readers leave out the slow tests of patterns.
    """

    def __init__(
        self, data: Mapping[str, Any], file: str, problems: list[str], prefix: str = "", trusted: bool = False
    ) -> None:
        self.data = data
        self.file = file
        self.problems = problems
        self.prefix = prefix
        self.trusted = trusted
        self._asked: list[str] = []

    def complain(self, key: str, text: str) -> None:
        """Report one thing that is wrong."""
        self.problems.append(f"{self.file}: {self.prefix}{key}: {text}")

    def take(self, key: str) -> Plain:
        """The bare value or None; marks the key as known."""
        self._asked.append(key)
        return self.data.get(key)

    def text(self, key: str, needed: bool = True, example: str = "") -> str:
        """A piece of text without surrounding blanks."""
        value = self.take(key)
        if value is None:
            if needed:
                self.complain(key, f"is missing; write {key} = {example or chr(34) + '...' + chr(34)}".rstrip())
            return ""
        if not isinstance(value, str):
            self.complain(key, f"{_shown(value)} is {_kind(value)}, but text in quotes is needed")
            return ""
        if needed and not value.strip():
            self.complain(key, "is empty, but text is needed")
        if _CONTROL.search(value):
            self.complain(key, "holds a control character, which could disturb a terminal")
        return value.strip()

    def texts(self, key: str, needed: bool = False) -> tuple[str, ...]:
        """A list of texts, each there once."""
        value = self.take(key)
        if value is None and not needed:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.complain(key, f'must be a list of texts, such as {key} = ["one", "two"]')
            return ()
        if needed and not value:
            self.complain(key, "is an empty list, but at least one text is needed")
        for item in sorted({item for item in value if value.count(item) > 1}):
            self.complain(key, f"{item!r} is listed twice")
        return tuple(value)

    def integers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers within bounds."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(type(item) is int and low <= item <= high for item in value):
            self.complain(key, f"must be a list of whole numbers from {low} to {high}, such as {key} = [{low}]")
            return ()
        return tuple(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.complain(key, f"{_shown(value)} is {_kind(value)}, but true or false is needed")
            return default
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number within bounds; needed unless there is a default."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self.complain(key, f"{_shown(value)} does not fit; a number from {low:g} to {high:g} is needed")
            return low
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str = "") -> str:
        """One word of a closed list; needed unless there is a default."""
        value = self.take(key)
        if value is None and default:
            return default
        if value is None:
            self.complain(key, f"is missing; allowed: {', '.join(allowed)}")
            return allowed[0]
        if value not in allowed:
            self.complain(key, f"{_shown(value)} is not allowed here{suggestion(str(value), allowed)}")
            return allowed[0]
        return str(value)

    def date(self, key: str, needed: bool = True) -> str:
        """A date in ISO form, quoted or not."""
        value = self.take(key)
        if value is None and not needed:
            return ""
        match = _DATE.fullmatch(value) if isinstance(value, str) else None
        if match is None or not (1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31):
            state = "is missing" if value is None else f"{_shown(value)} is not a date"
            self.complain(key, f"{state}; write it as {key} = 2026-11-20")
            return ""
        return str(value)

    def tables(self, key: str) -> list[Fields]:
        """The entries of `[[key]]`, each with a prefix that names it."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.complain(key, f"must be written as one or more [[{self.prefix}{key}]] blocks")
            return []
        return [
            Fields(item, self.file, self.problems, f"{self.prefix}{key}[{number}].", self.trusted)
            for number, item in enumerate(value, start=1)
        ]

    def table(self, key: str, needed: bool = True) -> Fields | None:
        """The entry `[key]`."""
        value = self.take(key)
        if isinstance(value, dict):
            return Fields(value, self.file, self.problems, f"{self.prefix}{key}.", self.trusted)
        if value is not None or needed:
            self.complain(key, f"{'is missing' if value is None else 'must be a block'}; write a block [{key}]")
        return None

    def known(self, key: str, value: str, ids: Collection[str] | None, noun: str) -> None:
        """Complain about an id that nobody defined; `None` for the ids means that they are not checked here."""
        if ids is not None and value and value not in ids:
            self.complain(key, f"there is no {noun} {value!r}{suggestion(value, ids)}")

    def placeholders(self, key: str, text: str, allowed: Collection[str] | None, command: bool = False) -> None:
        """Complain about placeholders that no fact can fill. Prose may hold no other braces, commands may."""
        if "{" not in text and "}" not in text:
            return
        rest = _FOREIGN.sub("", _NEARLY.sub("", text))
        if not command and ("{" in rest or "}" in rest):
            self.complain(key, "holds a single brace; braces only mark facts, as in {driver.version}")
        for name in keys_in(text) if command else _NEARLY.findall(text):
            self.known(key, name, allowed, "fact")

    def finish(self) -> None:
        """Complain about every key that nobody asked for."""
        for key in self.data:
            if key not in self._asked:
                self.complain(key, f"this key is not known here{suggestion(key, self._asked)}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _kind(value: object) -> str:
    kinds = {bool: "a yes/no value", int: "a number", float: "a number", list: "a list", dict: "a block", str: "text"}
    return kinds.get(type(value), "something else")


shown = _shown
kind = _kind
