"""Reading files on a machine where something is wedged: what does not answer costs its own facts and nothing else."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Iterable

import pytest

from gpudoctor import diagnose
from gpudoctor.collect.registry import Collector
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown
from memory_host import MemoryHost


def collector(name: str, wedged: threading.Event | None = None) -> Collector:
    def collect(_host: Host) -> Iterable[Fact]:
        if wedged is not None:
            wedged.wait()
        yield Fact(f"{name}.text", "read")

    return Collector(name, "files", (FactSpec(f"{name}.text", FactType.TEXT, "Something."),), collect)


def test_a_wedged_collector_is_left_behind_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnose, "FILE_SECONDS", 0.2)
    wedged = threading.Event()
    heard: list[str] = []
    chosen = [collector("a"), collector("b", wedged), collector("c"), collector("d", wedged), collector("e")]
    facts, runs = diagnose.read_files(MemoryHost(), chosen, heard.append)
    wedged.set()
    assert [run.outcome for run in runs] == ["completed", "timed_out", "completed", "timed_out", "completed"]
    assert heard == ["a", "b", "c", "d", "e"]
    values = {fact.key: fact.value for fact in facts}
    assert [values[f"{name}.text"] for name in "ace"] == ["read"] * 3
    for name in "bd":
        value = values[f"{name}.text"]
        assert isinstance(value, Unknown)
        assert value.reason is Reason.TIMED_OUT


def test_where_no_thread_can_be_started_everything_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    facts, runs = diagnose.read_files(MemoryHost(), [collector("a"), collector("b")])
    assert [(fact.key, fact.value) for fact in facts] == [("a.text", "read"), ("b.text", "read")]
    assert [run.outcome for run in runs] == ["completed", "completed"]
