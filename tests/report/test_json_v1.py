"""The JSON documents: valid, complete, never null, and exactly what the published schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.model.diagnosis import Health
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.explanation import Explained, Verdict
from gpudoctor.model.fact import Fact, Facts, Reason, Unknown
from gpudoctor.model.version import Version
from gpudoctor.report import wire
from gpudoctor.report.json_v1 import diagnosis_text, explained_text, fact_v1, report_v1
from report_samples import diagnosis, explained, facts, finding

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}-1.0.schema.json").read_text(encoding="utf-8"))


def strict(part: Any) -> Any:
    """The schema with every unknown field refused: what we write must be described to the last field."""
    if isinstance(part, dict):
        changed = {key: strict(value) for key, value in part.items()}
        if changed.get("additionalProperties") is True:
            changed["additionalProperties"] = False
        return changed
    return [strict(item) for item in part] if isinstance(part, list) else part


def validate(text: str, name: str) -> Any:
    document = json.loads(text)
    jsonschema.Draft202012Validator(strict(schema(name))).validate(document)
    return document


def no_null(value: Any) -> bool:
    if isinstance(value, dict):
        return all(no_null(item) for item in value.values())
    return all(no_null(item) for item in value) if isinstance(value, list) else value is not None


@pytest.mark.parametrize("name", ["report", "explain"])
def test_the_schemas_are_schemas_and_let_readers_ignore_what_is_new(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert '"additionalProperties": false' not in json.dumps(schema(name))


def test_a_full_report_validates() -> None:
    document = validate(diagnosis_text(diagnosis(), 1), "report")
    assert document["schema_version"] == "1.0"
    assert document["summary"] == {
        "verdict": "broken",
        "primary": "driver.too_old_for_cuda",
        "exit_code": 1,
        "counts": {"error": 3, "warning": 1, "note": 1, "pass": 1, "unknown": 1, "not_applicable": 1},
    }
    assert no_null(document)


def test_an_empty_report_validates() -> None:
    empty = diagnosis(
        health=Health.UNDECIDED, primary="", facts=Facts(), findings=(), chains=(), explanations=(), runs=()
    )
    document = validate(diagnosis_text(empty, 0), "report")
    assert document["facts"] == {}
    assert document["findings"] == []


def test_a_full_explanation_validates() -> None:
    document = validate(explained_text(explained()), "explain")
    assert document["exit"]["code"] == 139
    assert document["exit"]["signal"] == "SIGSEGV"
    assert document["explanations"][0]["evidence"] == [
        {"source": "train.log", "line": 812, "text": "Fatal Python error: Segmentation fault"}
    ]
    assert no_null(document)


def test_an_explanation_of_nothing_validates_and_has_no_code() -> None:
    document = validate(explained_text(Explained(None, None, Verdict.UNEXPLAINED)), "explain")
    assert "code" not in document["exit"]
    assert no_null(document)


def _schema_of(definitions: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def test_every_wire_field_is_in_the_schema_and_required_as_declared() -> None:
    report, explain = schema("report"), schema("explain")
    parts = report["$defs"]
    places = {
        "WireReport": report,
        "WireTool": report["properties"]["tool"],
        "WireRules": report["properties"]["tool"]["properties"]["rules"],
        "WireTarget": report["properties"]["target"],
        "WireSummary": report["properties"]["summary"],
        "WireCounts": report["properties"]["summary"]["properties"]["counts"],
        "WireExplainDocument": explain,
        "WireToolName": explain["properties"]["tool"],
        "WireUnknown": parts["unknown"],
        "WireKnown": parts["known"],
        "WireEvidence": parts["evidence"],
        "WireRemedy": parts["remedy"],
        "WireReference": parts["reference"],
        "WireFinding": parts["finding"],
        "WireLink": parts["link"],
        "WireChain": parts["chain"],
        "WireExit": parts["exit"],
        "WireExplanation": parts["explanation"],
        "WireRuledOut": parts["ruled_out"],
        "WireExplained": parts["explained"],
        "WireRun": parts["run"],
    }
    declared = {
        name: kind for name, kind in vars(wire).items() if hasattr(kind, "__total__") and not name.endswith("Optional")
    }
    assert set(declared) == set(places)
    for name, kind in declared.items():
        place = _schema_of(parts, places[name])
        assert set(place["properties"]) == set(kind.__annotations__), name
        optional = set(getattr(wire, f"{name}Optional").__annotations__) if hasattr(wire, f"{name}Optional") else set()
        assert set(place["required"]) == set(kind.__annotations__) - optional, name


def test_both_schemas_describe_shared_parts_alike() -> None:
    report, explain = schema("report")["$defs"], schema("explain")["$defs"]
    for name, part in explain.items():
        assert part == report[name]


def test_every_field_is_described_in_the_documentation() -> None:
    text = (SCHEMAS.parent / "json-report.md").read_text(encoding="utf-8")
    names = {
        name for kind in vars(wire).values() if hasattr(kind, "__total__") for name in kind.__annotations__
    }  # fmt: skip
    missing = [name for name in sorted(names) if f"`{name}" not in text and name not in text]
    assert not missing
    for reason in Reason:
        assert f"`{reason.value}`" in text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Version.parse("12.10"), {"value": "12.10"}),
        (True, {"value": True}),
        (7, {"value": 7}),
        (("a", Unknown(Reason.CRASHED, "lost")), {"value": ["a", {"unknown": "crashed", "detail": "lost"}]}),
        ((), {"value": []}),
        (Unknown(Reason.NO_DATA), {"unknown": "no_data", "detail": ""}),
        (float("nan"), {"unknown": "unparseable", "detail": "the value read was nan"}),
        (float("-inf"), {"unknown": "unparseable", "detail": "the value read was -inf"}),
        ((1.5, float("inf")), {"value": [1.5, {"unknown": "unparseable", "detail": "the value read was inf"}]}),
        ("caf\udce9", {"value": "caf\\xe9"}),
        ("\ud834", {"value": "\\ud834"}),
    ],
)
def test_a_fact_on_the_wire(value: Any, told: Any) -> None:
    assert fact_v1(value) == told


def test_the_order_does_not_depend_on_who_yielded_first() -> None:
    one = facts()
    other = Facts(Fact(key, one[key]) for key in reversed(list(one)))
    assert diagnosis_text(diagnosis(facts=one), 0) == diagnosis_text(diagnosis(facts=other), 0)


def test_findings_keep_the_order_of_the_judgement() -> None:
    names = [item["check"] for item in report_v1(diagnosis(), 1)["findings"]]
    assert names == [item.check for item in diagnosis().findings]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(blacklist_categories=())), st.floats())
def test_any_text_and_number_makes_a_valid_report(text: str, number: float) -> None:
    planted = diagnosis(
        facts=Facts([Fact("a.text", text), Fact("a.number", number), Fact("a.list", (text, number))]),
        findings=(finding(message=text, title=text, evidence=(Evidence(text, text),)),),
        explanations=(explained(unused=(text,)),),
    )
    told = diagnosis_text(planted, 1)
    assert told.isascii()
    validate(told, "report")
    validate(explained_text(explained(bring=(text,))), "explain")
