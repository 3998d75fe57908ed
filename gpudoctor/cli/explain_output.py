"""How `explain-exit` and `explain-log` write their answer: text or JSON, without what should not leave the machine."""

from __future__ import annotations

import sys
from typing import Any

from gpudoctor.cli.exit_codes import Exit
from gpudoctor.cli.output import colour_wanted, columns, output_stream
from gpudoctor.model.explanation import Explained, Verdict


def write_explained(explained: Explained, given: dict[str, Any]) -> Exit:
    """Write it as the options want it. Secrets in quoted lines are hidden always, names unless told otherwise."""
    explained = _without_secrets(explained, given)
    with output_stream(given["output"]) as out:
        if given["as_json"]:
            from gpudoctor.report.json_v1 import explained_text

            out.write(explained_text(explained))
        else:
            from gpudoctor.report.explain_text import render

            to_terminal = sys.stdout if given["output"] in (None, "-") else None
            width = min(columns(to_terminal), 100)
            out.write(render(explained, width=width, color=colour_wanted(to_terminal, given["no_color"])))
    return Exit.FINDINGS if explained.verdict is Verdict.UNEXPLAINED else Exit.JUDGED


def _without_secrets(explained: Explained, given: dict[str, Any]) -> Explained:
    quoted = [item.evidence for item in explained.explanations] + [item.evidence for item in explained.ruled_out]
    if not explained.unused and not any(quoted):
        return explained  # nothing of the user's is in it
    hide_names = given["redact"] if given["redact"] is not None else given["as_json"]
    if hide_names:
        from gpudoctor.report.redact import redact_explained

        return redact_explained(explained)
    from gpudoctor.report.redact import hide_explained_secrets

    return hide_explained_secrets(explained)
