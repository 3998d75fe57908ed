"""A comparison as JSON, in schema 1: the same conventions as the report, nothing is ever null."""

from __future__ import annotations

import json
from typing import Any

from gpudoctor._version import VERSION
from gpudoctor.model.comparison import Comparison
from gpudoctor.report.json_v1 import fact_v1, finding_v1
from gpudoctor.report.wire import SCHEMA_VERSION


def comparison_text(comparison: Comparison) -> str:
    """The document of `diff --json`."""
    return json.dumps(comparison_v1(comparison), indent=2, ensure_ascii=True) + "\n"


def comparison_v1(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain lists and dicts, differences in the order of their weight."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "gpudoctor", "version": VERSION},
        "left": comparison.left,
        "right": comparison.right,
        "only_left": [finding_v1(one) for one in comparison.only_left],
        "only_right": [finding_v1(one) for one in comparison.only_right],
        "differences": [
            {
                "fact": one.key,
                "weight": one.weight,
                "why": one.why,
                "one_sided": one.is_one_sided,
                "left": fact_v1(one.left),
                "right": fact_v1(one.right),
            }
            for one in comparison.differences
        ],
        "same_count": comparison.same_count,
    }
