"""The catalogue: everything that the rule files say, each section read when it is first asked for.

Explaining one exit code must not cost the reading of all rules, so nothing is imported or read before its time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from functools import cached_property

from gpudoctor.knowledge.source import RuleFile, RulesSource
from gpudoctor.model.errors import RulesError, UsageError

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar, Union

    from gpudoctor.knowledge.judge_rule import Check
    from gpudoctor.knowledge.known import Known
    from gpudoctor.knowledge.tables import Table, Tables
    from gpudoctor.knowledge.typed import Typed
    from gpudoctor.model.cause import Cause, CauseHead
    from gpudoctor.model.diagnosis import RulesInfo
    from gpudoctor.model.exit_status import ExitMeaning, ExitStatus
    from gpudoctor.model.fact import FactSpec
    from gpudoctor.model.rule import Chain, Rule
    from gpudoctor.model.signature import Signature

    Entry = TypeVar("Entry", bound="_HasId")
    FactSpecs = Union[Mapping[str, FactSpec], Callable[[], Mapping[str, FactSpec]], None]
else:
    Protocol = object


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


FACTS = "facts"  # the section of finished rules that holds the declarations
PER_DEVICE = "per device"  # and the keys of those that tell of each GPU, which judging needs without the rest
HEADS = "cause heads"  # what judging needs of causes where nothing fails
FINISHED = ("causes", "rules", "chains", "signatures")


class Catalogue:
    """The rules of a run. Every section is a mapping from id to entry, sorted by id.

    `fact_specs` are the declarations of all facts, or a function that gives them (called only when conditions are
    read: checks, chains, signatures). With None conditions are not typed, which is enough for causes and exits.
    Any section can raise RulesError, which holds one line for each thing that is wrong.
    """

    def __init__(self, source: RulesSource, fact_specs: FactSpecs = None) -> None:
        self.source = source
        self._fact_specs = fact_specs

    @cached_property
    def facts(self) -> Mapping[str, FactSpec] | None:
        """The declared facts that conditions and messages may name."""
        if not callable(self._fact_specs):
            return self._fact_specs
        return (self._typed.section(FACTS) if self._typed else None) or self._fact_specs()

    @cached_property
    def per_device(self) -> Container[str]:
        """The keys of the facts that hold one element for each GPU."""
        finished = self._finished(PER_DEVICE)
        return finished if finished is not None else per_device_of(self.facts or {})

    @cached_property
    def _typed(self) -> Typed | None:
        return self.source.typed()

    def finished(self) -> bytes:
        """All that a run would read of these rules, as the build keeps it. RulesError where a rule is wrong."""
        from gpudoctor.knowledge.typed import typed_bytes

        sections: dict[str, Mapping[str, Any]] = {name: getattr(self, name) for name in FINISHED}
        facts = self.facts or {}
        return typed_bytes(
            {FACTS: facts, PER_DEVICE: per_device_of(facts), HEADS: self.cause_heads, **sections},
            self.tables,
            self.source.digest(),
        )

    def _finished(self, section: str) -> Mapping[str, Any] | None:
        return self._typed.section(section) if self._typed else None

    @cached_property
    def causes(self) -> Mapping[str, Cause]:
        """All causes."""
        finished = self._finished("causes")
        if finished is not None:
            return finished
        from gpudoctor.knowledge.read_cause import circle_problems, read_cause

        return self._section("causes", read_cause, self._known(), lambda found: circle_problems(found))

    @cached_property
    def cause_heads(self) -> Mapping[str, CauseHead]:
        """Of each cause its title and what it explains. The rest is meaning and advice, for those that fail."""
        finished = self._finished(HEADS)
        if finished is not None:
            return finished
        from gpudoctor.model.cause import CauseHead

        return {key: CauseHead(cause.title, cause.explains) for key, cause in self.causes.items()}

    def cause(self, cause_id: str) -> Cause:
        """One cause, reading only its file; UsageError when there is none of this id."""
        if cause_id in vars(self).get("causes", ()):
            return self.causes[cause_id]
        from gpudoctor.knowledge.read_cause import read_cause

        return self._one("causes", cause_id, read_cause, self._known(), "cause")

    def has_cause(self, cause_id: str) -> bool:
        """Whether there is a cause of this id; looks at file names only."""
        return cause_id in self.source.ids("causes")

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """All checks."""
        finished = self._finished("rules")
        if finished is not None:
            return finished
        from gpudoctor.knowledge.read_check import read_check

        return self._section("checks", read_check, self._known(conditions=True))

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """All checks with their causes, ready to be judged over any number of machines."""
        from gpudoctor.knowledge.judge_rule import Check

        heads, cause_of = self.cause_heads, lambda key: self.causes[key]
        return tuple(Check(rule, heads[rule.cause].title, cause_of) for rule in self.rules.values())

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """All signatures."""
        finished = self._finished("signatures")
        if finished is not None:
            return finished
        from gpudoctor.knowledge.read_signature import read_signature

        return self._section("signatures", read_signature, self._known(conditions=True))

    def rule(self, check_id: str) -> Rule:
        """One check, reading only its file; UsageError when there is none of this id."""
        if check_id in vars(self).get("rules", ()):
            return self.rules[check_id]
        from gpudoctor.knowledge.read_check import read_check

        return self._one("checks", check_id, read_check, self._known(conditions=True), "check")

    def signature(self, signature_id: str) -> Signature:
        """One signature, reading only its file; UsageError when there is none of this id."""
        if signature_id in vars(self).get("signatures", ()):
            return self.signatures[signature_id]
        from gpudoctor.knowledge.read_signature import read_signature

        return self._one("signatures", signature_id, read_signature, self._known(conditions=True), "signature")

    def signatures_of(self, family: str) -> tuple[Signature, ...]:
        """The signatures of one folder, reading only that; their conditions are not typed unless all are read."""
        from gpudoctor.knowledge.read_signature import read_signature

        return tuple(self._section("signatures", read_signature, self._known(), folder=family).values())

    @cached_property
    def chains(self) -> Mapping[str, Chain]:
        """All chains."""
        finished = self._finished("chains")
        if finished is not None:
            return finished
        from gpudoctor.knowledge.read_chain import read_chain

        return self._section("chains", read_chain, self._known(conditions=True))

    @cached_property
    def exits(self) -> Mapping[str, ExitMeaning]:
        """All exits."""
        from gpudoctor.knowledge.read_exit import clash_problems, read_exit

        return self._section("exits", read_exit, self._known(), lambda found: clash_problems(found.values()))

    def exit_for(self, status: ExitStatus) -> ExitMeaning | None:
        """What an exit status means: the entry that fits most closely, else a general answer made from its number.

        None only where neither a code nor a known reason is there to say anything about.
        """
        from gpudoctor.knowledge.exit_lookup import closest, find_exit, general_answer

        if "exits" in vars(self):
            return find_exit(self.exits.values(), status)
        # Typing all entries costs more than the whole rest of an answer, so only the one that fits is typed.
        from gpudoctor.knowledge.read_exit import keys_of, read_exit

        problems: list[str] = []
        keys = [keys_of(file) for file in self.source.files("exits", problems)]
        chosen = closest(keys, status)
        found = read_exit(chosen.file, self._known(), problems) if chosen else None
        if problems:
            raise RulesError(problems)
        return found or general_answer(status)

    @cached_property
    def tables(self) -> Tables:
        """All tables; each is read when it is first used."""
        from gpudoctor.knowledge.tables import Tables

        names = self._typed.tables() if self._typed else self.source.ids("tables")
        return Tables(names, self._table)

    def _table(self, name: str) -> Table:
        finished = self._typed.table(name) if self._typed else None
        if finished is not None:
            return finished
        from gpudoctor.knowledge.read_table import read_table

        problems: list[str] = []
        file = self.source.file("tables", name, problems)
        table = None if file is None else read_table(file, self._known(), problems)
        if problems or table is None:
            raise RulesError(problems or [f"tables/{name}.toml: there is no such table"])
        return table

    def info(self) -> RulesInfo:
        """Which rules these are: reads all files, once."""
        return self._info

    @cached_property
    def _info(self) -> RulesInfo:
        from gpudoctor.model.diagnosis import RulesInfo

        try:
            return RulesInfo(self.source.digest(), self.source.count(), self.source.newest())
        except ValueError as error:
            raise RulesError([str(error)]) from error

    @staticmethod
    def sections() -> tuple[str, ...]:
        """The names of the sections, as their folders are called."""
        from gpudoctor.knowledge.compile import SECTIONS

        return SECTIONS

    @cached_property
    def retired(self) -> Mapping[str, str]:
        """Ids that must never be used again, with the reason."""
        from gpudoctor.knowledge.read_retired import read_retired

        problems: list[str] = []
        found = {key: why for file in self.source.retired(problems) for key, why in read_retired(file, problems)}
        if problems:
            raise RulesError(problems)
        return found

    def _known(self, conditions: bool = False) -> Known:
        from gpudoctor.knowledge.known import Known

        at_hand = conditions or not callable(self._fact_specs) or "facts" in vars(self)
        return Known(
            facts=self.facts if at_hand else None,
            causes=self.source.ids("causes"),
            checks=self.source.ids("checks"),
            retired=self.retired,
        )

    def _one(
        self, section: str, rule_id: str, read: Callable[[RuleFile, Known, list[str]], Entry], known: Known, noun: str
    ) -> Entry:
        problems: list[str] = []
        file = self.source.file(section, rule_id, problems)
        entry = None if file is None else read(file, known, problems)
        if problems:
            raise RulesError(problems)
        if entry is None:
            from gpudoctor.knowledge.fields import suggestion

            raise UsageError(f"there is no {noun} {rule_id!r}{suggestion(rule_id, self.source.ids(section))}")
        return entry

    def _section(
        self,
        section: str,
        read: Callable[[RuleFile, Known, list[str]], Entry],
        known: Known,
        check: Callable[[Mapping[str, Entry]], Iterable[str]] = lambda found: (),
        folder: str = "",
    ) -> Mapping[str, Entry]:
        problems: list[str] = []
        found: dict[str, Entry] = {}
        places: dict[str, str] = {}
        for file in self.source.files(section, problems, folder):
            entry = read(file, known, problems)
            if file.id in places:
                problems.append(f"{file.shown}: id: {file.id!r} is already taken by {places[file.id]}")
            else:
                places[file.id], found[file.id] = file.shown, entry
        if not problems:
            problems += check(found)
        if problems:
            raise RulesError(problems)
        return {key: found[key] for key in sorted(found)}


def per_device_of(facts: Mapping[str, FactSpec]) -> dict[str, None]:
    """The keys of the facts that hold one element for each GPU."""
    return {key: None for key, spec in facts.items() if spec.per_device}
