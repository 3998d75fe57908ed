"""Holds the wall around collectors: each yields exactly its declared facts, whatever happens inside."""

from __future__ import annotations

import pytest

from gpudoctor.collect import registry
from gpudoctor.collect.registry import Collector
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.version import Version
from memory_host import MemoryHost, error

SPECS = (
    FactSpec("thing.count", FactType.INTEGER, "How many."),
    FactSpec("thing.names", FactType.TEXT_LIST, "Their names."),
    FactSpec("thing.version", FactType.VERSION, "The version."),
)


def run(collect):
    facts, how = Collector("thing", "files", SPECS, collect).run(MemoryHost())
    return {fact.key: fact.value for fact in facts}, how


def test_facts_come_in_the_order_of_their_declaration_and_missing_ones_are_no_data():
    facts, how = run(lambda host: [Fact("thing.version", Version.parse("1.2")), Fact("thing.count", 3)])
    assert list(facts) == ["thing.count", "thing.names", "thing.version"]
    assert facts["thing.count"] == 3
    assert facts["thing.names"] == Unknown(Reason.NO_DATA, "")
    assert (how.name, how.outcome, how.detail) == ("collect.thing", "completed", "")


def test_an_exception_keeps_what_was_seen_before_and_makes_the_rest_crashed():
    def collect(host):
        yield Fact("thing.count", 3)
        raise RuntimeError("bang")

    facts, how = run(collect)
    assert facts["thing.count"] == 3
    assert facts["thing.names"] == Unknown(Reason.CRASHED, "collector bug: RuntimeError: bang")
    assert how.outcome == "failed"
    assert "in collect" in how.detail
    assert how.detail.rstrip().endswith("RuntimeError: bang")


def test_an_answer_that_the_host_refuses_is_no_bug():
    def collect(host):
        raise error("EACCES", "/secret")

    facts, how = run(collect)
    assert facts["thing.count"] == Unknown(Reason.PERMISSION_DENIED, "EACCES: /secret")
    assert how.outcome == "completed"


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (Fact("thing.other", 1), "thing.other is not declared"),
        (Fact("thing.count", "3"), "declared as integer"),
        (Fact("thing.count", True), "declared as integer"),
        (Fact("thing.names", ("a", 1)), "declared as text_list"),
        (Fact("thing.version", "1.2"), "declared as version"),
    ],
)
def test_a_fact_that_breaks_the_declaration_is_our_bug(fact, text):
    facts, how = run(lambda host: [fact])
    assert how.outcome == "failed"
    assert text in how.detail
    assert isinstance(facts.get(fact.key, Unknown(Reason.CRASHED)), Unknown)


def test_a_fact_yielded_twice_is_our_bug_and_the_first_stays():
    facts, how = run(lambda host: [Fact("thing.count", 1), Fact("thing.count", 2)])
    assert facts["thing.count"] == 1
    assert "twice" in how.detail


def test_list_elements_may_be_unknown():
    facts, how = run(lambda host: [Fact("thing.names", ("a", Unknown(Reason.CRASHED, "lost")))])
    assert how.outcome == "completed"
    assert facts["thing.names"] == ("a", Unknown(Reason.CRASHED, "lost"))


def test_every_collector_on_disk_declares_its_facts_well():
    specs = registry.collect_specs()
    assert specs
    for collector in registry.collectors():
        assert collector.stage in ("files", "child")
        assert collector.specs, collector.name
        for spec in collector.specs:
            area, _, noun = spec.key.partition(".")
            assert area, spec.key
            assert noun, spec.key
            assert spec.key == spec.key.lower(), spec.key
            assert spec.meaning.endswith("."), spec.key
            if spec.key.endswith("_bytes"):
                assert spec.unit == "bytes", spec.key


def test_stages_run_apart_and_progress_hears_each_name():
    heard = []
    chosen = [
        Collector("one", "files", SPECS[:1], lambda host: []),
        Collector("two", "files", SPECS[1:], lambda host: []),
    ]
    facts, runs = registry.run_collectors(MemoryHost(), "files", heard.append, chosen)
    assert heard == ["one", "two"]
    assert [fact.key for fact in facts] == [spec.key for spec in SPECS]
    assert [run.name for run in runs] == ["collect.one", "collect.two"]
