"""A report that `check --json` wrote, read back with `--from`, is the same report but for how long things took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command import Ended, gpudoctor
from gpudoctor.api import to_json
from gpudoctor.cli.check import of_document
from gpudoctor.compare import compare
from gpudoctor.declared import known_specs
from gpudoctor.diagnose import CheckSettings, diagnose
from gpudoctor.knowledge.catalogue import Catalogue
from gpudoctor.knowledge.source import find_rules

HERE = Path(__file__).parent
HOSTS = sorted(path.name for path in (HERE / "hosts").iterdir())


def findings_text(document: dict[str, Any]) -> str:
    """The findings as they were written, byte for byte."""
    return json.dumps(document["findings"], ensure_ascii=False)


def steady(document: dict[str, Any]) -> dict[str, Any]:
    """A report without the times, and without what tells a document from a machine."""
    runs = [{**run, "seconds": 0} for run in document["runs"]]
    return {**document, "runs": runs, "target": {**document["target"], "kind": ""}}


@pytest.mark.parametrize("redact", [False, True], ids=["as-it-is", "redacted"])
@pytest.mark.parametrize("host", HOSTS)
def test_of_a_recorded_machine(host: str, redact: bool, tmp_path: Path) -> None:
    first = diagnose(CheckSettings(source=str(HERE / "hosts" / host))).diagnosis
    report = tmp_path / "report.json"
    report.write_text(to_json(first, redact=redact), encoding="utf-8")
    settings = CheckSettings(source=str(report))
    again = of_document(settings).diagnosis
    written, read = json.loads(report.read_text(encoding="utf-8")), json.loads(to_json(again, redact=redact))
    assert findings_text(read) == findings_text(written)
    assert steady(read) == steady(written)
    tables = Catalogue(find_rules(), known_specs()).tables
    same = compare("report", again, "itself", of_document(settings).diagnosis, tables)
    assert (same.only_left, same.only_right, same.differences) == ((), (), ())


def check_read_back(first: Ended, folder: Path, written: tuple[str, ...]) -> None:
    report, copy = folder / "report.json", folder / "copy.json"
    for path in (report, copy):
        path.write_bytes(first.stdout)
    again = gpudoctor("check", *written, "--from", str(report))
    assert again.status == first.status
    assert findings_text(again.document) == findings_text(first.document)
    assert steady(again.document) == steady(first.document)
    same = gpudoctor("diff", str(report), str(copy), "--json")
    assert same.status == 0
    assert [same.document[key] for key in ("only_left", "only_right", "differences")] == [[], [], []]


@pytest.mark.parametrize("written", [("--json", "--no-redact"), ("--json",)], ids=["as-it-is", "redacted"])
def test_of_this_machine(written: tuple[str, ...], tmp_path: Path) -> None:
    check_read_back(gpudoctor("check", *written), tmp_path, written)


def test_of_an_earlier_gpudoctor_that_knew_fewer_facts() -> None:
    """Written before there were probes and many of today's facts: what it found is found again, and nothing more."""
    kept = HERE / "data" / "reports" / "before-probes.json"
    first = json.loads(kept.read_text(encoding="utf-8"))
    again = json.loads(to_json(of_document(CheckSettings(source=str(kept))).diagnosis, redact=False))

    def failed(document: dict[str, Any]) -> set[tuple[str, str, str]]:
        return {(one["check"], one["cause"], one["severity"]) for one in document["findings"] if one["kind"] == "fail"}

    assert failed(again) == failed(first)
    assert again["summary"]["primary"] == first["summary"]["primary"] == "driver.too_old_for_cuda"
    assert set(first["facts"]) - set(again["facts"]) == set()
