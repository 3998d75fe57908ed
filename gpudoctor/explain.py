"""Why did it end like this? An exit status, evidence and this machine's own traces become an `Explained`.

Without evidence the answer is the exit's candidate causes; whatever is found here or handed over moves them,
confirms one or rules some out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpudoctor.declared import known_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.clues import allowed_by_facts, clue_matches
from gpudoctor.knowledge.expand import keys_in
from gpudoctor.knowledge.good_end import good_end
from gpudoctor.knowledge.match import Match, Matcher
from gpudoctor.knowledge.rank import BASE, ROOT, SYMPTOM, Ranking, Stated, Suspect, rank, under
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.document import KINDS, Document, Line
from gpudoctor.model.errors import UsageError
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.exit_status import ExitStatus
from gpudoctor.model.explanation import Explained, Explanation, Likelihood, RuledOut, Verdict
from gpudoctor.model.fact import Fact, Facts
from gpudoctor.model.record import replace
from gpudoctor.model.signature import Role

if TYPE_CHECKING:
    from pathlib import Path

    from gpudoctor.intake.scan import Triggers

NO_FAILURE = "benign.no_failure"
MOST_EVIDENCE = 6
# So few lines after a failure are no job that went on.
LEFT_AT_END = 3
# Signatures that speak about this machine's own traces; they alone are loaded when no document was given.
LOCAL_FAMILY = "local"
LOCAL_SECONDS = 5.0
# Quick to read and left behind by a crash: collector module -> what it looks at, in words.
LOCAL_COLLECTORS = {
    "cgroup": "the counters of this container's control group",
    "shm": "/dev/shm",
    "core_files": "core files",
}
KERNEL_LOG = "kernel_log", "the kernel's log, where it may be read"
# One of these is there where the driver is that could have written an Xid.
DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvidia0")
# What is taken from the kernel's log, by the words of the lines that count; each kill brings a page of others.
KERNEL_LINES = {"kernel_log.oom_lines": "ut of memory: Kill", "kernel_log.xid_lines": "Xid"}
MOST_LINES = 3
# Older lines tell of somebody else's crash.
RECENT_SECONDS = 600.0
BRING = (
    "the end of the job's log (`2>&1 | tail -n 200`)",
    "`docker inspect NAME`, `kubectl get pod NAME -o json` or `sacct -j JOB -l` of the container or job",
    "the kernel log of the host around that time (`dmesg -T`)",
)


class ExplainSettings(NamedTuple):
    """What was asked. `status` is empty for `explain-log`; `local` looks at this machine when no evidence is given."""

    status: str = ""
    evidence: tuple[str, ...] = ()
    local: bool = True
    rules: tuple[Path, ...] = ()


def explain_exit(settings: ExplainSettings, progress: Callable[[str], None] = lambda _step: None) -> Explained:
    """Explain an exit; UsageError for a status that is none, ExaminationError for evidence that cannot be read."""
    status = ExitStatus.parse(settings.status) if settings.status else None
    if settings.evidence:
        return _from_documents(settings, status, progress)
    catalogue = Catalogue(find_rules(settings.rules))
    if not settings.local:
        return compose(catalogue, status, (), (), ())
    facts, looked_at = local_traces()
    told = {key: _recent(facts, key) for key in KERNEL_LINES if facts.known(key) is not None}
    rest = (fact for fact in facts.items_sorted() if fact.key not in told)
    facts = Facts((*rest, *(Fact(key, lines) for key, lines in told.items())))
    matches = clue_matches(catalogue.signatures_of(LOCAL_FAMILY), facts)
    errors = told.get("kernel_log.xid_lines", ())
    if errors and status is not None and not status.is_success:
        matches += _hardware_matches(catalogue, errors)
    return compose(catalogue, status, matches, (), looked_at)


def _recent(facts: Facts, key: str) -> tuple[str, ...]:
    lines = [line for line in map(str, facts.elements(key)) if KERNEL_LINES[key] in line]
    return recent_lines(lines, time.clock_gettime(time.CLOCK_MONOTONIC))[-MOST_LINES:]


def recent_lines(lines: Iterable[str], now: float) -> tuple[str, ...]:
    """The lines of a kernel's log from the last minutes; `now` is in seconds since the machine started.

    Lines without such a time are left out: nobody knows whose crash they tell of.
    """
    stamped = [(re.match(r"\[ *(\d{1,9}\.\d{6})\]", line), line) for line in lines]
    return tuple(line for stamp, line in stamped if stamp is not None and now - float(stamp[1]) <= RECENT_SECONDS)


def _hardware_matches(catalogue: Catalogue, lines: Sequence[str]) -> list[Match]:
    """What ails the GPUs by the kernel's log. Of other lines nobody knows whether they tell of this job's processes."""
    numbered = tuple(Line(number, line) for number, line in enumerate(lines, 1))
    document = Document("the kernel's log", "kernel_log", numbered, line_count=len(lines))
    return Matcher(catalogue.signatures_of("hw")).match([document])


def _from_documents(settings: ExplainSettings, status: ExitStatus | None, progress: Callable[[str], None]) -> Explained:
    from gpudoctor.intake.registry import read_evidence

    # Our own rules were checked against the declared facts when they were written; only a stranger's are checked here,
    # because gathering the declarations imports every collector.
    catalogue = Catalogue(find_rules(settings.rules), known_specs if settings.rules else None)
    documents = read_evidence(settings.evidence, triggers_of(catalogue), progress)
    return explain_documents(catalogue, status, documents)


def triggers_of(catalogue: Catalogue) -> Triggers:
    """The words without which no line of a log is looked at."""
    from gpudoctor.intake.scan import Triggers

    return Triggers(str(row["word"]) for row in catalogue.tables["log_triggers"].rows)


def explain_documents(catalogue: Catalogue, status: ExitStatus | None, documents: Sequence[Document]) -> Explained:
    """Explain what was read.

    Where no status was given, the one that the documents state takes its place.
    """
    from gpudoctor.intake.merge import facts_of, placed, stated_exit

    # Positions order evidence, and the order in which files were named must not.
    documents = sorted(documents, key=lambda document: (KINDS.index(document.kind), document.name, document.size_bytes))
    facts = facts_of(documents)
    status = placed(status or stated_exit(facts), documents)
    signatures = [entry for entry in catalogue.signatures.values() if allowed_by_facts(entry, facts)]
    matches = Matcher(signatures).match(documents)
    matches += clue_matches(catalogue.signatures.values(), facts)
    return compose(catalogue, status, matches, documents, ())


def compose(
    catalogue: Catalogue,
    status: ExitStatus | None,
    matches: Sequence[Match],
    documents: Sequence[Document],
    looked_at: tuple[str, ...],
) -> Explained:
    """Rank what spoke and put the answer into words."""
    stated = _stated(matches, catalogue)
    meaning = catalogue.exit_for(status) if status else None
    ranking = rank(matches, status, meaning, stated, lambda cause: _explains(catalogue, cause))
    ranking = _with_success(ranking, status, matches, stated, documents)
    verdict = _verdict(ranking, status, documents)
    explanations = tuple(_explanation(suspect, catalogue) for suspect in ranking.suspects)
    ruled_out = tuple(
        RuledOut(cause, catalogue.cause(cause).title, " ".join(m.signature.summary for m in against), _quotes(against))
        for cause, against in ranking.ruled_out
    )
    return Explained(
        status=status,
        meaning=meaning,
        verdict=verdict,
        explanations=explanations,
        ruled_out=ruled_out,
        unused=_unused(documents, matches),
        looked_at=looked_at,
        bring=BRING if verdict in (Verdict.CANDIDATES, Verdict.UNEXPLAINED) else (),
    )


def _explains(catalogue: Catalogue, cause: str) -> Sequence[str]:
    return catalogue.cause(cause).explains if catalogue.has_cause(cause) else ()


def _stated(matches: Iterable[Match], catalogue: Catalogue) -> list[Stated]:
    stated = []
    for match in matches:
        if match.signature.role is not Role.STATUS:
            continue
        signal = match.captures.get("signal", "")
        spoken = f"-{signal}" if signal.isdigit() else signal or match.captures.get("code")
        try:
            # A text in words ("Segmentation fault") names no number; its signature says which status it is.
            status = ExitStatus.parse(spoken or "".join(match.signature.exits[:1]))
        except UsageError:
            continue
        if not status.is_success:
            stated.append(Stated(status, catalogue.exit_for(status), match))
    return stated


def _with_success(
    ranking: Ranking,
    status: ExitStatus | None,
    matches: Sequence[Match],
    stated: Sequence[Stated],
    documents: Sequence[Document],
) -> Ranking:
    """Success stands against what the job got over: a status of success, or a good end that its log tells.

    Direct evidence at the very end of a log stays before a status of success: a pipe passes on that of its last part.
    What else was seen is mentioned.
    """
    if not documents or (status is not None and not status.is_success):
        return ranking
    ended = good_end(matches, stated)
    if not ended and status is None:
        return ranking
    over = {document.name: document.line_count - LEFT_AT_END for document in documents}
    fatal = [
        suspect
        for suspect in ranking.suspects
        if suspect.likelihood is Likelihood.CONFIRMED
        and not ended
        and any(match.last > over.get(match.document, 0) and not _warns(match) for match in suspect.matches)
    ]
    harmless = [match for match in matches if match.signature.role is Role.NOISE]
    fine = Suspect(NO_FAILURE, tier=ROOT, weight=0.5, matches=ended or harmless)
    rest = [s for s in ranking.suspects if s not in fatal and s.cause != NO_FAILURE and s.tier > BASE]
    if ended:
        rest = [replace(suspect, tier=SYMPTOM) for suspect in rest]
    return Ranking((*fatal, fine, *rest), ranking.ruled_out)


def _warns(match: Match) -> bool:
    return "arning" in match.line.text or "WARN" in match.line.text


def _verdict(ranking: Ranking, status: ExitStatus | None, documents: Sequence[Document]) -> Verdict:
    if ranking.suspects and ranking.suspects[0].cause == NO_FAILURE:
        return Verdict.NO_FAILURE
    if any(suspect.tier > BASE for suspect in ranking.suspects):
        return Verdict.EXPLAINED
    if status is not None and status.is_success:
        return Verdict.NO_FAILURE
    if ranking.suspects:
        return Verdict.CANDIDATES
    if status is None and any(document.line_count for document in documents):
        return Verdict.NO_FAILURE
    return Verdict.UNEXPLAINED


def _explanation(suspect: Suspect, catalogue: Catalogue) -> Explanation:
    cause = catalogue.cause(suspect.cause)
    candidate = suspect.candidate
    spoken = sorted(suspect.matches, key=lambda match: (-match.signature.weight, match.position))
    summary = suspect.note or next((match.signature.summary for match in spoken if match.signature.summary), "")
    if suspect.explained_by:
        summary = f"{summary} It usually follows from {suspect.explained_by}, which is also present.".strip()
    return Explanation(
        cause=cause.id,
        title=cause.title,
        likelihood=suspect.likelihood,
        score=suspect.score,
        summary=summary or cause.meaning,
        looks_like=candidate.looks_like if candidate else cause.shows,
        decide=candidate.decide if candidate else "",
        command=candidate.command if candidate else "",
        evidence=_quotes(spoken),
        remedies=tuple(one for one in cause.remedies if not keys_in(one.text + one.command + one.verify)),
        references=cause.references,
    )


def _quotes(matches: Iterable[Match]) -> tuple[Evidence, ...]:
    quotes: list[Evidence] = []
    for match in matches:
        times = f"  (and {match.times - 1} more like it)" if match.times > 1 else ""
        quote = Evidence(match.document, match.line.text.strip() + times, match.line.number)
        if quote.text and quote not in quotes:
            quotes.append(quote)
    return tuple(quotes[:MOST_EVIDENCE])


def _unused(documents: Sequence[Document], matches: Sequence[Match]) -> tuple[str, ...]:
    spoke = {match.document for match in matches}
    unused = []
    for document in documents:
        unused += [f"{document.name}: {note}" for note in document.notes]
        if document.name not in spoke and not document.facts:
            unused.append(
                f"{document.name}: read as {document.kind} ({document.line_count} lines); nothing in it is known"
            )
    return tuple(unused)


def local_traces() -> tuple[Facts, tuple[str, ...]]:
    """What the crash left on this machine: facts, and the collectors that looked, in words."""
    from gpudoctor.collect.registry import collectors_named, run_collectors
    from gpudoctor.host.base import exists
    from gpudoctor.host.local import LocalHost

    with LocalHost(LOCAL_SECONDS) as host:
        found, _runs = run_collectors(host, chosen=collectors_named(*LOCAL_COLLECTORS))
        facts, looked_at = Facts(found), tuple(LOCAL_COLLECTORS.values())
        # The log is long, and of it only kills that our own group has counted and the driver's errors count.
        if facts.number("cgroup.oom_kill_count") or any(exists(host, path) for path in DRIVER_TRACES):
            found, _runs = run_collectors(host, chosen=collectors_named(KERNEL_LOG[0]))
            return facts.merged(found), (*looked_at, KERNEL_LOG[1])
    return facts, looked_at


__all__ = ["ExplainSettings", "compose", "explain_documents", "explain_exit", "under"]
