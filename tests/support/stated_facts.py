"""What the reader of environment reports takes from a text, as plain values that tests can compare."""

from __future__ import annotations

from gpudoctor.intake import environment
from gpudoctor.model.fact import Unknown


def stated(text: str) -> dict[str, object]:
    """Fact key -> plain value; an element that is unknown becomes the word."""
    return {fact.key: _plain(fact.value) for fact in environment.read(text).facts}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Unknown):
        return "unknown"
    return value if isinstance(value, (bool, int)) else str(value)
