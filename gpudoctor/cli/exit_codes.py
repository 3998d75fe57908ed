"""The exit codes of gpudoctor, one meaning each; docs/exit-codes.md is tested against this list."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """What the shell sees. JUDGED: nothing at or above `--fail-on`. FINDINGS: something at or above it."""

    JUDGED = 0
    FINDINGS = 1
    USAGE = 2
    INTERNAL = 3
    NOT_EXAMINED = 4
    INTERRUPTED = 130
