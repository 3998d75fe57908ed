"""From a pasted text to a diagnosis: what it states becomes facts, what it complains of becomes findings.

Nothing of the machine that this runs on enters the judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpudoctor.diagnose import CheckSettings
from gpudoctor.explain import triggers_of
from gpudoctor.intake import environment
from gpudoctor.intake.mentions import without_mentions
from gpudoctor.intake.merge import facts_of
from gpudoctor.intake.registry import clean_text, document_of
from gpudoctor.intake.scan import Triggers, scan
from gpudoctor.intake.statements import STATED
from gpudoctor.judging import Result, concluded, document_catalogue
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.clues import allowed_by_facts
from gpudoctor.knowledge.derive_facts import derived_specs
from gpudoctor.knowledge.log_findings import with_earlier_messages, with_messages
from gpudoctor.knowledge.match import Match, Matcher
from gpudoctor.model.diagnosis import Target
from gpudoctor.model.document import Document, Line
from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import Fact, Facts, Reason, Unknown
from gpudoctor.model.finding import Finding
from gpudoctor.model.record import record, replace
from gpudoctor.model.run import Run

CHUNK_BYTES = 1 << 20
MAXIMUM_BYTES = 64 << 20
LONGEST_PASTED = 4 << 20
DRIVER = "driver.version"
NOT_TOLD = Unknown(Reason.NO_DATA, "the text does not tell")


@record
class Pasted:
    """What was read of a text: the document with all that it states, whether that is anything, how the reading went."""

    document: Document
    facts: Facts
    runs: tuple[Run, ...]
    tells: bool


def judge_text(
    name: str, data: bytes, settings: CheckSettings, progress: Callable[[str], None] = lambda _step: None
) -> Result:
    """Judge a text by what it says; ExaminationError where there is nothing in it to read."""
    progress(f"reading {name}")
    catalogue = document_catalogue(settings.rules)
    pasted = read_pasted(name, data, triggers_of(catalogue), settings.expect_gpus)
    if not pasted.tells and not _matches(catalogue, pasted.document, pasted.facts):
        # Without this a wrong file would end with 0, which a pipeline takes for "nothing wrong".
        shown = "Standard input" if name == "-" else name
        raise ExaminationError(f"{shown} holds nothing that gpudoctor understands; nothing was judged.")
    progress("judging")

    def complete(facts: Facts, found: list[Finding]) -> list[Finding]:
        return with_messages(catalogue, facts, _matches(catalogue, pasted.document, facts), found)

    target = Target("document", "", f"the text of {pasted.document.name} was judged, not this machine")
    return concluded(catalogue, pasted.facts, pasted.runs, target, complete)


def judge_report(
    facts: Facts, runs: Sequence[Run], target: Target, earlier: Sequence[Finding], settings: CheckSettings
) -> Result:
    """Judge what a report says by the present rules: what was observed stays, what was derived is derived anew.

    Findings that messages made stay as they are, since the text that held the messages is not at hand.
    """
    catalogue = document_catalogue(settings.rules)
    anew = [key for key in derived_specs() if key in facts and not _is_stated(target, Fact(key, facts[key]))]
    given = [] if settings.expect_gpus == "any" else [Fact("expect.gpus", settings.expect_gpus)]
    # What is asked now counts, not what was asked then.
    observed = facts.without([*anew, *(fact.key for fact in given)]).merged(given)
    known = [one for one in earlier if catalogue.has_cause(one.cause)]

    def complete(judged: Facts, found: list[Finding]) -> list[Finding]:
        return with_earlier_messages(judged, known, found)

    return concluded(catalogue, observed, runs, replace(target, kind="document"), complete)


def _is_stated(target: Target, fact: Fact) -> bool:
    """Whether a document may have stated what a live machine derives: the driver's version or the GPUs, outright."""
    return target.kind == "document" and fact.key in STATED and (fact.is_known or fact.value == NOT_TOLD)


def read_pasted(name: str, data: bytes, triggers: Triggers, expect_gpus: str = "any") -> Pasted:
    """What a text states. Whatever kind its own reader takes it for, reports within it are read as well."""
    if not data.strip():
        raise ExaminationError(f"{'Standard input' if name == '-' else name} is empty; there is nothing to judge.")
    scanned = scan(_chunks(data), triggers)
    reported = without_mentions(data, scanned.lines, _speaks(triggers))
    if reported is not data:
        data, scanned = reported, scan(_chunks(reported), triggers)
    document = document_of(name, scanned, triggers)
    notes = list(document.notes)
    if document.kind != environment.KIND:
        reading = environment.read(clean_text(data[:LONGEST_PASTED]))
        notes = [f"read as {document.kind}", *notes, *reading.notes]
        seen = {line.text for line in document.lines}
        more = tuple(Line(0, text) for text in reading.messages if text not in seen)
        # A reader made for a whole document knows it better; in a mixed text it has seen but a part.
        own, pasted = (document.facts, reading.facts) if document.kind != "log" else ((), reading.facts)
        known = {fact.key for fact in pasted}
        facts = (*pasted, *(fact for fact in own if fact.key not in known))
        document = replace(document, lines=document.lines + more, facts=facts)
    facts_found = [fact for fact in facts_of([document]).items_sorted() if fact.key != "expect.gpus"]
    tells = any(fact.key != "core_files.count" for fact in facts_found)  # every program counts as one
    given = [Fact("expect.gpus", expect_gpus)]
    if all(fact.key != DRIVER for fact in facts_found):
        given.append(Fact(DRIVER, NOT_TOLD))  # else it would be concluded that there is none
    return Pasted(document, Facts([*facts_found, *given]), (_run(document, notes),), tells)


def _speaks(triggers: Triggers) -> Callable[[str], bool]:
    return lambda piece: triggers.find(piece.encode("utf-8", "replace")) >= 0


def _chunks(data: bytes) -> Sequence[bytes]:
    return [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]


def _run(document: Document, notes: Sequence[str]) -> Run:
    return Run(f"document {document.name}", "completed", detail="\n".join(notes))


def _matches(catalogue: Catalogue, document: Document, facts: Facts) -> list[Match]:
    signatures = [entry for entry in catalogue.signatures.values() if allowed_by_facts(entry, facts)]
    return Matcher(signatures).match([document])
