"""Matching: which signatures speak, where, and what keeps them silent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.knowledge.match import LONGEST_LINE, Match, Matcher
from gpudoctor.model.document import Document, Line
from gpudoctor.model.record import replace
from gpudoctor.model.signature import Pattern, Role, Signature


def signature(name: str, regex: str, anchor: str, **more: object) -> Signature:
    """A root signature with one pattern."""
    fields: dict[str, object] = {"cause": f"app.{name}", "role": Role.ROOT, "weight": 0.5, **more}
    ignore_case = bool(fields.pop("ignore_case", False))
    return Signature(id=name, patterns=(Pattern(regex, (anchor,), ignore_case),), **fields)  # type: ignore[arg-type]


def document(*texts: str, kind: str = "log", name: str = "a.log") -> Document:
    """A document whose lines are numbered from 1."""
    return Document(name, kind, tuple(Line(number, text) for number, text in enumerate(texts, 1)))


def spoken(signatures: list[Signature], *documents: Document) -> list[tuple[str, int, int]]:
    """(id, line, times) of each match."""
    return [(match.signature.id, match.line.number, match.times) for match in Matcher(signatures).match(documents)]


BOOM = signature("boom", r"boom (?P<code>\d+)", "boom")


def test_the_first_line_is_kept_and_the_others_are_counted() -> None:
    assert spoken([BOOM], document("ok", "boom 1", "x boom 2", "boom")) == [("boom", 2, 2)]


def test_captures_are_those_of_the_first_line() -> None:
    (match,) = Matcher([BOOM]).match([document("boom 7", "boom 8")])
    assert match.captures == {"code": "7"}


def test_lines_that_were_seen_often_count_so_often() -> None:
    lines = (Line(1, "boom 1"), Line(2, "boom 2", 40))
    (match,) = Matcher([BOOM]).match([Document("a", "log", lines)])
    assert match.times == 41


def test_without_vetoes_a_line() -> None:
    entry = signature("boom", "boom", "boom", without=(Pattern("(?:harmless|ignored)", ("harmless", "ignored")),))
    assert spoken([entry], document("harmless boom", "boom")) == [("boom", 2, 1)]


@pytest.mark.parametrize(("distance", "within", "speaks"), [(3, 3, True), (4, 3, False), (90, 0, True)])
def test_also_must_stand_near_enough(distance: int, within: int, speaks: bool) -> None:
    entry = signature("boom", "boom", "boom", also=(Pattern("second", ("second",)),), within_lines=within)
    found = spoken([entry], Document("a", "log", (Line(100, "boom"), Line(100 - distance, "the second"))))
    assert bool(found) is speaks


SIGNAL = Pattern(r"pid=(?P<pid>\d+) caught", ("caught",))
LOST = signature("lost", r"lost worker(?: (?P<pid>\d+))?", "lost worker", unless=(SIGNAL,))


@pytest.mark.parametrize(
    ("lines", "speaks"),
    [
        (("lost worker 7",), True),
        (("lost worker 7", "pid=7 caught"), False),
        (("pid=7 caught", "lost worker 7"), False),
        (("lost worker 7", "pid=8 caught"), True),  # somebody else's last words
        (("lost worker 7", "pid=8 caught", "pid=7 caught"), False),
        (("lost worker 7", "pid=7 caught", "lost worker 9"), True),
        (("lost worker", "pid=8 caught"), False),  # the line does not say that it was another one
    ],
)
def test_unless_stands_anywhere_and_speaks_of_the_same_one(lines: tuple[str, ...], speaks: bool) -> None:
    assert bool(spoken([LOST], document(*lines))) is speaks


def test_unless_without_a_name_speaks_of_everybody() -> None:
    entry = replace(LOST, unless=(Pattern("caught", ("caught",)),))
    assert spoken([entry], document("lost worker 7", "caught")) == []


def test_unless_is_sought_in_all_documents() -> None:
    assert Matcher([LOST]).match([document("lost worker 7"), document("pid=7 caught")]) == []
    assert len(Matcher([LOST]).match([document("lost worker 7"), document("pid=8 caught")])) == 1


def test_noise_silences_its_line_only() -> None:
    noise = signature("noise", "benign boom", "benign", role=Role.NOISE)
    assert spoken([BOOM, noise], document("benign boom 1", "boom 2")) == [("noise", 1, 1), ("boom", 2, 1)]


def test_documents_limit_a_signature() -> None:
    entry = signature("boom", "boom", "boom", documents=("kernel_log",))
    assert spoken([entry], document("boom")) == []
    assert spoken([entry], document("boom", kind="kernel_log")) == [("boom", 1, 1)]


def test_every_different_statement_of_an_exit_counts() -> None:
    entry = signature("status", r"exitcode: (?P<code>-?\d+)", "exitcode", role=Role.STATUS)
    found = Matcher([entry]).match([document("exitcode: -9", "exitcode: 1", "exitcode: -9")])
    assert [(match.captures["code"], match.times) for match in found] == [("-9", 2), ("1", 1)]


@pytest.mark.parametrize("text", ["KILLED", "killed", "Killed", "kiLLed"])
def test_case_can_be_ignored(text: str) -> None:
    assert spoken([signature("k", "killed", "killed", ignore_case=True)], document(text)) == [("k", 1, 1)]
    assert bool(spoken([signature("k", "Killed", "Killed")], document(text))) is (text == "Killed")


def test_letters_that_grow_in_lower_case_shift_nothing() -> None:
    found = spoken([signature("k", "killed", "killed", ignore_case=True)], document("İ" * 50, "KILLED", "İ killed"))
    assert found == [("k", 2, 2)]


def test_a_very_long_line_is_looked_at_in_its_beginning() -> None:
    assert spoken([BOOM], document("x" * (LONGEST_LINE - 10) + " boom 1")) == [("boom", 1, 1)]
    assert spoken([BOOM], document("x" * (LONGEST_LINE + 10) + " boom 1")) == []


def test_an_anchor_across_two_lines_is_none() -> None:
    assert spoken([signature("ab", "a.?b", "a")], document("a", "b")) == []


def test_positions_follow_documents_and_lines() -> None:
    found: list[Match] = Matcher([BOOM]).match([document("ok"), document("ok", "boom 3", name="b.log")])
    assert [match.position for match in found] == [(1, 2)]


LINES = st.lists(
    st.sampled_from(["boom 1", "boom 2", "benign boom 1", "KILLED", "ok", "", "a boom x", "second"]), max_size=12
)


@given(LINES)
def test_each_signature_speaks_once_for_a_document_and_as_a_plain_search_would(texts: list[str]) -> None:
    noise = signature("noise", "benign", "benign", role=Role.NOISE)
    killed = signature("killed", "killed", "killed", ignore_case=True)
    found = Matcher([BOOM, noise, killed]).match([document(*texts)])
    assert len({match.signature.id for match in found}) == len(found)
    plain = [
        number
        for number, text in enumerate(texts, 1)
        if "boom " in text and text[-1:].isdigit() and "benign" not in text
    ]
    mine = [match for match in found if match.signature.id == "boom"]
    assert [match.line.number for match in mine] == plain[:1]
    assert sum(match.times for match in mine) == len(plain)


@given(st.text(alphabet="ab 1\t\xa0", min_size=1, max_size=6), st.lists(st.text(alphabet="ab 12\t\xa0", max_size=12)))
def test_an_anchor_of_any_blanks_and_digits_is_found_where_it_stands(anchor: str, texts: list[str]) -> None:
    found = Matcher([signature("own", re.escape(anchor), anchor)]).match([document(*texts)])
    assert sum(match.times for match in found) == sum(anchor in text for text in texts)
