"""Messages in a document as findings: what a program said about its own failure, beside what the facts say.

A message that names a root cause is worth a finding. Where a check has failed for the same cause, the message becomes
its evidence. A message that merely hints yields to checks that looked at the facts and found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.expand import usable_remedies
from gpudoctor.knowledge.match import Match
from gpudoctor.knowledge.rank import DIRECT, ROOT, Suspect, rank, under
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.fact import Facts
from gpudoctor.model.finding import Finding, Kind
from gpudoctor.model.record import replace
from gpudoctor.model.rule import Confidence, Severity

PREFIX = "log:"
BENIGN = "benign"
# From this weight on a message is taken at its word; below it the cause is a warning, and facts overrule it.
SURE_WEIGHT = 0.75
MOST_QUOTES = 4


def with_messages(
    catalogue: Catalogue, facts: Facts, matches: Sequence[Match], judged: Sequence[Finding]
) -> list[Finding]:
    """The checks' findings and those that messages make or support."""
    explains = _explains(catalogue)
    ranking = rank(matches, None, None, (), explains)
    findings = list(judged)
    for suspect in ranking.suspects:
        if suspect.tier < ROOT or suspect.cause.split(".")[0] == BENIGN:
            continue
        same = [place for place, one in enumerate(findings) if one.kind is Kind.FAIL and _alike(one, suspect)]
        if same:
            for place in same:
                findings[place] = replace(findings[place], evidence=(*findings[place].evidence, *_quotes(suspect)))
        elif _is_sure(suspect) or not _overruled(suspect, judged):
            findings.append(_finding(catalogue, facts, suspect))
    return findings


def with_earlier_messages(facts: Facts, earlier: Sequence[Finding], judged: Sequence[Finding]) -> list[Finding]:
    """The checks' findings with what messages once added to them, from a report: the text itself is no more at hand."""
    quoted = {
        (one.check, one.subject): tuple(quote for quote in one.evidence if quote.source.split("[")[0] not in facts)
        for one in earlier
        if one.kind is Kind.FAIL and not is_from_message(one)
    }
    supported = [
        replace(one, evidence=(*one.evidence, *quoted.get((one.check, one.subject), ())))
        if one.kind is Kind.FAIL
        else one
        for one in judged
    ]
    return [*supported, *(replace(one, explained_by="") for one in earlier if is_from_message(one))]


def is_from_message(finding: Finding) -> bool:
    """Whether a message made this finding, and not a check."""
    return finding.check.startswith(PREFIX)


def _explains(catalogue: Catalogue) -> Callable[[str], Sequence[str]]:
    return lambda cause: catalogue.cause(cause).explains if catalogue.has_cause(cause) else ()


def _alike(finding: Finding, suspect: Suspect) -> bool:
    return under(finding.cause, suspect.cause) or under(suspect.cause, finding.cause)


def _is_sure(suspect: Suspect) -> bool:
    return suspect.tier == DIRECT or suspect.weight >= SURE_WEIGHT


def _overruled(suspect: Suspect, judged: Sequence[Finding]) -> bool:
    """Whether some check of this very cause could be decided, and none is left open or failed."""
    kinds = {finding.kind for finding in judged if _alike(finding, suspect)}
    return bool(kinds & {Kind.PASS, Kind.NOT_APPLICABLE}) and Kind.FAIL not in kinds


def _finding(catalogue: Catalogue, facts: Facts, suspect: Suspect) -> Finding:
    cause = catalogue.cause(suspect.cause)
    best = max(suspect.matches, key=lambda match: match.signature.weight)
    return Finding(
        check=PREFIX + best.signature.id,
        cause=cause.id,
        kind=Kind.FAIL,
        severity=Severity.ERROR if _is_sure(suspect) else Severity.WARNING,
        confidence=Confidence.HIGH if suspect.tier == DIRECT else Confidence.MEDIUM,
        title=cause.title,
        message=best.signature.summary or cause.meaning,
        evidence=_quotes(suspect),
        remedies=usable_remedies(cause.remedies, facts),
        references=cause.references,
    )


def _quotes(suspect: Suspect) -> tuple[Evidence, ...]:
    ordered = sorted(suspect.matches, key=lambda match: (-match.signature.weight, match.position))
    quotes = dict.fromkeys(Evidence(m.document, m.line.text.strip(), m.line.number) for m in ordered)
    return tuple(quotes)[:MOST_QUOTES]
