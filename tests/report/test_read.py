"""Reports come back as the facts and findings that they were written from; junk is refused in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.errors import ExaminationError
from gpudoctor.model.fact import FactSpec, FactType, Reason, Unknown
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from gpudoctor.model.version import Version
from gpudoctor.report.json_v1 import diagnosis_text, explained_text, facts_v1
from gpudoctor.report.read import looks_like_report, read_facts, read_report
from gpudoctor.report.redact import redact_diagnosis
from report_samples import SPECS, diagnosis, explained


def refused(text: str) -> str:
    """Why a text is no report; empty where it is one."""
    try:
        read_report(text, SPECS)
    except ExaminationError as error:
        return str(error)
    return ""


def test_a_report_comes_back_as_it_was() -> None:
    given_diagnosis = diagnosis()
    report = read_report(diagnosis_text(given_diagnosis, 1), SPECS)
    assert report.findings == given_diagnosis.findings
    assert report.chains == given_diagnosis.chains
    assert report.runs == given_diagnosis.runs
    assert report.rules == given_diagnosis.rules
    assert report.target == given_diagnosis.target
    assert (report.schema_version, report.verdict, report.primary) == ("1.0", "broken", "driver.too_old_for_cuda")
    assert facts_v1(report.facts) == facts_v1(given_diagnosis.facts)
    assert isinstance(report.facts["driver.version"], Version)
    assert report.facts.elements("gpu.compute_capabilities")[0] == Version.parse("9.0")


def test_a_redacted_report_comes_back_and_is_redacted_no_further() -> None:
    once = redact_diagnosis(diagnosis(), SPECS)
    report = read_report(diagnosis_text(once, 1), SPECS)
    assert report.findings == once.findings
    again = redact_diagnosis(diagnosis(facts=report.facts, findings=report.findings, target=report.target), SPECS)
    assert diagnosis_text(again, 1) == diagnosis_text(once, 1)


def test_a_report_of_a_newer_minor_schema_is_read_as_far_as_it_is_known() -> None:
    document = json.loads(diagnosis_text(diagnosis(), 1))
    document["schema_version"] = "1.7"
    document["weather"] = {"sun": None}
    document["findings"][0]["mood"] = "good"
    document["findings"][1]["severity"] = "catastrophe"
    document["facts"]["future.fact"] = {"value": ["a", 2, {"unknown": "moon_phase", "detail": "full"}], "since": 1}
    report = read_report(json.dumps(document), SPECS)
    assert report.facts["future.fact"] == ("a", 2, Unknown(Reason.NO_DATA, "moon_phase: full"))
    assert report.findings[0] == diagnosis().findings[0]
    assert report.findings[1].severity is Severity.NOTE


def test_a_report_with_little_in_it_is_read() -> None:
    report = read_report('{"schema_version": "1.0", "facts": {"os.name": {"value": "x"}}, "findings": [{}, 3]}', SPECS)
    assert report.facts["os.name"] == "x"
    assert [item.kind for item in report.findings] == [Kind.UNKNOWN]


@pytest.mark.parametrize(
    ("wire", "kind", "value"),
    [
        ({"value": "12.10"}, FactType.VERSION, Version.parse("12.10")),
        ({"value": "twelve"}, FactType.VERSION, Reason.UNPARSEABLE),
        ({"value": 12.1}, FactType.VERSION, Reason.UNPARSEABLE),
        ({"value": 3.0}, FactType.INTEGER, 3),
        ({"value": 3.5}, FactType.INTEGER, Reason.UNPARSEABLE),
        ({"value": True}, FactType.INTEGER, Reason.UNPARSEABLE),
        ({"value": 1}, FactType.BOOLEAN, Reason.UNPARSEABLE),
        ({"value": 1}, FactType.TEXT, Reason.UNPARSEABLE),
        ({"value": "x"}, FactType.TEXT_LIST, Reason.UNPARSEABLE),
        ({"value": ["x"]}, FactType.TEXT, Reason.UNPARSEABLE),
        ({"value": ["1.0", "2.0"]}, FactType.VERSION_LIST, (Version.parse("1.0"), Version.parse("2.0"))),
        ({"value": None}, FactType.TEXT, Reason.UNPARSEABLE),
        ({"value": {"a": 1}}, FactType.TEXT, Reason.NO_DATA),
        ({}, FactType.TEXT, Reason.UNPARSEABLE),
        (None, FactType.TEXT, Reason.UNPARSEABLE),
        ({"unknown": "timed_out", "detail": "5 s"}, FactType.TEXT, Reason.TIMED_OUT),
        ({"unknown": 3}, FactType.TEXT, Reason.NO_DATA),
    ],
)
def test_facts_get_their_declared_type_or_become_unknown(wire: Any, kind: FactType, value: Any) -> None:
    told = read_facts({"a.b": wire}, {"a.b": FactSpec("a.b", kind, "x")})["a.b"]
    assert told.reason is value if isinstance(value, Reason) else told == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no complete JSON report"),
        ("hello", "no complete JSON report"),
        ('{"schema_version": "1.0", "facts": {', "no complete JSON report"),
        ("[]", "no schema_version"),
        ("3", "no schema_version"),
        ('{"schema_version": 1.0}', "no schema_version"),
        ('{"schema_version": "2.0", "facts": {}}', "reads schema 1"),
        ('{"schema_version": "\\u001b[31m", "facts": {}}', "\\x1b[31m"),
        ('{"schema_version": "1.0"}', "no facts"),
        ('{"schema_version": "1.0", "facts": []}', "no facts"),
        ('{"schema_version": "1.0", "error": {"message": "no such file"}}', "no such file"),
        ("[" * 100_000, "JSON report"),
        ("\x00\xff", "no complete JSON report"),
        ('{"schema_version": "1.0", "facts": {"a": {"value": ' + "9" * 5000 + "}}}", ""),
    ],
)
def test_junk_is_refused_in_one_sentence(text: str, said: str) -> None:
    refusal = refused(text)
    assert said in refusal
    assert "\n" not in refusal
    assert len(refusal) < 500


def test_an_explanation_is_no_report() -> None:
    with pytest.raises(ExaminationError, match="explain-exit"):
        read_report(explained_text(explained()), SPECS)


def test_reports_are_recognised_by_their_beginning() -> None:
    assert looks_like_report(diagnosis_text(diagnosis(), 1))
    assert looks_like_report("\ufeff\r\n" + diagnosis_text(diagnosis(), 1))
    assert not looks_like_report("PyTorch version: 2.7.1")
    assert not looks_like_report('{"State": {}}')


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = "tool target summary findings chains explanations facts runs error".split()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES), JSON_VALUES, st.sampled_from(sorted(SPECS)))
def test_any_document_is_read_or_refused(fields: dict[str, Any], value: Any, key: str) -> None:
    fields["schema_version"] = "1.0"
    fields.setdefault("facts", {key: {"value": value}})
    try:
        report = read_report(json.dumps(fields), SPECS)
    except ExaminationError:
        return
    facts_v1(report.facts)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 6000), st.text(max_size=3))
def test_a_mutilated_report_is_read_or_refused(place: int, insertion: str) -> None:
    text = diagnosis_text(diagnosis(), 1)
    refusal = refused(text[:place] + insertion + text[place + 2 :])
    assert not refusal or "report" in refusal
