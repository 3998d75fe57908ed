"""The ring under a launcher becomes a diagnosis: one process of the job runs it, and what its ranks saw is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gpudoctor.host import last_resort
from gpudoctor.host.local import LocalHost
from gpudoctor.judging import machine_catalogue
from gpudoctor.knowledge.derive_facts import derive_all
from gpudoctor.knowledge.evaluate import judge
from gpudoctor.model.diagnosis import Diagnosis, Health
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Facts, FactSpec, Unknown
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.record import as_dict, record, replace
from gpudoctor.model.rule import Rule, Severity, questions_of
from gpudoctor.probe import ring_across
from gpudoctor.probe.launch import Given, Place, place_of
from gpudoctor.probe.registry import ProbeSettings, examine
from gpudoctor.probe.zygote import Group, Step

# What starting an interpreter and ending it may take beside the step.
START_S = 3.0
OUTCOME = ring_across.PREFIX + "outcome"
FAULT = ring_across.PREFIX + "fault"


@record
class RingSettings:
    """What was asked. `timeout` in seconds; `join` is how long the ranks wait for one another."""

    given: Given
    python: str = ""
    timeout: float = 180.0
    join: float = 30.0
    rules: tuple[Path, ...] = ()


@record
class RingResult:
    """The diagnosis of one rank, its place in the job, and whether it met the others."""

    diagnosis: Diagnosis
    specs: Mapping[str, FactSpec]
    place: Place
    met: bool


def run_ring(settings: RingSettings) -> RingResult:
    """Take part in the ring of a job. UsageError where the place is not known, ExaminationError where no ring ran."""
    last_resort.arm(settings.timeout)
    with LocalHost(settings.timeout) as host:
        place = place_of(host.env(), settings.given)
        options = {**as_dict(place), "join_s": settings.join}
        step = Step(ring_across.STEP, limit_s=max(1.0, settings.timeout - START_S), options=options)
        examination = examine(host, ProbeSettings(python=settings.python, groups=(Group("ring_across", (step,)),)))
    facts = Facts(examination.facts)
    catalogue = machine_catalogue(settings.rules)
    outcome = facts[OUTCOME]
    why = facts[FAULT]
    if isinstance(why, Unknown):
        raise ExaminationError(f"No ring was run under {examination.target.interpreter}: {why.detail}.")
    derived = derive_all(facts, catalogue.tables)
    findings = tuple(about_the_ring(judge(catalogue, derived).findings, catalogue.rules.values()))
    failing = [finding for finding in findings if finding.kind is Kind.FAIL]
    diagnosis = Diagnosis(
        health=health_of(findings, passed=outcome == "passed"),
        primary=failing[0].cause if failing else "",
        target=replace(examination.target, kind="live"),
        rules=catalogue.info(),
        facts=Facts(fact for fact in facts.items_sorted() if fact.key.startswith(ring_across.PREFIX)),
        findings=findings,
        runs=examination.runs,
    )
    return RingResult(diagnosis, catalogue.facts or {}, place, met="host_names" in known_parts(facts))


def known_parts(facts: Facts) -> set[str]:
    """The facts of the ring that are known, by the last part of their keys."""
    keys = (spec.key for spec in ring_across.FACTS)
    return {key[len(ring_across.PREFIX) :] for key in keys if not isinstance(facts[key], Unknown)}


def about_the_ring(findings: Iterable[Finding], rules: Iterable[Rule]) -> Iterator[Finding]:
    """The findings of the checks that ask about the ring across machines; the rest of the machine was not looked at."""
    asking = set()
    for rule in rules:
        questions = (*questions_of(rule.applies), *questions_of(rule.fails))
        if any(question.fact.startswith(ring_across.PREFIX) for question in questions):
            asking.add(rule.id)
    return (finding for finding in findings if finding.check in asking)


def health_of(findings: Iterable[Finding], passed: bool) -> Health:
    """The verdict over the ring alone."""
    failing = {finding.severity for finding in findings if finding.kind is Kind.FAIL}
    if Severity.ERROR in failing:
        return Health.BROKEN
    if Severity.WARNING in failing:
        return Health.DEGRADED
    return Health.HEALTHY if passed else Health.UNDECIDED
