"""All collectors: found on disk, each run behind a wall; one that breaks costs its own facts and nothing else."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import NamedTuple

import gpudoctor.collect as package
from gpudoctor.collect.base import STAGE_FILES
from gpudoctor.collect.parsing import printable
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Element, Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.registry import modules_of, specs_of
from gpudoctor.model.run import Run
from gpudoctor.model.version import Version

Progress = Callable[[str], None]

_TYPES: dict[FactType, tuple[type, ...]] = {
    FactType.TEXT: (str,),
    FactType.VERSION: (Version,),
    FactType.INTEGER: (int,),
    FactType.NUMBER: (int, float),
    FactType.BOOLEAN: (bool,),
}
_TRACEBACK_LIMIT = 1500


class Collector(NamedTuple):
    """One collector module. `stage` is `files` or `child`; `specs` are all facts that it may yield."""

    name: str
    stage: str
    specs: tuple[FactSpec, ...]
    collect: Callable[[Host], Iterable[Fact]]

    def run(self, host: Host) -> tuple[list[Fact], Run]:
        """Exactly one fact for every declared key, and how it went. Never raises."""
        started = time.monotonic()
        facts: dict[str, Fact] = {}
        problems: list[str] = []
        missing = Unknown(Reason.NO_DATA, "")
        try:
            for fact in self.collect(host):
                problems += self._accept(fact, facts)
        except HostError as error:
            missing = error.unknown()
        except Exception as error:  # noqa: BLE001 - whatever breaks in a collector must cost its own facts only
            missing = Unknown(Reason.CRASHED, f"collector bug: {type(error).__name__}: {error}"[:300])
            import traceback  # costly to load, and seldom needed

            problems.append(traceback.format_exc()[-_TRACEBACK_LIMIT:])
        for spec in self.specs:
            facts.setdefault(spec.key, Fact(spec.key, _showable(missing)))
        outcome = "failed" if problems else "completed"
        run = Run(f"collect.{self.name}", outcome, time.monotonic() - started, "\n".join(problems))
        return [facts[spec.key] for spec in self.specs], run

    def unanswered(self) -> tuple[list[Fact], Run]:
        """What stands for its facts when it was given up: something that it asked for never answered."""
        missing = Unknown(Reason.TIMED_OUT, "a file, folder or device that was asked for did not answer in time")
        run = Run(f"collect.{self.name}", "timed_out", detail=missing.detail)
        return [Fact(spec.key, missing) for spec in self.specs], run

    def _accept(self, fact: Fact, facts: dict[str, Fact]) -> list[str]:
        spec = next((spec for spec in self.specs if spec.key == fact.key), None)
        if spec is None:
            return [f"collector bug: {fact.key} is not declared"]
        if fact.key in facts:
            return [f"collector bug: {fact.key} was yielded twice"]
        if not isinstance(fact.value, Unknown) and not _fits(fact.value, spec.type):
            text = f"collector bug: {fact.key} is declared as {spec.type.value}, but holds {fact.value!r}"[:300]
            facts[fact.key] = Fact(fact.key, Unknown(Reason.CRASHED, text))
            return [text]
        facts[fact.key] = Fact(fact.key, _showable(fact.value))
        return []


def _showable(value: Value | Unknown) -> Value | Unknown:
    """The value without bytes that no report could carry: lone surrogates and control characters become escapes."""
    return tuple(map(_element, value)) if isinstance(value, tuple) else _element(value)


def _element(value: Element) -> Element:
    if isinstance(value, Unknown):
        return Unknown(value.reason, printable(value.detail, len(value.detail)))
    return printable(value, len(value)) if isinstance(value, str) else value


def _fits(value: Value, declared: FactType) -> bool:
    if declared.is_list:
        one = declared.element
        return isinstance(value, tuple) and all(isinstance(item, Unknown) or _fits(item, one) for item in value)
    if isinstance(value, bool) and declared is not FactType.BOOLEAN:
        return False
    return isinstance(value, _TYPES[declared])


@lru_cache(maxsize=1)
def collectors() -> tuple[Collector, ...]:
    """Every collector on disk, sorted by name."""
    return tuple(_collector(module) for module in modules_of(package, having="collect"))


def _collector(module: ModuleType) -> Collector:
    name = module.__name__.rpartition(".")[2]
    return Collector(name, getattr(module, "STAGE", STAGE_FILES), tuple(module.FACTS), module.collect)


def collectors_of(stage: str) -> tuple[Collector, ...]:
    """The collectors of one stage; those of the stage `child` may run at the same time, each in its own thread."""
    return tuple(collector for collector in collectors() if collector.stage == stage)


def collectors_named(*names: str) -> tuple[Collector, ...]:
    """These collectors alone, without importing the others: for answers that must be quick."""
    return tuple(_collector(importlib.import_module(f"{package.__name__}.{name}")) for name in names)


def collect_specs() -> dict[str, FactSpec]:
    """All facts that collectors declare, by key. A key declared twice raises ValueError, which names both modules."""
    return specs_of(modules_of(package, having="collect"))


def run_collectors(
    host: Host,
    stage: str = STAGE_FILES,
    progress: Progress | None = None,
    chosen: Sequence[Collector] | None = None,
) -> tuple[list[Fact], list[Run]]:
    """Run the collectors of a stage one after the other. `progress` hears each name before its collector starts."""
    facts: list[Fact] = []
    runs: list[Run] = []
    for collector in collectors_of(stage) if chosen is None else chosen:
        if progress is not None:
            progress(collector.name)
        found, run = collector.run(host)
        facts += found
        runs.append(run)
    return facts, runs
