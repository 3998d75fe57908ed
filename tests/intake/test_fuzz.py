"""No document, whatever it holds, makes a reader raise or dwell; and what a reader states has its declared type."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudoctor.declared import known_specs
from gpudoctor.intake.registry import clean_text, document_of, readers, recognise
from gpudoctor.intake.scan import Triggers, scan
from gpudoctor.model.document import KINDS
from gpudoctor.model.fact import Fact, Unknown
from gpudoctor.model.version import Version
from intake_samples import SAMPLES

CPU_SECONDS = 20.0
SPECS = known_specs()
TRIGGERS = Triggers(["rror", "illed", "段", "No "])
PYTHON_TYPES = {"text": str, "integer": int, "boolean": bool, "version": Version, "number": float}
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@contextmanager
def bounded() -> Iterator[None]:
    """Ends the block by an exception once it has used too much processor time."""

    def too_long(_signal: int, _frame: Any) -> None:
        raise TimeoutError(f"more than {CPU_SECONDS} s of processor time")

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def check(facts: tuple[Fact, ...]) -> None:
    """Each fact is declared, and of its type."""
    for fact in facts:
        spec = SPECS[fact.key]
        assert not isinstance(fact.value, Unknown)
        items = fact.value if spec.type.is_list else (fact.value,)
        assert isinstance(items, tuple)
        items = tuple(item for item in items if not isinstance(item, Unknown))
        wanted = PYTHON_TYPES[spec.type.element.value]
        assert all(isinstance(item, wanted) for item in items), fact
        assert not any(isinstance(item, bool) for item in items) or wanted is bool, fact


def read_all(text: str) -> None:
    """Every reader on one text, whether or not it is its own."""
    for reader in readers():
        assert 0.0 <= reader.recognises(text[:262144], "evidence.txt") <= 1.0
        check(reader.read(text).facts)


READERS = readers()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__.rpartition(".")[2])
def test_each_reader_names_a_kind_that_signatures_know(reader: ModuleType) -> None:
    assert reader.KIND in KINDS


@QUICK
@given(st.binary(max_size=3_000))
def test_arbitrary_bytes(raw: bytes) -> None:
    with bounded():
        read_all(clean_text(raw))
        document_of("x", scan([raw], TRIGGERS), TRIGGERS)


@pytest.mark.parametrize("name", sorted(SAMPLES))
@QUICK
@given(data=st.data())
def test_bent_documents(name: str, data: st.DataObject) -> None:
    text = SAMPLES[name]
    cut = data.draw(st.integers(0, len(text)))
    start = data.draw(st.integers(0, 40))
    piece = data.draw(
        st.sampled_from(["", "{", "}", "[", '"', "\n", ":", "\t", "9" * 30, "e999", "\\", "- ", "|", "é段"])
    )
    where = data.draw(st.integers(0, len(text)))
    bent = (text[:where] + piece + text[where:])[start : cut + len(piece)]
    with bounded():
        read_all(bent)


HOSTILE = {
    "braces": "{" * 200_000,
    "brackets": '{"a":[' * 50_000,
    "closers": "}" * 200_000,
    "keys": '"a":' * 100_000,
    "quotes": '"' * 200_000,
    "escapes": '"' + "\\" * 200_000,
    "dashes": "- " * 100_000,
    "indents": "\n".join(" " * depth + "a:" for depth in range(2_000)),
    "lists": "\n".join("  " * depth + "- b:" for depth in range(1_000)),
    "blanks": " " * 400_000,
    "colons": "a: " * 100_000,
    "pipes": "|" * 300_000,
    "table": "JobID State ExitCode\n" + "1 FAILED 1:0 \n" * 30_000,
    "digits": "9" * 300_000,
    "number": '{"ExitCode": ' + "9" * 100_000 + "}",
    "core": "core." * 60_000,
    "same": "oom_kill 1\n" * 40_000,
    "xid": "NVRM: Xid (PCI:0000:01:00): 79, " * 20_000,
    "dotted": "a." * 100_000 + "==1",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_documents(name: str) -> None:
    with bounded():
        read_all(HOSTILE[name])


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples_are_recognised_by_their_own_reader(name: str) -> None:
    reader = recognise(SAMPLES[name], "evidence.txt")
    assert reader is not None
    assert reader.__name__.rpartition(".")[2] == name.partition("/")[0]
    check(reader.read(SAMPLES[name]).facts)
