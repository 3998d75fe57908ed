"""Judges a machine: every check over its facts, which finding explains which, how far each chain holds, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.conditions import truth_of
from gpudoctor.knowledge.judge_rule import judge_rule
from gpudoctor.model.cause import Cause
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.errors import GpudoctorError
from gpudoctor.model.fact import Facts
from gpudoctor.model.finding import MACHINE, ChainAnswer, Finding, Kind
from gpudoctor.model.record import record, replace
from gpudoctor.model.rule import Chain, Confidence, Severity
from gpudoctor.model.truth import Truth

GPU_EXPECTED = "gpu.expected"
PROBE = "probe."
CUDA_AVAILABLE = "torch.cuda_available"
TORCH_INSTALLED = "torch.installed"
_CONFIDENCES = tuple(Confidence)
_KINDS = (Kind.FAIL, Kind.UNKNOWN, Kind.PASS, Kind.NOT_APPLICABLE)
_NOWHERE = 1_000


@record
class Judgement:
    """What the checks say. `primary` is the id of the check whose failing is the root, empty where nothing of the
    severity error or warning fails; its finding stands first in `findings`."""

    findings: tuple[Finding, ...]
    chains: tuple[ChainAnswer, ...]
    primary: str
    health: Health


def judge(
    catalogue: Catalogue, facts: Facts, complete: Callable[[list[Finding]], list[Finding]] = lambda found: found
) -> Judgement:
    """Judge facts that are already derived. RulesError for rules that cannot be read; GpudoctorError names the
    checks that broke while being judged, which is a bug of ours. `complete` may add to what the checks found, before
    it is decided what explains what."""
    causes = catalogue.causes
    findings = _explained(complete(_all_findings(catalogue, facts)), causes)
    chains = [chain for chain in catalogue.chains.values() if truth_of(chain.applies, facts) is Truth.TRUE]
    places = _places(chains)
    ordered = tuple(sorted(findings, key=lambda finding: _order(finding, places)))
    failing = [f for f in ordered if f.kind is Kind.FAIL and f.severity is not Severity.NOTE]
    return Judgement(
        findings=ordered,
        chains=tuple(_walk(chain, ordered) for chain in chains),
        primary=failing[0].check if failing else "",
        health=_health(ordered, facts),
    )


def _all_findings(catalogue: Catalogue, facts: Facts) -> list[Finding]:
    causes, per_device = catalogue.causes, catalogue.per_device
    found: list[Finding] = []
    broken = []
    for rule in catalogue.rules.values():
        try:
            found += judge_rule(rule, causes[rule.cause], facts, per_device)
        except Exception as error:  # noqa: BLE001 - all broken rules are named together, then the run ends
            broken.append(f"check {rule.id} broke: {type(error).__name__}: {error}")
    if broken:
        raise GpudoctorError("\n".join(broken))
    return found


def _explained(findings: Sequence[Finding], causes: Mapping[str, Cause]) -> list[Finding]:
    """Mark failing findings that follow from the cause of another one on the same subject."""
    failing = [finding for finding in findings if finding.kind is Kind.FAIL]
    reach = {cause: _reach(cause, causes) for cause in {finding.cause for finding in failing}}
    roots = sorted(failing, key=lambda one: (_is_explained(one, failing, reach), *_strength(one)))
    answer = []
    for finding in findings:
        by = next((one.check for one in roots if finding.kind is Kind.FAIL and _explains(one, finding, reach)), "")
        answer.append(replace(finding, explained_by=by) if by else finding)
    return answer


def _is_explained(finding: Finding, failing: Sequence[Finding], reach: Mapping[str, frozenset[str]]) -> bool:
    return any(_explains(other, finding, reach) for other in failing)


def _explains(one: Finding, other: Finding, reach: Mapping[str, frozenset[str]]) -> bool:
    """Whether a finding brings another about: what ails one GPU does not ail its neighbour."""
    related = one.subject == other.subject or MACHINE in (one.subject, other.subject)
    return related and other.cause in reach[one.cause]


def _reach(cause: str, causes: Mapping[str, Cause]) -> frozenset[str]:
    """Everything that a cause can bring about, directly or through others."""
    found: set[str] = set()
    left = list(causes[cause].explains)
    while left:
        other = left.pop()
        if other not in found and other in causes:
            found.add(other)
            left += causes[other].explains
    return frozenset(found - {cause})


def _strength(finding: Finding) -> tuple[int, int, str, int]:
    return (
        finding.severity.rank,
        _CONFIDENCES.index(finding.confidence),
        finding.check,
        -1 if finding.subject == MACHINE else int(finding.subject.split(":")[1]),
    )


def _places(chains: Sequence[Chain]) -> dict[str, int]:
    """The first place of each check in any chain whose question arises."""
    places: dict[str, int] = {}
    for chain in chains:
        for place, check in enumerate(chain.links):
            places[check] = min(place, places.get(check, _NOWHERE))
    return places


def _order(finding: Finding, places: Mapping[str, int]) -> tuple[int, int, bool, int, int, str, int]:
    """Failures first: worst severity, roots before what they explain, early links of chains, surest, id, GPU."""
    severity, confidence, check, device = _strength(finding)
    place = places.get(finding.check, _NOWHERE) if finding.kind is Kind.FAIL else 0
    kind = _KINDS.index(finding.kind)
    return (kind, severity, bool(finding.explained_by), place, confidence, check, device)


def _walk(chain: Chain, findings: Sequence[Finding]) -> ChainAnswer:
    links = tuple((check, _kind_of(check, findings)) for check in chain.links)
    broken_at = next((check for check, kind in links if kind is Kind.FAIL), "")
    return ChainAnswer(chain.id, chain.question, broken_at, links)


def _kind_of(check: str, findings: Sequence[Finding]) -> Kind:
    """One answer for a check that may have judged several GPUs."""
    kinds = {finding.kind for finding in findings if finding.check == check}
    return next((kind for kind in _KINDS if kind in kinds), Kind.NOT_APPLICABLE)


def _awaits_probes(finding: Finding) -> bool:
    blocked = finding.blocked_by
    return finding.kind is Kind.UNKNOWN and bool(blocked) and all(key.startswith(PROBE) for key in blocked)


def _health(findings: Sequence[Finding], facts: Facts) -> Health:
    """The verdict. Without a failure it stays open while a check that could find an error lacks facts, or while no
    such check had anything to judge; unless something stronger settles it: CUDA was seen to work, or no GPU is
    meant to be there and torch was seen to start or not to be there either. Checks that only lack a probe's answer do
    not keep it open, because probes run only where they are asked for."""
    failing = {finding.severity for finding in findings if finding.kind is Kind.FAIL}
    if Severity.ERROR in failing:
        return Health.BROKEN
    if Severity.WARNING in failing:
        return Health.DEGRADED
    available = facts.flag(CUDA_AVAILABLE)
    torch_seen = available is not None or facts.flag(TORCH_INSTALLED) is False
    settled = available is True or (facts.flag(GPU_EXPECTED) is False and torch_seen)
    grave = {finding.kind for finding in findings if finding.severity is Severity.ERROR and not _awaits_probes(finding)}
    decided = Kind.PASS in grave and Kind.UNKNOWN not in grave
    return Health.HEALTHY if settled or decided else Health.UNDECIDED
