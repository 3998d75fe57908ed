"""From a machine to a diagnosis: collect, examine the target, derive, judge.

A live machine and a recorded one take the same way; only the host differs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpudoctor.collect.base import STAGE_CHILD, STAGE_FILES
from gpudoctor.collect.registry import Collector, collectors_of, run_collectors
from gpudoctor.explain import known_specs
from gpudoctor.host.base import Host
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derive_all
from gpudoctor.knowledge.evaluate import judge
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.diagnosis import Diagnosis, Run, Target
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Fact, Facts, FactSpec
from gpudoctor.probe.registry import Examination, ProbeSettings, examine

Progress = Callable[[str], None]
RedactorOf = Callable[[Facts, Mapping[str, FactSpec]], Callable[[str], str]]
# Kept back from every child's limit, so that there is time to judge and print when one runs into it.
RESERVED_SECONDS = 1.0


@dataclass(frozen=True)
class CheckSettings:
    """What was asked. `source` is a recorded machine's folder or a report; empty means this machine.

    `probes` is `none`, `quick` or `full`; `expect_gpus` is `any`, `none` or a number; `timeout` in seconds.
    """

    python: str = ""
    probes: str = "quick"
    expect_gpus: str = "any"
    timeout: float = 60.0
    rules: tuple[Path, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Result:
    """A diagnosis with the declarations of the facts in it."""

    diagnosis: Diagnosis
    specs: dict[str, FactSpec]


def diagnose(settings: CheckSettings, progress: Progress = lambda _step: None) -> Result:
    """Judge a machine; ExaminationError where it, its record or the asked-for interpreter cannot be examined."""
    # The rules are read first: wrong ones must not cost a minute of examination.
    specs = known_specs()
    catalogue = Catalogue(find_rules(settings.rules), specs)
    _ = catalogue.rules
    with open_host(settings) as (host, kind):
        facts, runs, target = observe(host, settings, kind, progress)
    progress("judging")
    return Result(conclude(catalogue, facts, runs, target), specs)


def see(settings: CheckSettings, progress: Progress = lambda _step: None) -> tuple[Facts, dict[str, FactSpec]]:
    """All facts of a machine, derived ones included; nothing is judged."""
    catalogue = Catalogue(find_rules(settings.rules))
    with open_host(settings) as (host, kind):
        facts, _runs, _target = observe(host, settings, kind, progress)
    return derive_all(facts, catalogue.tables), known_specs()


def record(settings: CheckSettings, folder: Path, redactor: RedactorOf, progress: Progress = lambda _step: None) -> int:
    """Record a machine into a folder: every question that the collectors ask, with its answer.

    `redactor` makes the function that takes names and secrets out of a text, from the facts that tell what they
    are. Gives the number of answers; nothing is written anywhere else.
    """
    from gpudoctor.host.recorder import RecordingHost

    with open_host(settings) as (host, kind):
        recorder = RecordingHost(host)
        facts, _runs, _target = observe(recorder, settings, kind, progress)
    return recorder.save(folder, redactor(facts, known_specs()))


@contextlib.contextmanager
def open_host(settings: CheckSettings) -> Iterator[tuple[Host, str]]:
    """The machine to examine: this one, or the one that was recorded in a folder."""
    if settings.source:
        from gpudoctor.host.recorded import RecordedHost

        if not Path(settings.source).is_dir():
            raise ExaminationError(f"{settings.source} is not the folder of a recorded machine.")
        yield RecordedHost(Path(settings.source)), "recorded"
        return
    from gpudoctor.host.local import LocalHost

    with LocalHost(max(1.0, settings.timeout - RESERVED_SECONDS)) as host:
        yield host, "live"


def observe(
    host: Host, settings: CheckSettings, kind: str, progress: Progress
) -> tuple[Facts, tuple[Run, ...], Target]:
    """All facts of a machine.

    Files are read before any child starts, because NVIDIA's libraries create device nodes when root loads them.
    """
    facts, runs = run_collectors(host, STAGE_FILES, progress)
    progress("asking the driver and importing torch")
    # Collectors that start children and the examination of the target run at the same time, so that the whole
    # takes about as long as importing torch alone.
    crew = [_Worker(collector.run, host) for collector in collectors_of(STAGE_CHILD)]
    for worker in crew:
        worker.start()
    try:
        examination: Examination = examine(host, ProbeSettings(python=settings.python, kind=kind))
    finally:
        for worker in crew:
            worker.join()
    for worker in crew:
        found, run = worker.result()
        facts += found
        runs.append(run)
    given = Fact("expect.gpus", settings.expect_gpus)
    return Facts([*facts, *examination.facts, given]), (*runs, *examination.runs), examination.target


def conclude(catalogue: Catalogue, facts: Facts, runs: Iterable[Run], target: Target) -> Diagnosis:
    """Derive, judge and put the diagnosis together."""
    derived = derive_all(facts, catalogue.tables)
    judgement = judge(catalogue, derived)
    return Diagnosis(
        health=judgement.health,
        primary=judgement.primary,
        target=target,
        rules=catalogue.info(),
        facts=derived,
        findings=judgement.findings,
        chains=judgement.chains,
        runs=tuple(runs),
    )


class _Worker(threading.Thread):
    """One collector in a thread of its own. A collector never raises, so a missing result is our bug."""

    def __init__(self, run: Callable[[Host], tuple[list[Fact], Run]], host: Host) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._host = host
        self._result: tuple[list[Fact], Run] | None = None

    def run(self) -> None:
        """Collect."""
        self._result = self._run(self._host)

    def result(self) -> tuple[list[Fact], Run]:
        """What was collected."""
        if self._result is None:
            raise RuntimeError("a collector ended without a result")
        return self._result


__all__ = ["CheckSettings", "Collector", "Result", "conclude", "diagnose", "observe", "open_host"]
