"""Runs the derive modules: facts and tables in, more facts out.

Each module runs by itself, after those whose outputs it reads. What was observed is never replaced by what was
derived, and a module that raises costs only its own facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import ModuleType

from gpudoctor.knowledge import derive
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.errors import RulesError
from gpudoctor.model.fact import Fact, Facts, FactSpec, GrowingFacts, Reason, Unknown
from gpudoctor.model.record import record
from gpudoctor.model.registry import modules_of, specs_of


@record
class Derivation:
    """All facts, observed and derived, and one line for each module that broke, which is a bug of ours."""

    facts: Facts
    bugs: tuple[str, ...] = ()


def derive_all(facts: Facts, tables: Tables) -> Facts:
    """The facts and everything that follows from them."""
    return derivation(facts, tables).facts


def derivation(facts: Facts, tables: Tables, modules: Sequence[ModuleType] | None = None) -> Derivation:
    """The same with the bugs that were met on the way."""
    bugs: list[str] = []
    # Each module reads what those before it found. One collection grows for all of them: two dozen copies of a thousand
    # facts would cost as much as deriving.
    growing = GrowingFacts(facts)
    for module in _own_order() if modules is None else in_order(modules):
        found, bug = _run(module, growing, tables)
        bugs += [bug] if bug else []
        growing.add(found)
    return Derivation(growing.settled(), tuple(bugs))


@lru_cache(maxsize=1)
def derive_modules() -> tuple[ModuleType, ...]:
    """The modules of the derive folder."""
    return modules_of(derive, "derive")


@lru_cache(maxsize=1)
def _own_order() -> tuple[ModuleType, ...]:
    return tuple(in_order(derive_modules()))


@lru_cache(maxsize=1)
def derived_specs() -> Mapping[str, FactSpec]:
    """The declarations of all derived facts."""
    return specs_of(derive_modules())


def in_order(modules: Sequence[ModuleType]) -> list[ModuleType]:
    """The modules, each behind those that yield its inputs; ValueError for a circle, which is a bug of ours."""
    owners = {spec.key: module.__name__ for module in modules for spec in module.FACTS}
    left = {module.__name__: module for module in sorted(modules, key=lambda module: module.__name__)}
    ordered: list[ModuleType] = []
    waits = {name: _waits_for(module, owners) - {name} for name, module in left.items()}
    while left:
        ready = next((name for name in left if waits[name].isdisjoint(left)), "")
        if not ready:
            raise ValueError(f"derive modules wait for each other: {', '.join(left)}")
        ordered.append(left.pop(ready))
    return ordered


def _waits_for(module: ModuleType, owners: Mapping[str, str]) -> set[str]:
    return {owners[key] for key in module.INPUTS if key in owners}


@lru_cache(maxsize=128)
def _declared_by(module: ModuleType) -> frozenset[str]:
    return frozenset(spec.key for spec in module.FACTS)


def _run(module: ModuleType, facts: Facts, tables: Tables) -> tuple[list[Fact], str]:
    name = module.__name__.rsplit(".", 1)[-1]
    declared = _declared_by(module)
    try:
        found = list(module.derive(facts, tables))
        keys = {fact.key for fact in found}
        if len(keys) != len(found) or not keys <= declared:
            strange = ", ".join(sorted(keys - declared) or keys)
            raise ValueError(f"{name} yields a fact twice or one that it does not declare: {strange}")
    except RulesError:
        raise  # a table that cannot be read is no bug of the module, and every later answer would lean on it
    except Exception as error:  # noqa: BLE001 - any bug of one module must leave the others standing
        line = f"deriving {name} broke: {type(error).__name__}: {error}"
        return [Fact(key, Unknown(Reason.CRASHED, line[:300])) for key in sorted(declared)], line
    if len(keys) < len(declared):
        missing = sorted(declared - keys)
        found += [Fact(key, Unknown(Reason.NO_DATA, f"{name} had nothing to say")) for key in missing]
    return found, ""
