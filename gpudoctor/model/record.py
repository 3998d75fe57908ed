"""Records: what `dataclasses` makes, made only when a record is first built.

Loading `dataclasses` and having it write its methods for some forty classes is half of a quick answer's time, and most
of those classes build nothing in one run. The decorator here notes the fields and leaves the rest for the first call.
A record is frozen unless told otherwise, compares and hashes by its fields, and takes its values by position or name.
The few classes of which every run builds hundreds bring their `__init__` written out: having one written takes as long
as building a hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

TYPE_CHECKING = False  # as in typing, which takes a third as long to load as Python takes to start
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypeVar

    from typing_extensions import dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_told):
        """Tells type checkers what the decorator below does; at run time it does nothing."""
        return lambda function: function


FIELDS = "_record_fields"
_FEW = 32


class Made:
    """Stands as the default of a field whose value is made anew for each record."""

    def __init__(self, maker: Callable[[], object]) -> None:
        self.maker = maker


def field(*, default_factory: Callable[[], T]) -> T:
    """A field whose default is made anew for each record: `field(default_factory=dict)`."""
    return Made(default_factory)  # type: ignore[return-value]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: Any = None, *, frozen: bool = True, eq: bool = True) -> Any:
    """Make a class of annotated fields a record. Without `eq` it brings its own equality and hash, or is itself."""
    if cls is None:
        return lambda given: record(given, frozen=frozen, eq=eq)
    inherited = getattr(cls, FIELDS, ())
    own = tuple(name for name in getattr(cls, "__annotations__", {}) if name not in inherited)
    names: tuple[str, ...] = (*inherited, *own)
    setattr(cls, FIELDS, names)
    if "__init__" not in cls.__dict__:
        cls.__init__ = _builder_of(cls, names)
    if "__repr__" not in cls.__dict__:
        cls.__repr__ = _represent
    cls.__getstate__ = _state
    if frozen:
        cls.__setattr__ = _refuse
        cls.__delattr__ = _refuse
    if eq:
        _compare_by(cls, attrgetter(*names) if names else lambda _one: (), frozen)
    return cls


def replace(one: T, **changes: Any) -> T:
    """The same record with some fields changed. TypeError for a name that is no field."""
    values = {name: getattr(one, name) for name in names_of(one)}
    return type(one)(**{**values, **changes})


def names_of(one: object) -> tuple[str, ...]:
    """The names of the fields of a record or of its class, in order. TypeError where it is none."""
    names = getattr(one, FIELDS, None)
    if names is None:
        raise TypeError(f"{one!r} is no record")
    return tuple(names)


def as_dict(one: object) -> dict[str, Any]:
    """The fields by name, in order; records inside stay records."""
    return {name: getattr(one, name) for name in names_of(one)}


def _builder_of(cls: Any, names: tuple[str, ...]) -> Callable[..., None]:
    """An `__init__` that fills the first few itself, then writes the real one and puts that in its place.

    Writing one costs as much as filling a hundred by hand, and most classes build fewer in a run. What does not fit
    goes to the real one as well, which says so as Python does.
    """
    left = _FEW

    def build(self: object, *values: object, **named: object) -> None:
        nonlocal left
        left -= 1
        if left < 0 or not _filled(self.__dict__, cls, names, values, named):
            self.__dict__.clear()
            cls.__init__ = _written(cls, names)
            cls.__init__(self, *values, **named)
        elif hasattr(cls, "__post_init__"):
            self.__post_init__()  # type: ignore[attr-defined]

    return build


def _filled(
    held: dict[str, object], cls: Any, names: tuple[str, ...], values: tuple[object, ...], named: dict[str, object]
) -> bool:
    """Put the values where they belong; False where one is missing, is there twice or has no place."""
    held.update(zip(names, values))
    if len(values) > len(names):
        return False
    used = 0
    for name in names[len(values) :]:
        if name in named:
            held[name] = named[name]
            used += 1
            continue
        default = getattr(cls, name, _Nothing)
        if default is _Nothing:
            return False
        held[name] = default.maker() if isinstance(default, Made) else default
    return used == len(named)


def _written(cls: Any, names: tuple[str, ...]) -> Callable[..., None]:
    """The `__init__` of a record, as a person would write it out."""
    # Arguments are named apart from the fields' values in the scope, so that a field may be called anything.
    scope: dict[str, Any] = {"_made": Made}
    arguments, lines = ["_self"], ["  _held = _self.__dict__"]
    for name in names:
        default = getattr(cls, name, _Nothing)
        if default is _Nothing:
            arguments.append(name)
            lines.append(f"  _held[{name!r}] = {name}")
            continue
        scope[f"_default_{name}"] = default
        arguments.append(f"{name}=_default_{name}")
        if isinstance(default, Made):
            scope[f"_make_{name}"] = default.maker
            lines.append(f"  _held[{name!r}] = _make_{name}() if {name} is _default_{name} else {name}")
        else:
            lines.append(f"  _held[{name!r}] = {name}")
    if hasattr(cls, "__post_init__"):
        lines.append("  _self.__post_init__()")
    body = "\n".join(lines)
    exec(f"def __init__({', '.join(arguments)}):\n{body}\n", scope)  # noqa: S102 - names of fields, from our own source
    written: Callable[..., None] = scope["__init__"]
    written.__qualname__ = f"{cls.__qualname__}.__init__"
    return written


class _Nothing:
    """Says that a field has no default."""


def _compare_by(cls: Any, values: Callable[[Any], object], frozen: bool) -> None:
    def equal(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or values(self) == values(other)

    cls.__eq__ = equal
    # As everywhere in Python: what can change and compares by value cannot be hashed.
    if "__hash__" not in cls.__dict__:
        cls.__hash__ = (lambda self: hash(values(self))) if frozen else None


def _state(self: object) -> dict[str, object]:
    """What a pickle keeps: the fields but for those that hold their defaults, which the class has. Most do."""
    values = ((name, getattr(self, name)) for name in names_of(self))
    return {name: value for name, value in values if value is not getattr(type(self), name, _Nothing)}


def _represent(self: object) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names_of(self))
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: object, name: str, *_value: object) -> NoReturn:
    raise AttributeError(f"{type(self).__name__} is frozen; its {name!r} cannot be changed")
