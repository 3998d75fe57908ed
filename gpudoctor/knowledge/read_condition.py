"""Reads conditions: typed leaves over facts, joined by all, any and not, at most two levels deep."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from gpudoctor.knowledge.fields import Fields, Plain, kind, shown, suggestion
from gpudoctor.model.fact import FactSpec, FactType, Reason, Scalar, Value
from gpudoctor.model.rule import AllOf, AnyOf, Condition, Not, Operator, Question
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any


_JOINS = ("all", "any", "not")
_LEAF_KEYS = ("fact", "op", "value", "value_of")
_OPERATORS = tuple(operator.value for operator in Operator)
_NUMERIC = (FactType.INTEGER, FactType.NUMBER)
_COUNTING = (Operator.LEN_EQ, Operator.LEN_GE, Operator.COUNT_DISTINCT)
_PATTERNS = (Operator.MATCHES, Operator.ANY_MATCHES)
_EXAMPLES = {
    FactType.TEXT: '"text"',
    FactType.VERSION: '"12.4"',
    FactType.INTEGER: "1",
    FactType.NUMBER: "1.5",
    FactType.BOOLEAN: "true",
}


class ConditionReader:
    """Reads the conditions of one rule. Without fact declarations (None) types cannot be checked: the values are
    then taken as they stand, which serves only to look at a rule, not to judge with it."""

    def __init__(self, fields: Fields, facts: Mapping[str, FactSpec] | None, per_device: bool) -> None:
        self._fields = fields
        self._facts = facts
        self._per_device = per_device

    def read(self, key: str, needed: bool = True) -> Condition | None:
        """The condition that stands in the block `[key]`."""
        data = self._fields.take(key)
        if data is None and not needed:
            return None
        if not isinstance(data, dict):
            self._fields.complain(key, f"a condition is needed; write a block [{key}] with fact, op and value")
            return None
        return self._condition(data, key, 0)

    def _condition(self, data: Mapping[str, Any], key: str, depth: int) -> Condition | None:
        joins = [join for join in _JOINS if join in data]
        if not joins:
            return self._leaf(data, key)
        if len(data) != 1:
            rest = ", ".join(sorted(set(data) - {joins[0]}))
            self._fields.complain(key, f"{joins[0]} must stand alone, but {rest} stands beside it")
            return None
        if joins[0] == "not":
            return self._negation(data["not"], f"{key}.not", depth)
        return self._join(joins[0], data[joins[0]], f"{key}.{joins[0]}", depth)

    def _negation(self, part: Plain, key: str, depth: int) -> Condition | None:
        if not isinstance(part, dict):
            self._fields.complain(key, "needs one condition in braces: not = { fact = ..., op = ... }")
            return None
        leaf = not any(join in part for join in _JOINS)
        inner = self._condition(part, key, depth if leaf else self._deeper(key, depth))
        return None if inner is None else Not(inner)

    def _join(self, join: str, parts: Plain, key: str, depth: int) -> Condition | None:
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
            self._fields.complain(key, f"needs a list of conditions: {join} = [{{ fact = ..., op = ... }}, ...]")
            return None
        below = self._deeper(key, depth)
        read = [self._condition(part, f"{key}[{number}]", below) for number, part in enumerate(parts, start=1)]
        known = tuple(part for part in read if part is not None)
        return AllOf(known) if join == "all" else AnyOf(known)

    def _deeper(self, key: str, depth: int) -> int:
        if depth == 2:
            self._fields.complain(key, "is a third level of all/any/not; two are allowed, more needs a derived fact")
        return depth + 1

    def _leaf(self, data: Mapping[str, Any], key: str) -> Condition | None:
        before = len(self._fields.problems)
        for name in data:
            if name not in _LEAF_KEYS:
                self._fields.complain(
                    f"{key}.{name}", f"this key is not known here{suggestion(name, (*_LEAF_KEYS, *_JOINS))}"
                )
        fact, op = data.get("fact"), data.get("op")
        if not isinstance(fact, str) or not fact:
            self._fields.complain(f"{key}.fact", 'is missing; write the key of a fact, such as "driver.version"')
        if op not in _OPERATORS:
            self._fields.complain(f"{key}.op", f"{shown(op)} is no operator{suggestion(str(op), _OPERATORS)}")
        if len(self._fields.problems) > before or not isinstance(fact, str):
            return None
        return self._question(data, key, fact, Operator(op))

    def _question(self, data: Mapping[str, Any], key: str, fact: str, op: Operator) -> Condition | None:
        fact_type = self._type_of(f"{key}.fact", fact)
        if op is Operator.KNOWN:
            if "value" in data or "value_of" in data:
                self._fields.complain(key, "the operator known takes no value; for the opposite use not = {...}")
            return Question(fact, op)
        if op is Operator.UNKNOWN_BECAUSE:
            return self._unknown_because(data, key, fact)
        if ("value" in data) == ("value_of" in data):
            self._fields.complain(key, f"the operator {op.value} needs either value or value_of")
            return None
        if fact_type is not None and not self._fits(key, fact, fact_type, op):
            return None
        if "value_of" in data:
            return self._against_fact(data["value_of"], f"{key}.value_of", fact, fact_type, op)
        value = self._value(data["value"], f"{key}.value", fact_type, op)
        return None if value is None else Question(fact, op, value)

    def _unknown_because(self, data: Mapping[str, Any], key: str, fact: str) -> Condition | None:
        value = data.get("value")
        names = [value] if isinstance(value, str) else value
        allowed = [reason.value for reason in Reason]
        if not isinstance(names, list) or not names:
            self._fields.complain(f"{key}.value", f"a reason is needed. Allowed: {', '.join(allowed)}")
            return None
        wrong = [name for name in names if name not in allowed]
        for name in wrong:
            self._fields.complain(f"{key}.value", f"{shown(name)} is no reason{suggestion(str(name), allowed)}")
        if wrong or "value_of" in data:
            if "value_of" in data:
                self._fields.complain(f"{key}.value_of", "unknown_because takes a value, not another fact")
            return None
        return Question(fact, Operator.UNKNOWN_BECAUSE, tuple(Reason(name) for name in names))

    def _type_of(self, key: str, fact: str) -> FactType | None:
        """The type as this rule sees it: for_each takes one element out of a per-GPU list."""
        if self._facts is None:
            return None
        spec = self._facts.get(fact)
        if spec is None:
            self._fields.known(key, fact, self._facts, "fact")
            return None
        return spec.type.element if self._per_device and spec.per_device else spec.type

    def _fits(self, key: str, fact: str, fact_type: FactType, op: Operator) -> bool:
        fitting = operators_for(fact_type)
        if op in fitting:
            return True
        hint = ""
        if fact_type.is_list and op in operators_for(fact_type.element):
            hint = '; a check with for_each = "gpu" asks about single GPUs'
        allowed = ", ".join(item.value for item in fitting)
        self._fields.complain(
            f"{key}.op", f"{op.value} does not fit {fact}, which is of type {fact_type.value}{hint}. Allowed: {allowed}"
        )
        return False

    def _against_fact(
        self, other: Plain, key: str, fact: str, fact_type: FactType | None, op: Operator
    ) -> Condition | None:
        if not isinstance(other, str):
            self._fields.complain(key, f"{shown(other)} is not the key of a fact")
            return None
        if op in _PATTERNS:
            self._fields.complain(key, f"{op.value} takes a pattern as value, not another fact")
            return None
        other_type = self._type_of(key, other)
        if fact_type is not None and other_type is not None:
            wanted = _right_hand_types(fact_type, op)
            if other_type not in wanted:
                names = " or ".join(item.value for item in wanted)
                self._fields.complain(
                    key, f"{other} is of type {other_type.value}, but {op.value} on {fact} needs {names}"
                )
                return None
        return Question(fact, op, None, other)

    def _value(self, value: Plain, key: str, fact_type: FactType | None, op: Operator) -> Value | None:
        if op in _COUNTING:
            if type(value) is not int or not 0 <= value <= 1_000_000:
                self._fields.complain(key, f"{shown(value)} does not fit; {op.value} needs a whole number")
                return None
            return value
        if op in _PATTERNS:
            return self._pattern(value, key)
        if op is Operator.IN:
            if not isinstance(value, list) or not value:
                self._fields.complain(key, "in needs a list of values with at least one in it")
                return None
            items = [self._scalar(item, key, fact_type) for item in value]
            return None if any(item is None for item in items) else tuple(item for item in items if item is not None)
        return self._scalar(value, key, fact_type.element if fact_type is not None else None)

    def _pattern(self, value: Plain, key: str) -> str | None:
        if not isinstance(value, str) or not value:
            self._fields.complain(key, "a pattern in quotes is needed; single quotes spare you doubled backslashes")
            return None
        complaint = "" if self._fields.trusted else pattern_problem(value)
        if complaint:
            self._fields.complain(key, complaint)
            return None
        return value

    def _scalar(self, value: Plain, key: str, fact_type: FactType | None) -> Scalar | None:
        try:
            return typed(value, fact_type)
        except ValueError as error:
            self._fields.complain(key, str(error))
            return None


def typed(value: Plain, fact_type: FactType | None) -> Scalar:
    """A plain value of a rule file as the type asks for; ValueError says in words why it is not."""
    if fact_type is None and isinstance(value, (str, int, float, bool)):
        return value
    if fact_type is FactType.VERSION and isinstance(value, str):
        try:
            return Version.parse(value)
        except ValueError:
            raise ValueError(f'{shown(value)} is not a version; write digits and dots in quotes: "12.4"') from None
    if fact_type is FactType.VERSION and isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f'{value} must be quoted, "{value}": as a number, 12.10 would become 12.1')
    fitting: dict[FactType, tuple[type, ...]] = {
        FactType.TEXT: (str,),
        FactType.INTEGER: (int,),
        FactType.NUMBER: (int, float),
        FactType.BOOLEAN: (bool,),
    }
    if fact_type is not None and type(value) in fitting.get(fact_type, ()):
        return value  # type: ignore[no-any-return]
    wanted = fact_type.value if fact_type is not None else "a single value"
    example = f" such as {_EXAMPLES[fact_type]}" if fact_type in _EXAMPLES and fact_type is not None else ""
    raise ValueError(f"{shown(value)} is {kind(value)}, but {wanted}{example} is needed")


def pattern_problem(pattern: str, flags: int = 0) -> str:
    """What is wrong with a regular expression, in words; empty when nothing is."""
    try:
        re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        return f"{shown(pattern)} is not a valid pattern: {error}"
    from gpudoctor.knowledge.regex_safety import danger_of  # only untrusted rules are tried, and it is slow to load

    danger = danger_of(pattern, flags)
    return f"{shown(pattern)} can become very slow on a long line: {danger}" if danger else ""


@functools.cache
def operators_for(fact_type: FactType) -> tuple[Operator, ...]:
    """The operators that make sense for a type."""
    always = (Operator.KNOWN, Operator.UNKNOWN_BECAUSE)
    if fact_type.is_list:
        patterns = (Operator.ANY_MATCHES,) if fact_type is FactType.TEXT_LIST else ()
        return (*always, Operator.CONTAINS, *patterns, *_COUNTING)
    equal = (*always, Operator.EQ, Operator.NE)
    if fact_type is FactType.BOOLEAN:
        return equal
    if fact_type is FactType.TEXT:
        return (*equal, Operator.IN, Operator.CONTAINS, Operator.MATCHES)
    order = (Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.IN)
    return (*equal, *order, *((Operator.MATCHES,) if fact_type is FactType.VERSION else ()))


def _right_hand_types(fact_type: FactType, op: Operator) -> tuple[FactType, ...]:
    if op in _COUNTING:
        return (FactType.INTEGER,)
    if op is Operator.IN:
        return (FactType(f"{fact_type.value}_list"),)
    element = fact_type.element
    return _NUMERIC if element in _NUMERIC else (element,)
