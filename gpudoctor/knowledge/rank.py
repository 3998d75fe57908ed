"""Ranking: from matches, exit statuses and facts to ordered causes, each with its evidence, and those ruled out.

Each signature counts once, however often its line echoes. The order: direct evidence, then other root evidence,
then symptoms and stated exits, then base rates; within each, causes that no other present cause brings about come
first, then the more specific, then the earlier, then by id. The order in which documents were given never decides
more than time does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gpudoctor.knowledge.match import Match
from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import Candidate, ExitMeaning, ExitStatus
from gpudoctor.model.explanation import Likelihood
from gpudoctor.model.record import field, record
from gpudoctor.model.signature import Role

DIRECT, ROOT, SYMPTOM, BASE = 3, 2, 1, 0
# A second independent signature makes a cause a little surer, a tenth one no more than a third.
BONUS_PER_SIGNATURE, MOST_BONUS = 0.05, 0.15
MISFIT = 0.5
FIRST_BASE_WEIGHT, BASE_STEP = 0.30, 0.02


@record(frozen=False)
class Suspect:
    """One cause under consideration.

    `tier` is DIRECT, ROOT, SYMPTOM or BASE; `fits` whether a known exit fits it; `note` says why it stands where it
    stands, if that is not what its matches say.
    """

    cause: str
    tier: int = BASE
    weight: float = 0.0
    position: tuple[int, int] = (1 << 30, 0)
    fits: bool = True
    matches: list[Match] = field(default_factory=list)
    candidate: Candidate | None = None
    note: str = ""
    explained_by: str = ""

    @property
    def score(self) -> float:
        """0 to 1, comparable within one answer."""
        bonus = min(MOST_BONUS, BONUS_PER_SIGNATURE * max(0, len({m.signature.id for m in self.matches}) - 1))
        return round(min(1.0, (self.tier + min(1.0, self.weight + bonus)) / 4), 3)

    @property
    def likelihood(self) -> Likelihood:
        """Confirmed needs direct evidence; a base rate is never more than possible."""
        if self.tier == DIRECT:
            return Likelihood.CONFIRMED if not self.explained_by else Likelihood.LIKELY
        return Likelihood.LIKELY if self.tier == ROOT and self.fits else Likelihood.POSSIBLE


@record
class Stated:
    """An exit that a log states, its meaning in the rules, and where it says so."""

    status: ExitStatus
    meaning: ExitMeaning | None
    match: Match


@record
class Ranking:
    """Ordered suspects, and what was ruled out: (cause, the matches that speak against it)."""

    suspects: tuple[Suspect, ...]
    ruled_out: tuple[tuple[str, tuple[Match, ...]], ...]


def under(cause: str, broader: str) -> bool:
    """Whether a cause is `broader` itself or a finer one below it."""
    return cause == broader or cause.startswith(broader + ".")


def fits_exit(match: Match, statuses: Sequence[ExitStatus]) -> bool:
    """Whether the signature's `exits` allow one of the known statuses; no list or no status allows anything."""
    wanted = match.signature.exits
    if not wanted or not statuses:
        return True
    for text in wanted:
        try:
            allowed = ExitStatus.parse(text)
        except UsageError:
            continue
        for status in statuses:
            same_code = allowed.code is not None and allowed.code == status.code
            same_reason = bool(allowed.reason) and allowed.reason == status.reason
            if same_code or same_reason or (allowed.signal and allowed.signal == status.signal):
                return True
    return False


def rank(
    matches: Iterable[Match],
    given: ExitStatus | None,
    meaning: ExitMeaning | None,
    stated: Sequence[Stated],
    explains: Callable[[str], Sequence[str]],
) -> Ranking:
    """Order the causes that matches, the given exit and the stated exits speak for."""
    statuses = [*([given] if given else []), *(entry.status for entry in stated)]
    suspects: dict[str, Suspect] = {}
    against: dict[str, list[Match]] = {}
    for match in matches:
        role, fits = match.signature.role, fits_exit(match, statuses)
        # What holds of every such container is evidence only together with its exit; a text, or a fact with one
        # meaning, says something by itself.
        with_exit = fits and bool(statuses or not match.signature.exits)
        speaks = bool(match.signature.patterns) or with_exit or (fits and match.signature.direct)
        if role is Role.AGAINST and with_exit:
            against.setdefault(match.signature.cause, []).append(match)
        elif role in (Role.ROOT, Role.SYMPTOM) and speaks:
            _add_match(suspects, match, fits)
    for entry in _telling(stated):
        _add_candidates(suspects, entry.meaning, SYMPTOM if entry.status.signal else BASE, entry.match)
    _add_candidates(suspects, meaning, BASE, None)
    _merge_broader(suspects)
    if not stated:  # a process of several can end of what the whole cannot end of
        _contradict(suspects, meaning)
    ruled_out = _rule_out(suspects, against)
    _mark_explained(suspects, explains)
    ordered = sorted(suspects.values(), key=_order)
    return Ranking(tuple(ordered), ruled_out)


def _order(suspect: Suspect) -> tuple[int, bool, float, tuple[int, int], bool, str]:
    return (
        -suspect.tier,
        bool(suspect.explained_by),
        -suspect.score,
        suspect.position,
        not suspect.fits,
        suspect.cause,
    )


def _add_match(suspects: dict[str, Suspect], match: Match, fits: bool) -> None:
    signature = match.signature
    suspect = suspects.setdefault(signature.cause, Suspect(signature.cause, fits=False))
    suspect.matches.append(match)
    tier = SYMPTOM if signature.role is Role.SYMPTOM else DIRECT if signature.direct and fits else ROOT
    weight = signature.weight if fits else signature.weight * MISFIT
    if (tier, weight) > (suspect.tier, suspect.weight):
        suspect.tier, suspect.weight = tier, weight
    suspect.position = min(suspect.position, match.position)
    suspect.fits = suspect.fits or fits


def _telling(stated: Sequence[Stated]) -> list[Stated]:
    """The statements that tell most: a launcher ends the other ranks with SIGTERM and itself with 1, so a signal
    outranks plain codes, and SIGTERM counts only where nothing else ended."""
    signals = [entry for entry in stated if entry.status.signal not in ("", "SIGTERM")]
    return signals or [entry for entry in stated if entry.status.signal != "SIGTERM"] or list(stated)


def _add_candidates(suspects: dict[str, Suspect], meaning: ExitMeaning | None, tier: int, match: Match | None) -> None:
    for place, candidate in enumerate(meaning.candidates if meaning else ()):
        suspect = suspects.setdefault(candidate.cause, Suspect(candidate.cause))
        suspect.candidate = suspect.candidate or candidate
        weight = max(0.02, FIRST_BASE_WEIGHT - BASE_STEP * place)
        # Only the commonest cause of a stated exit is lifted by it; the others stay base rates.
        reached = tier if place == 0 else BASE
        if (reached, weight) > (suspect.tier, suspect.weight):
            suspect.tier, suspect.weight = reached, weight
        if match is not None:
            if match not in suspect.matches:
                suspect.matches.append(match)
            suspect.position = min(suspect.position, match.position)


def _contradict(suspects: dict[str, Suspect], meaning: ExitMeaning | None) -> None:
    """Where a log tells of what never ends like this, the exit's first candidate came after it."""
    for never in meaning.never if meaning else ():
        for suspect in [s for s in suspects.values() if under(s.cause, never.cause) and s.tier > BASE]:
            suspect.tier, suspect.weight, suspect.fits = min(suspect.tier, ROOT), suspect.weight * MISFIT, False
            later = _first_candidate(suspects, meaning)
            if later is None or later.tier > ROOT:
                continue
            later.tier, later.weight, later.note = ROOT, 1.0, never.reason
            later.matches += [match for match in suspect.matches if match not in later.matches]
            later.position = min(later.position, suspect.position)


def _first_candidate(suspects: dict[str, Suspect], meaning: ExitMeaning | None) -> Suspect | None:
    first = meaning.candidates[0].cause if meaning and meaning.candidates else ""
    known = [s for s in suspects.values() if first and under(s.cause, first)]
    return min(known, key=_order) if known else None


def _merge_broader(suspects: dict[str, Suspect]) -> None:
    """Where a finer cause has evidence, the broader one's evidence is its as well, and the broader one goes."""
    for cause in sorted(suspects, key=len):
        finer = [s for s in suspects.values() if s.cause != cause and under(s.cause, cause) and s.tier > BASE]
        if not finer:
            continue
        broad = suspects.pop(cause)
        best = min(finer, key=_order)
        best.matches += [match for match in broad.matches if match not in best.matches]
        best.candidate = best.candidate or broad.candidate
        best.tier = max(best.tier, broad.tier)
        best.weight = max(best.weight, broad.weight)
        best.position = min(best.position, broad.position)
        best.fits = best.fits or broad.fits


def _rule_out(
    suspects: dict[str, Suspect], against: dict[str, list[Match]]
) -> tuple[tuple[str, tuple[Match, ...]], ...]:
    """Take out what evidence speaks against; direct evidence for a cause is stronger than any against it."""
    gone: dict[str, list[Match]] = {}
    for cause, matches in against.items():
        for suspect in [s for s in suspects.values() if under(s.cause, cause)]:
            if suspect.tier < DIRECT:
                del suspects[suspect.cause]
                gone.setdefault(suspect.cause, []).extend(matches)
        if not any(under(known, cause) for known in suspects) and not any(under(k, cause) for k in gone):
            gone.setdefault(cause, []).extend(matches)
    return tuple((cause, tuple(matches)) for cause, matches in sorted(gone.items()))


def _mark_explained(suspects: dict[str, Suspect], explains: Callable[[str], Sequence[str]]) -> None:
    """Mark each cause that another one with evidence of its own can bring about, through any number of steps."""
    reach = {cause: _reach(cause, explains) for cause, suspect in suspects.items() if suspect.tier > BASE}
    for suspect in suspects.values():
        for cause, results in sorted(reach.items()):
            if cause != suspect.cause and any(under(suspect.cause, result) for result in results):
                suspect.explained_by = suspect.explained_by or cause
                # What only repeats a failure that is here as well says no more than that one's own text; a cause that
                # merely fits an exit which a document states has no text.
                if suspect.tier == ROOT and suspects[cause].tier == SYMPTOM and _has_text(suspects[cause]):
                    suspect.tier = SYMPTOM


def _has_text(suspect: Suspect) -> bool:
    return any(match.signature.role is not Role.STATUS for match in suspect.matches)


def _reach(cause: str, explains: Callable[[str], Sequence[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [cause]
    while waiting:
        current = waiting.pop()
        # A finer cause brings about what its broader ones do. Not so further on: a rank that its launcher stopped is
        # a victim, though a job that was stopped from outside takes its peers along.
        broader = current.count(".") if current == cause else 1
        names = [current.rsplit(".", cut)[0] for cut in range(max(1, broader))]
        for result in (result for name in names for result in explains(name)):
            if result not in reached:
                reached.add(result)
                waiting.append(result)
    return reached
