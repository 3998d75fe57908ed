"""From facts to a diagnosis: derive what follows from them, judge it by the rules, put the verdict together.

A machine, a report and a pasted text all end here. Nothing is observed, so nothing that observes is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from gpudoctor.declared import known_specs, machine_specs
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.derive_facts import derivation, derived_specs
from gpudoctor.knowledge.evaluate import judge
from gpudoctor.knowledge.source import find_rules
from gpudoctor.model.diagnosis import Diagnosis, Target
from gpudoctor.model.fact import Facts, FactSpec
from gpudoctor.model.finding import Finding
from gpudoctor.model.garbage import NoCollection
from gpudoctor.model.record import record
from gpudoctor.model.run import Run

TYPE_CHECKING = False  # as in typing, which judging does without
if TYPE_CHECKING:
    from pathlib import Path

    from gpudoctor.knowledge.source import RulesSource


@record
class Result:
    """A diagnosis and the rules that it was made by."""

    diagnosis: Diagnosis
    catalogue: Catalogue

    @property
    def specs(self) -> Mapping[str, FactSpec]:
        """The declarations of the facts in it, which those who print it need."""
        return self.catalogue.facts or {}


@lru_cache(maxsize=4)
def machine_catalogue(rules: tuple[Path, ...]) -> Catalogue:
    """Declarations and rules, read once for however many machines and reports are judged by them."""
    return Catalogue(find_rules(rules), machine_specs)


def document_catalogue(rules: tuple[Path, ...]) -> Catalogue:
    """The same rules for what documents tell. Added folders are read anew each time: somebody may be writing them."""
    return _spoken(find_rules(rules) if rules else machine_catalogue(()).source)


def judge_again(facts: Facts, runs: Iterable[Run], target: Target, rules: tuple[Path, ...] = ()) -> Result:
    """Judge what was observed by the present rules: what was derived from it before is derived anew."""
    with NoCollection():
        catalogue = machine_catalogue(rules)
        return of_machine(catalogue, facts.without(derived_specs()), runs, target)


def of_machine(catalogue: Catalogue, facts: Facts, runs: Iterable[Run], target: Target) -> Result:
    """The diagnosis of a machine. What its probes said before they ended badly is read as well."""
    return concluded(
        catalogue, facts, runs, target, lambda derived, found: _with_words_of_probes(catalogue, derived, found)
    )


def concluded(
    catalogue: Catalogue,
    facts: Facts,
    runs: Iterable[Run],
    target: Target,
    complete: Callable[[Facts, list[Finding]], list[Finding]],
) -> Result:
    """The diagnosis of facts.

    `complete` gets all facts and the checks' findings, and gives them back with the findings that it knows of.
    """
    with NoCollection():
        outcome = derivation(facts, catalogue.tables)
        judgement = judge(catalogue, outcome.facts, lambda found: complete(outcome.facts, found))
    bugs = tuple(Run("derive", "failed", detail=bug) for bug in outcome.bugs)
    diagnosis = Diagnosis(
        health=judgement.health,
        primary=next((one.cause for one in judgement.findings if one.check == judgement.primary), ""),
        target=target,
        rules=catalogue.info(),
        facts=outcome.facts,
        findings=judgement.findings,
        chains=judgement.chains,
        runs=(*runs, *bugs),
    )
    return Result(diagnosis, catalogue)


@lru_cache(maxsize=4)
def _spoken(rules: RulesSource) -> Catalogue:
    """Rules with what signatures also ask for: facts that only documents state."""
    return Catalogue(rules, known_specs)


def _with_words_of_probes(catalogue: Catalogue, facts: Facts, found: list[Finding]) -> list[Finding]:
    """The findings, and what the words of probes that ended badly mean: read as a crashed program's log is read."""
    ended = []
    for key in facts.keys_of_form("probe.", ".outcome"):
        if key.count(".") == 2 and facts.text(key) in ("failed", "crashed"):
            probe = key[: -len(".outcome")]
            words = "\n".join(facts.text(f"{probe}.{name}") or "" for name in ("output", "said"))
            ended.append((probe[len("probe.") :], words))
    if not ended:
        return found
    from gpudoctor.knowledge.clues import allowed_by_facts
    from gpudoctor.knowledge.log_findings import with_messages
    from gpudoctor.knowledge.match import Matcher
    from gpudoctor.model.document import Document, Line

    documents = []
    for name, words in ended:
        lines = tuple(Line(number, text) for number, text in enumerate(words.splitlines(), 1) if text.strip())
        documents.append(Document(f"probe.{name}.output", "log", lines, line_count=len(lines)))
    spoken = _spoken(catalogue.source)
    signatures = [entry for entry in spoken.signatures.values() if allowed_by_facts(entry, facts)]
    return with_messages(spoken, facts, Matcher(signatures).match(documents), found)
