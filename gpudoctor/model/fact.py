"""Facts: what was seen, typed, and either known or unknown for a stated reason. There is no None."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping

from gpudoctor.model.record import record
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing_extensions import TypeAlias


class Reason(str, enum.Enum):
    """Why a fact is not known. The list is closed."""

    NOT_INSTALLED = "not_installed"
    NOT_APPLICABLE = "not_applicable"
    PERMISSION_DENIED = "permission_denied"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    UNPARSEABLE = "unparseable"
    NO_DATA = "no_data"
    NOT_REQUESTED = "not_requested"


class FactType(str, enum.Enum):
    """The type of a fact's value, or of each element where the name ends in `_list`."""

    TEXT = "text"
    VERSION = "version"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT_LIST = "text_list"
    VERSION_LIST = "version_list"
    INTEGER_LIST = "integer_list"
    NUMBER_LIST = "number_list"
    BOOLEAN_LIST = "boolean_list"

    @property
    def is_list(self) -> bool:
        """Whether the value is a tuple of elements."""
        return self.value.endswith("_list")

    @property
    def element(self) -> FactType:
        """The type of one element; a scalar type is its own element."""
        return FactType(self.value[: -len("_list")]) if self.is_list else self


@record
class Unknown:
    """The absence of an answer, with its reason and the verbatim text or errno that explains it."""

    reason: Reason
    detail: str = ""

    def __hash__(self) -> int:
        return hash(self.detail)  # in the memory of answers there are many, and the reason seldom tells them apart


_NOBODY_LOOKED = Unknown(Reason.NO_DATA, "nobody looked")
Scalar: TypeAlias = "str | int | float | bool | Version"
Element: TypeAlias = "Scalar | Unknown"
Value: TypeAlias = "Scalar | tuple[Element, ...]"


@record
class FactSpec:
    """The declaration of a fact, standing in the module that yields it.

    `unit` is a plain word (`bytes`, `celsius`, `watts`, `seconds`) or empty. `private` facts are redacted
    in shared reports. `per_device` facts are lists with one element for each GPU, in NVML's order, and may
    hold an Unknown for a single GPU.
    """

    key: str
    type: FactType
    meaning: str
    unit: str = ""
    private: bool = False
    per_device: bool = False

    def __init__(
        self,
        key: str,
        type: FactType,  # noqa: A002 - the field's name
        meaning: str,
        unit: str = "",
        private: bool = False,
        per_device: bool = False,
    ) -> None:
        held = self.__dict__
        held["key"] = key
        held["type"] = type
        held["meaning"] = meaning
        held["unit"] = unit
        held["private"] = private
        held["per_device"] = per_device


@record
class Fact:
    """One key with its value, or with the reason why there is none."""

    key: str
    value: Value | Unknown

    def __init__(self, key: str, value: Value | Unknown) -> None:
        held = self.__dict__
        held["key"] = key
        held["value"] = value

    @property
    def is_known(self) -> bool:
        """Whether there is a value."""
        return not isinstance(self.value, Unknown)


class _Values(dict[str, "Value | Unknown"]):
    """Values by key. What is there is read without a call of Python, which judging does thousands of times."""

    __slots__ = ()

    def __missing__(self, key: str) -> Unknown:
        return _NOBODY_LOOKED


class Facts(Mapping[str, "Value | Unknown"]):
    """An immutable collection of facts by key. A key that nobody yielded reads as Unknown(no_data)."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._values: dict[str, Value | Unknown] = _Values()
        for fact in facts:
            if fact.key in self._values:
                raise ValueError(f"fact {fact.key} was given twice")
            self._values[fact.key] = fact.value

    def __getitem__(self, key: str) -> Value | Unknown:
        return self._values[key]

    @property
    def lookup(self) -> Mapping[str, Value | Unknown]:
        """The same facts for those who only read by key, and very often."""
        return self._values

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys_of_form(self, prefix: str, suffix: str) -> list[str]:
        """The keys that begin and end so."""
        behind = prefix[:-1] + chr(ord(prefix[-1]) + 1)  # comparing takes half the time of looking at the beginning
        return [key for key in self._values if prefix <= key < behind and key.endswith(suffix)]

    def items_sorted(self) -> Iterator[Fact]:
        """All facts, sorted by key."""
        return (Fact(key, self._values[key]) for key in sorted(self._values))

    def known(self, key: str) -> Value | None:
        """The value, or None where the fact is unknown: for derivations that handle both at once."""
        value = self._values.get(key)
        return None if isinstance(value, Unknown) else value

    def text(self, key: str) -> str | None:
        """The value as text where it is known; versions give their text as written."""
        value = self.known(key)
        return None if value is None or isinstance(value, tuple) else str(value)

    def version(self, key: str) -> Version | None:
        """The value where it is a known version."""
        value = self.known(key)
        return value if isinstance(value, Version) else None

    def number(self, key: str) -> float | int | None:
        """The value where it is a known number."""
        value = self.known(key)
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def flag(self, key: str) -> bool | None:
        """The value where it is a known boolean."""
        value = self.known(key)
        return value if isinstance(value, bool) else None

    def elements(self, key: str) -> tuple[Element, ...]:
        """The elements of a known list; an empty tuple otherwise."""
        value = self.known(key)
        return value if isinstance(value, tuple) else ()

    def merged(self, more: Iterable[Fact]) -> Facts:
        """These facts and more; a key that both hold is an error."""
        merged = Facts(more)
        added = merged._values
        twice = added.keys() & self._values.keys()
        if twice:
            raise ValueError(f"fact {min(twice)} was given twice")
        merged._values = _Values(self._values)
        merged._values.update(added)
        return merged

    def without(self, keys: Iterable[str]) -> Facts:
        """These facts but for some."""
        left = Facts()
        left._values = _Values(self._values)
        for key in keys:
            left._values.pop(key, None)
        return left


class GrowingFacts(Facts):
    """Facts while they are being gathered: whoever comes later reads what is there, and replaces nothing of it."""

    def __init__(self, facts: Facts) -> None:
        self._values = _Values(facts._values)

    def add(self, found: Iterable[Fact]) -> None:
        """Take up the facts whose keys are not there yet."""
        for fact in found:
            self._values.setdefault(fact.key, fact.value)

    def settled(self) -> Facts:
        """All of them, when no more will come."""
        settled = Facts()
        settled._values = self._values
        return settled
