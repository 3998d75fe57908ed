"""What a record promises, beside what `dataclasses` promises of the same class."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.conditions import Outcome
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Fact, FactSpec
from gpudoctor.model.finding import Finding
from gpudoctor.model.record import as_dict, field, names_of, record, replace


@record
class Point:
    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.x + self.y


@dataclasses.dataclass(frozen=True)
class Model:
    x: int
    y: int = 2
    tags: dict[str, int] = dataclasses.field(default_factory=dict)


@record
class Further(Point):
    z: int = 3


@record(frozen=False)
class Counter:
    count: int = 0


@record(eq=False)
class Same:
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.text.lower() == other.text.lower()

    def __hash__(self) -> int:
        return hash(self.text.lower())


@given(st.integers(), st.integers(), st.dictionaries(st.text(), st.integers()))
def test_it_is_built_shown_and_compared_like_a_dataclass(x: int, y: int, tags: dict[str, int]) -> None:
    mine, model = Point(x, y, tags), Model(x, y, tags)
    assert repr(mine) == repr(model).replace("Model(", "Point(")
    assert as_dict(mine) == dataclasses.asdict(model)
    assert (mine == Point(x, y=y, tags=dict(tags))) is (model == Model(x, y, tags)) is True
    assert (mine == Point(y, x, tags)) is (model == Model(y, x, tags))
    assert mine.total == x + y
    assert (mine == model) is False


def test_defaults_stand_and_made_ones_are_made_anew() -> None:
    first, second = Point(1), Point(1)
    assert (first.y, first.tags) == (2, {})
    assert first.tags is not second.tags


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, {}, 4), {}), ((1,), {"x": 1}), ((1,), {"other": 1})])
def test_wrong_arguments_are_refused(values: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Point(*values, **named)  # type: ignore[arg-type]


def test_a_frozen_record_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is frozen; its 'x'"):
        point.x = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x
    assert point.x == 1


def test_a_changeable_one_can_and_has_no_hash() -> None:
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError):
        hash(counter)


def test_hash_follows_the_fields() -> None:
    @record
    class Pair:
        a: int
        b: str = ""

    assert len({Pair(1), Pair(1, ""), Pair(2)}) == 2
    with pytest.raises(TypeError):
        hash(Point(1))  # a dict inside has none


def test_its_own_equality_stays() -> None:
    assert Same("A") == Same("a")
    assert hash(Same("A")) == hash(Same("a"))


def test_inherited_fields_come_first() -> None:
    assert names_of(Further) == ("x", "y", "tags", "z")
    assert as_dict(Further(1, z=9)) == {"x": 1, "y": 2, "tags": {}, "z": 9}
    assert Point(1) != Further(1)


def test_replace_changes_what_was_named() -> None:
    assert replace(Point(1, 5), x=7) == Point(7, 5)
    with pytest.raises(TypeError):
        replace(Point(1), other=1)
    with pytest.raises(TypeError, match="is no record"):
        names_of(3)


def test_copies_and_pickles_are_equal() -> None:
    point = Point(1, 2, {"a": 3})
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(point)) == point


def test_the_first_ones_and_the_later_ones_are_built_alike() -> None:
    @record
    class Fresh:
        x: int
        y: int = 2
        made: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("below zero")

    ways = [((1,), {}), ((1, 3), {}), ((1,), {"y": 3, "made": [4]}), ((), {"x": 1, "made": [5]})]
    wrong = [((), {}), ((1, 2, [], 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})]
    first = [as_dict(Fresh(*values, **named)) for values, named in ways]
    with pytest.raises(ValueError, match="below zero"):
        Fresh(-1)
    assert Fresh(1).made is not Fresh(1).made
    for _ in range(200):
        assert [as_dict(Fresh(*values, **named)) for values, named in ways] == first
    with pytest.raises(ValueError, match="below zero"):
        Fresh(-1)
    for values, named in wrong:

        @record
        class New:
            x: int
            y: int = 2
            made: list[int] = field(default_factory=list)

        for cls in (New, Fresh):
            with pytest.raises(TypeError, match=r"argument"):
                cls(*values, **named)
        assert New(1) == New(1)


WRITTEN_OUT = (Evidence, Fact, FactSpec, Finding, Outcome)


@pytest.mark.parametrize("cls", WRITTEN_OUT)
def test_what_is_written_out_is_what_would_be_written(cls: type) -> None:
    """Same names, same order, same defaults, and each value where it belongs."""
    names = names_of(cls)
    parameters = list(inspect.signature(cls).parameters.values())
    assert tuple(one.name for one in parameters) == names
    for one in parameters:
        assert one.default is getattr(cls, one.name, inspect.Parameter.empty), one.name
    values = {name: object() for name in names}
    assert as_dict(cls(**values)) == values
    assert as_dict(cls(*values.values())) == values
