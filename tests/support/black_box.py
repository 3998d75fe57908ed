"""Commands that die under `gpudoctor run`: what it said, what it wrote, and that both tell the same cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command import Ended, gpudoctor, validator
from crashes import explain


class Told:
    """What a run said and wrote."""

    def __init__(self, ended: Ended, folder: Path) -> None:
        self.ended = ended
        self.reports = sorted(folder.glob("gpudoctor-crash-*.json"))
        assert not list(folder.glob(".gpudoctor-crash-*")), "a half-written report was left"

    @property
    def report(self) -> dict[str, Any]:
        assert len(self.reports) == 1, self.ended.errors
        document = json.loads(self.reports[0].read_text(encoding="utf-8"))
        validator().validate(document)
        return document

    @property
    def first(self) -> dict[str, Any]:
        (answer,) = self.report["explanations"]
        return answer["explanations"][0]

    def says(self, *causes: str, at_least: str = "possible") -> dict[str, Any]:
        """Hold the first cause, in the report, on stderr and by explain-exit of the report."""
        ranks = ("possible", "likely", "confirmed")
        first = self.first
        shown = [(one["cause"], one["likelihood"]) for one in self.report["explanations"][0]["explanations"][:4]]
        assert any(first["cause"] == cause or first["cause"].startswith(cause + ".") for cause in causes), shown
        assert ranks.index(first["likelihood"]) >= ranks.index(at_least), shown
        assert first["cause"] in self.ended.errors
        again = explain(self.report["facts"]["run.exit_code"]["value"], self.reports[0])
        assert any(again.first == cause or again.first.startswith(cause + ".") for cause in causes), again.causes
        return first


def watched(folder: Path, *command: str, options: tuple[str, ...] = (), **how: Any) -> Told:
    return Told(gpudoctor("run", "--report-dir", str(folder), *options, "--", *command, cwd=folder, **how), folder)
