"""The error file that torchrun gives to each worker: it holds the first exception, which the log often buries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import NOT_SET, printable
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("elastic.error_path", FactType.TEXT, "TORCHELASTIC_ERROR_FILE.", private=True),
    FactSpec("elastic.error_message", FactType.TEXT, "The exception that a worker left there.", private=True),
    FactSpec("elastic.error_callstack", FactType.TEXT, "Its traceback.", private=True),
    FactSpec("elastic.error_seconds", FactType.INTEGER, "When it was written, since 1970.", "seconds"),
)
_MAXIMUM_BYTES = 1_000_000


def parse_error(text: str) -> Mapping[str, Any]:
    """`message`, `callstack` and `seconds` of an error file. ValueError when it is none.

    torch writes `{"message": {"message": ..., "extraInfo": {"py_callstack": ..., "timestamp": "..."}}}`; where the
    process failed outside of Python the inner message is the whole text.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the error file is not JSON: {error}") from None
    inner = content.get("message") if isinstance(content, dict) else None
    if isinstance(inner, str):
        return {"message": inner, "callstack": "", "seconds": ""}
    if not isinstance(inner, dict):
        raise ValueError("the error file holds no message")
    extra = inner.get("extraInfo")
    extra = extra if isinstance(extra, dict) else {}
    return {
        "message": str(inner.get("message", "")),
        "callstack": str(extra.get("py_callstack", "")),
        "seconds": str(extra.get("timestamp", "")),
    }


def collect(host: Host) -> Iterable[Fact]:
    """The elastic.* facts."""
    path = host.env().get("TORCHELASTIC_ERROR_FILE", "")
    if not path:
        for spec in FACTS:
            yield Fact(spec.key, NOT_SET)
        return
    yield Fact("elastic.error_path", printable(path))
    error = attempt(lambda: parse_error(host.read_text(path, _MAXIMUM_BYTES)))
    if isinstance(error, Unknown):
        for spec in FACTS[1:]:
            yield Fact(spec.key, error)
        return
    silent = Unknown(Reason.NO_DATA, "the error file does not tell")
    yield Fact("elastic.error_message", printable(error["message"], 8000) or silent)
    yield Fact("elastic.error_callstack", printable(error["callstack"], 16000) or silent)
    seconds = error["seconds"].partition(".")[0]
    yield Fact(
        "elastic.error_seconds",
        int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 16 else silent,
    )
