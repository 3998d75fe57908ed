"""Judges a machine: every check over its facts, which finding explains which, how far each chain holds, the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.conditions import truth_of
from gpudoctor.knowledge.judge_rule import Views
from gpudoctor.model.cause import CauseHead
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
_CONFIDENCES = {confidence: place for place, confidence in enumerate(Confidence)}
_SEVERITIES = {severity: severity.rank for severity in Severity}
_KINDS = {kind: place for place, kind in enumerate((Kind.FAIL, Kind.UNKNOWN, Kind.PASS, Kind.NOT_APPLICABLE))}
_FAIL, _UNKNOWN = Kind.FAIL, Kind.UNKNOWN
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
    causes = catalogue.cause_heads
    findings = _explained(complete(_all_findings(catalogue, facts)), causes)
    chains = [chain for chain in catalogue.chains.values() if truth_of(chain.applies, facts.lookup) is Truth.TRUE]
    places = _places(chains)
    ordered = tuple(sorted(findings, key=lambda finding: _order(finding, places)))
    failing = [f for f in ordered if f.kind is Kind.FAIL and f.severity is not Severity.NOTE]
    kinds = _kinds_of(ordered)
    return Judgement(
        findings=ordered,
        chains=tuple(_walk(chain, kinds) for chain in chains),
        primary=failing[0].check if failing else "",
        health=_health(ordered, facts),
    )


def _all_findings(catalogue: Catalogue, facts: Facts) -> list[Finding]:
    views = Views(facts, catalogue.per_device)
    found: list[Finding] = []
    broken = []
    for check in catalogue.checks:
        try:
            found += check.findings(views)
        except Exception as error:  # noqa: BLE001 - all broken rules are named together, then the run ends
            broken.append(f"check {check.rule.id} broke: {type(error).__name__}: {error}")
    if broken:
        raise GpudoctorError("\n".join(broken))
    return found


def _explained(findings: Sequence[Finding], causes: Mapping[str, CauseHead]) -> list[Finding]:
    """Mark failing findings that follow from the cause of another one on the same subject."""
    failing = [finding for finding in findings if finding.kind is _FAIL]
    reach = {cause: _reach(cause, causes) for cause in {finding.cause for finding in failing}}
    roots = sorted(failing, key=lambda one: (_is_explained(one, failing, reach), *_strength(one)))
    answer = []
    for finding in findings:
        if finding.kind is _FAIL:
            by = next((one.check for one in roots if _explains(one, finding, reach)), "")
            finding = replace(finding, explained_by=by) if by else finding
        answer.append(finding)
    return answer


def _is_explained(finding: Finding, failing: Sequence[Finding], reach: Mapping[str, frozenset[str]]) -> bool:
    return any(_explains(other, finding, reach) for other in failing)


def _explains(one: Finding, other: Finding, reach: Mapping[str, frozenset[str]]) -> bool:
    """Whether a finding brings another about: what ails one GPU does not ail its neighbour."""
    related = one.subject == other.subject or MACHINE in (one.subject, other.subject)
    return related and other.cause in reach[one.cause]


def _reach(cause: str, causes: Mapping[str, CauseHead]) -> frozenset[str]:
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
        _SEVERITIES[finding.severity],
        _CONFIDENCES[finding.confidence],
        finding.check,
        _device(finding.subject),
    )


def _device(subject: str) -> int:
    """The number of the GPU that a finding is about; the machine comes before all of them."""
    return -1 if subject == MACHINE else int(subject.split(":")[1])


def _places(chains: Sequence[Chain]) -> dict[str, int]:
    """The first place of each check in any chain whose question arises."""
    places: dict[str, int] = {}
    for chain in chains:
        for place, check in enumerate(chain.links):
            places[check] = min(place, places.get(check, _NOWHERE))
    return places


def _order(finding: Finding, places: Mapping[str, int]) -> tuple[int, int, bool, int, int, str, int]:
    """Failures first: worst severity, roots before what they explain, early links of chains, surest, id, GPU."""
    kind, severity, confidence = finding.kind, _SEVERITIES[finding.severity], _CONFIDENCES[finding.confidence]
    place = places.get(finding.check, _NOWHERE) if kind is _FAIL else 0
    device = _device(finding.subject)
    return (_KINDS[kind], severity, bool(finding.explained_by), place, confidence, finding.check, device)


def _kinds_of(ordered: Sequence[Finding]) -> dict[str, Kind]:
    """One answer for each check, which may have judged several GPUs: that of its first finding in the report's order,
    which goes by kind before all else."""
    kinds: dict[str, Kind] = {}
    for finding in ordered:
        kinds.setdefault(finding.check, finding.kind)
    return kinds


def _walk(chain: Chain, kinds: Mapping[str, Kind]) -> ChainAnswer:
    links = tuple((check, kinds.get(check, Kind.NOT_APPLICABLE)) for check in chain.links)
    broken_at = next((check for check, kind in links if kind is _FAIL), "")
    return ChainAnswer(chain.id, chain.question, broken_at, links)


def _awaits_probes(finding: Finding) -> bool:
    blocked = finding.blocked_by
    return finding.kind is _UNKNOWN and bool(blocked) and all(key.startswith(PROBE) for key in blocked)


def _health(findings: Sequence[Finding], facts: Facts) -> Health:
    """The verdict. Without a failure it stays open while a check that could find an error lacks facts, or while no
    such check had anything to judge; unless something stronger settles it: CUDA was seen to work, or no GPU is
    meant to be there and torch was seen to start or not to be there either. Checks that only lack a probe's answer do
    not keep it open, because probes run only where they are asked for."""
    failing = {finding.severity for finding in findings if finding.kind is _FAIL}
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
