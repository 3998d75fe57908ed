"""From a machine to a diagnosis: collect, examine the target, and have it judged.

A live machine and a recorded one take the same way; only the host differs.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from gpudoctor.collect.base import STAGE_CHILD, STAGE_FILES
from gpudoctor.collect.registry import Collector, collectors_named, collectors_of
from gpudoctor.declared import machine_specs
from gpudoctor.host.base import Host
from gpudoctor.judging import Result, machine_catalogue, of_machine
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derive_all
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Fact, Facts, FactSpec
from gpudoctor.model.record import record
from gpudoctor.model.run import Run
from gpudoctor.probe.registry import Examination, ProbeSettings, examine, unanswered
from gpudoctor.probe.spec import chosen, groups_for

if TYPE_CHECKING:
    from pathlib import Path

Progress = Callable[[str], None]
RedactorOf = Callable[[Facts, Mapping[str, FactSpec]], Callable[[str], str]]
# Kept back from every child's limit, so that there is time to judge and print when one runs into it.
RESERVED_SECONDS = 1.0
# What a child that loads the driver's libraries as root could change.
FIRST_COLLECTORS = ("device_nodes", "driver_kernel")
# Reading files takes milliseconds, unless a mount or a driver is wedged: then the kernel lets nobody go.
FILE_SECONDS = 10.0
# The part of the remaining time that one wedged collector may take, so that some is left for the others.
FILE_SHARE = 0.25
# What killing a child at its limit may take beyond it.
KILLING_SECONDS = 5.0


@record
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


def diagnose(settings: CheckSettings, progress: Progress = lambda _step: None) -> Result:
    """Judge a machine; ExaminationError where it, its record or the asked-for interpreter cannot be examined."""
    with open_host(settings) as (host, kind), Observation(host, settings, kind, progress) as observation:
        # Importing torch takes a second and another core: the rules are read meanwhile, and wrong ones end the run.
        catalogue = machine_catalogue(settings.rules)
        _ = catalogue.rules
        facts, runs, target = observation.finish()
    progress("judging")
    return of_machine(catalogue, facts, runs, target)


def prove(settings: CheckSettings, names: Sequence[str] = (), device: str = "") -> Result:
    """Run probes alone, by level or by name, and judge what they and the examination of torch show.

    `device` is `cpu`, `cuda:1` or the like; empty for the first GPU, or the CPU without one. UsageError for a name
    that no probe has, ExaminationError where the interpreter that was asked for is none.
    """
    groups = groups_for(chosen(settings.probes, names), device)
    catalogue = machine_catalogue(settings.rules)
    with open_host(settings) as (host, kind):
        found = examine(host, ProbeSettings(python=settings.python, kind=kind, groups=groups))
    return of_machine(catalogue, Facts(found.facts), found.runs, found.target)


def see(settings: CheckSettings, progress: Progress = lambda _step: None) -> tuple[Facts, Mapping[str, FactSpec]]:
    """All facts of a machine, derived ones included; nothing is judged."""
    catalogue = Catalogue(find_rules(settings.rules))
    with open_host(settings) as (host, kind), Observation(host, settings, kind, progress) as observation:
        facts, _runs, _target = observation.finish()
    return derive_all(facts, catalogue.tables), machine_specs()


def record_machine(
    settings: CheckSettings, folder: Path, redactor: RedactorOf, progress: Progress = lambda _step: None
) -> None:
    """Record a machine into a folder: every question that the collectors ask, with its answer.

    `redactor` makes the function that takes names and secrets out of a text, from the facts that tell what they
    are. Nothing is written anywhere else.
    """
    from gpudoctor.host.recorder import RecordingHost

    with open_host(settings) as (host, kind):
        recorder = RecordingHost(host)
        with Observation(recorder, settings, kind, progress) as observation:
            facts, _runs, _target = observation.finish()
    recorder.save(str(folder), redactor(facts, machine_specs()))


@contextlib.contextmanager
def open_host(settings: CheckSettings) -> Iterator[tuple[Host, str]]:
    """The machine to examine: this one, or the one that was recorded in a folder."""
    if settings.source:
        from pathlib import Path

        from gpudoctor.host.recorded import RecordedHost

        if not os.path.isdir(settings.source):
            raise ExaminationError(f"{settings.source} is not the folder of a recorded machine.")
        yield RecordedHost(Path(settings.source)), "recorded"
        return
    from gpudoctor.host import last_resort
    from gpudoctor.host.local import LocalHost

    last_resort.arm(settings.timeout)
    with LocalHost(max(1.0, settings.timeout - RESERVED_SECONDS)) as host:
        yield host, "live"


class Observation:
    """The observation of one machine, under way from the moment it is entered.

    What loading NVIDIA's libraries as root can change, the device nodes above all, is read first. Then the target
    is examined in a thread, because importing torch takes longest, the driver is asked by children of ours, and
    everything else is read beside them.
    """

    def __init__(self, host: Host, settings: CheckSettings, kind: str, progress: Progress) -> None:
        self._host = host
        self._settings = settings
        self._progress = progress
        groups = groups_for(chosen(settings.probes))
        probing = ProbeSettings(python=settings.python, kind=kind, groups=groups)
        self._examining: _Worker[Examination] = _Worker(lambda: examine(host, probing))
        self._first: tuple[list[Fact], list[Run]] = ([], [])
        self._asking: list[tuple[Collector, _Worker[tuple[list[Fact], Run]]]] = []

    def __enter__(self) -> Observation:
        self._progress("reading the driver's files")
        self._first = read_files(self._host, collectors_named(*FIRST_COLLECTORS))
        self._examining.begin()
        self._asking = [(one, _Worker(functools.partial(one.run, self._host))) for one in collectors_of(STAGE_CHILD)]
        for _item, worker in self._asking:
            worker.begin()
        return self

    def __exit__(self, *_error: object) -> None:
        # The host ends what is still running when it closes; waiting for the thread here would wait for torch.
        return None

    def finish(self) -> tuple[Facts, tuple[Run, ...], Target]:
        """All facts, how everything went, and what was examined; ExaminationError when the target is none."""
        facts, runs = list(self._first[0]), list(self._first[1])
        rest = [item for item in collectors_of(STAGE_FILES) if item.name not in FIRST_COLLECTORS]
        more = read_files(self._host, rest, self._progress)
        self._progress("asking the driver and importing torch")
        asked = [worker.result(self._patience(), item.unanswered) for item, worker in self._asking]
        for found, how in (more, *((found, [run]) for found, run in asked)):
            facts += found
            runs += how
        examination = self._examining.result(self._patience(), lambda: unanswered(self._settings.python))
        given = Fact("expect.gpus", self._settings.expect_gpus)
        return Facts([*facts, *examination.facts, given]), (*runs, *examination.runs), examination.target

    def _patience(self) -> float:
        return self._host.remaining() + KILLING_SECONDS


def read_files(
    host: Host, chosen: Sequence[Collector], progress: Progress = lambda _step: None
) -> tuple[list[Fact], list[Run]]:
    """Run these collectors one after the other; one that a wedged file holds fast is left behind in its thread."""
    facts: list[Fact] = []
    runs: list[Run] = []
    rest = list(chosen)
    while rest:
        answers: SimpleQueue[tuple[list[Fact], Run]] = SimpleQueue()
        _Worker(functools.partial(_read_in_order, host, tuple(rest), answers)).begin()
        for item in tuple(rest):
            progress(item.name)
            rest.remove(item)
            try:
                found, run = answers.get(timeout=max(0.2, min(FILE_SECONDS, host.remaining() * FILE_SHARE)))
            except Empty:
                found, run = item.unanswered()
            facts += found
            runs.append(run)
            if run.outcome == "timed_out":
                break
    return facts, runs


def _read_in_order(host: Host, chosen: Sequence[Collector], answers: SimpleQueue[tuple[list[Fact], Run]]) -> None:
    for item in chosen:
        answers.put(item.run(host))


T = TypeVar("T")


class _Worker(Generic[T]):
    """One piece of work in a thread of its own; what it raises is raised again where its result is asked for.

    Not a threading.Thread: starting one of those waits for a sign of life, and where memory is short it never comes.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._ends: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def begin(self) -> None:
        """Start; where the system lets no more threads start (a limit on processes), do it here and now."""
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            outcome = self._work()
            self._ends.put(lambda: outcome)
        except BaseException as error:  # noqa: BLE001 - it is raised again by `result`, in the thread that asked
            self._ends.put(functools.partial(_raise, error))

    def result(self, seconds: float, otherwise: Callable[[], T]) -> T:
        """Wait for it, and give what came of it, or what `otherwise` gives when it takes longer."""
        try:
            end = self._ends.get(timeout=seconds)
        except Empty:
            end = otherwise
        return end()


def _raise(error: BaseException) -> NoReturn:
    raise error
