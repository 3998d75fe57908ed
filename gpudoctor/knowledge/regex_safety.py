"""Refuses regular expressions that can take far longer than the line they search is long.

A static and cautious test over Python's own parse of a pattern. The rule folder of a stranger must be safe to load,
and a hostile log must not stop a diagnosis. The weight of a repeat is the number of lengths it can try; repeats that
can pass characters to one another multiply. `A*B` next to each other is harmless where A and B share no character,
or where something stands between them that the earlier one cannot cross.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Iterable
from typing import Any

from gpudoctor.model.record import field, record

_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_codes: Any = importlib.import_module("re._constants" if sys.version_info >= (3, 11) else "sre_constants")

Node = Any  # a piece of a parsed pattern; the standard library gives it no type
_UNBOUNDED = 1_000  # what an endless repeat weighs: two of them pass the limit, one with a short bounded one does not
_HEAVIEST = 65_536
_LONG = 10  # a repeat that can come round more often than this is treated as a loop
_SAMPLE = (*map(chr, range(256)), "\u0130", "\u0660", "\u2003", "\u2028", "\u4e00", "\uff21")
_EVERY = frozenset(_SAMPLE)
_SINGLE = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_HINT = "bound it, as in .{0,200}, or put a character between that it cannot match"


class _DangerousError(Exception):
    pass


@record(frozen=False)
class _Open:
    """A repeat whose end is still movable at this place of the pattern."""

    characters: frozenset[str]
    weight: int


@record(frozen=False)
class _Walk:
    open: list[_Open] = field(default_factory=list)
    pending: str = ""  # a conflict that only counts when something after it can fail


def danger_of(pattern: str, flags: int = 0) -> str:
    """Why a valid pattern is refused, in words; empty when it is not."""
    try:
        parsed = _parser.parse(pattern, flags)
        _walk(parsed, _Walk(), bool(parsed.state.flags & re.IGNORECASE))
    except _DangerousError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return ""


def _walk(items: Iterable[tuple[Any, Any]], walk: _Walk, ignore_case: bool) -> None:
    for op, argument in items:
        name = str(op)
        if name.startswith("GROUPREF"):
            raise _DangerousError("it refers back to a group, which can need very many attempts")
        if name in ("ASSERT", "ASSERT_NOT"):
            _look_around(argument, ignore_case)
        elif name in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
            raise _DangerousError("it uses an atomic group or possessive repeat, which older Pythons do not know")
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            _repeat(argument, walk, ignore_case)
        elif name == "BRANCH":
            _branch(argument[1], walk, ignore_case)
        elif name == "SUBPATTERN":
            _walk(argument[3], walk, ignore_case or bool(argument[1] & re.IGNORECASE))
        elif name == "AT":
            if walk.pending and not walk.open[-1].characters >= _EVERY - {"\n"}:
                raise _DangerousError(walk.pending)
        else:
            _mandatory(_characters(op, argument, ignore_case), walk)


def _look_around(argument: tuple[int, Any], ignore_case: bool) -> None:
    direction, body = argument
    if direction < 0:
        raise _DangerousError("it looks behind; match the text before instead")
    if _is_loop_inside(body):
        raise _DangerousError("it looks ahead over a repeat without a close limit")
    _walk(body, _Walk(), ignore_case)


def _mandatory(characters: frozenset[str], walk: _Walk) -> None:
    """One character that must stand here: every repeat before that cannot cross it has its end fixed."""
    if walk.pending:
        raise _DangerousError(walk.pending)
    walk.open = [one for one in walk.open if one.characters & characters]


def _repeat(argument: tuple[int, int, Any], walk: _Walk, ignore_case: bool) -> None:
    low, high, body = int(argument[0]), int(argument[1]), argument[2]
    endless = argument[1] is _codes.MAXREPEAT or argument[1] == _codes.MAXREPEAT
    characters = _all_characters(body, ignore_case)
    if endless or high > _LONG:
        _check_loop_body(body, ignore_case)
    elif high > 1 or not _is_single(body):
        for _ in range(max(1, min(high, 3))):
            _walk(body, walk, ignore_case) if low else _walk_optional(body, walk, ignore_case)
    choices = _UNBOUNDED if endless else min(high - low + 1, _UNBOUNDED)
    if low and _is_single(body):
        _mandatory(characters, walk)
    if choices > 1:
        _add_repeat(characters, choices, walk)


def _add_repeat(characters: frozenset[str], choices: int, walk: _Walk) -> None:
    if walk.pending:
        raise _DangerousError(walk.pending)
    weight = choices
    for one in walk.open:
        if one.characters & characters:
            weight = max(weight, one.weight * choices)
    if weight > _HEAVIEST:
        walk.pending = f"two repeats in a row can match the same characters; {_HINT}"
    walk.open.append(_Open(characters, weight))


def _walk_optional(body: Node, walk: _Walk, ignore_case: bool) -> None:
    inside = _Walk(list(walk.open), walk.pending)
    _walk(body, inside, ignore_case)
    walk.open += [one for one in inside.open if one not in walk.open]
    walk.pending = walk.pending or inside.pending


def _branch(branches: list[Any], walk: _Walk, ignore_case: bool) -> None:
    ends = []
    for branch in branches:
        end = _Walk(list(walk.open), walk.pending)
        _walk(branch, end, ignore_case)
        ends.append(end)
    merged: list[_Open] = []
    for end in ends:
        merged += [one for one in end.open if one not in merged]
    walk.open = merged
    walk.pending = next((end.pending for end in ends if end.pending), "")


def _check_loop_body(body: Node, ignore_case: bool) -> None:
    """A loop is safe when each round has one length and one way to match."""
    if _is_loop_inside(body):
        raise _DangerousError("a repeat stands inside a repeat; write the inner characters as one set, as in [\\w.]+")
    width = body.getwidth()
    if width[0] != width[1]:
        raise _DangerousError("what is repeated can have several lengths, so one text can be split in many ways")
    _check_branches(body, ignore_case)


def _check_branches(body: Node, ignore_case: bool) -> None:
    for op, argument in body:
        name = str(op)
        if name == "BRANCH":
            seen: frozenset[str] = frozenset()
            for branch in argument[1]:
                first = _first_characters(branch, ignore_case)
                if first & seen:
                    raise _DangerousError("the alternatives inside a repeat can begin with the same character")
                seen |= first
                _check_branches(branch, ignore_case)
        elif name == "SUBPATTERN":
            _check_branches(argument[3], ignore_case)
        elif name in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT"):
            raise _DangerousError("it looks around or refers back inside a repeat")
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            _check_branches(argument[2], ignore_case)


def _is_single(body: Node) -> bool:
    return len(body) == 1 and str(body[0][0]) in _SINGLE


def _is_loop_inside(body: Node) -> bool:
    for op, argument in body:
        repeat = str(op) in ("MAX_REPEAT", "MIN_REPEAT")
        if repeat and argument[0] != argument[1] and int(argument[1]) > _LONG:
            return True
        if any(_is_loop_inside(part) for part in _inner(str(op), argument)):
            return True
    return False


def _inner(name: str, argument: Node) -> list[Node]:
    """The pieces that a piece is made of."""
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        return [argument[2]]
    if name == "SUBPATTERN":
        return [argument[3]]
    if name == "BRANCH":
        return list(argument[1])
    return [argument[1]] if name in ("ASSERT", "ASSERT_NOT") else []


def _first_characters(body: Node, ignore_case: bool) -> frozenset[str]:
    for op, argument in body:
        if str(op) == "AT":
            continue
        if str(op) == "SUBPATTERN":
            return _first_characters(argument[3], ignore_case)
        if str(op) in _SINGLE:
            return _characters(op, argument, ignore_case)
        return _all_characters(body, ignore_case)
    return _EVERY


def _all_characters(body: Node, ignore_case: bool) -> frozenset[str]:
    """Every character that a piece of a pattern can match anywhere."""
    found: frozenset[str] = frozenset()
    for op, argument in body:
        if str(op) in _SINGLE:
            found |= _characters(op, argument, ignore_case)
        for part in _inner(str(op), argument):
            found |= _all_characters(part, ignore_case)
    return found


def _characters(op: Node, argument: Node, ignore_case: bool) -> frozenset[str]:
    name = str(op)
    if name == "ANY":
        return _EVERY - {"\n"}
    if name == "LITERAL":
        return _cased(frozenset([chr(argument)]), ignore_case)
    if name == "NOT_LITERAL":
        return _EVERY - _cased(frozenset([chr(argument)]), ignore_case)
    if name != "IN":
        return _EVERY
    negated = False
    found: frozenset[str] = frozenset()
    for kind, value in argument:
        if str(kind) == "NEGATE":
            negated = True
        elif str(kind) == "LITERAL":
            found |= {chr(value)}
        elif str(kind) == "RANGE":
            found |= _in_range(value[0], value[1])
        else:
            found |= _in_category(str(value))
    found = _cased(found, ignore_case)
    return _EVERY - found if negated else found


def _in_range(low: int, high: int) -> frozenset[str]:
    return frozenset(char for char in _SAMPLE if low <= ord(char) <= high) | {chr(low), chr(high)}


@functools.lru_cache(maxsize=16)
def _in_category(name: str) -> frozenset[str]:
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}.get(name.rsplit("_", 1)[-1], "w")
    expression = re.compile("\\" + (letter.upper() if "_NOT_" in name else letter))
    return frozenset(char for char in _SAMPLE if expression.match(char))


def _cased(characters: frozenset[str], ignore_case: bool) -> frozenset[str]:
    if not ignore_case:
        return characters
    return characters | {char.lower() for char in characters} | {char.upper() for char in characters}
