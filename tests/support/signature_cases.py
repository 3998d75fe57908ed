"""Case files of signatures: a piece of evidence, and whether the signature must speak on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpudoctor.knowledge.compile import read_rule
from gpudoctor.model.document import KINDS

CASE_KEYS = {"name", "log", "kind", "facts", "matches", "captures", "exit", "cause"}


@dataclass(frozen=True)
class SignatureCase:
    """One case of one signature.

    `log` is the text as somebody would paste it, `kind` the document that it stands in, `facts` what other evidence
    states. `captures` are named pieces that the first match must have taken. With `cause`, the whole catalogue,
    given `log`, `facts` and the status `exit`, must put that cause first.
    """

    signature: str
    family: str
    name: str
    matches: bool
    log: str = ""
    kind: str = "log"
    facts: Mapping[str, Any] = field(default_factory=dict)
    captures: Mapping[str, str] = field(default_factory=dict)
    exit: str = ""
    cause: str = ""


def read_cases(folder: Path) -> Iterator[SignatureCase]:
    """All cases below a folder `<family>/<signature>.toml`; ValueError for a file that is not written like one."""
    for path in sorted(folder.glob("*/*.toml")):
        data = read_rule(path)
        if set(data) != {"case"}:
            raise ValueError(f"{path}: only [[case]] blocks belong here")
        for number, entry in enumerate(data["case"], start=1):
            place = f"{path}: case[{number}]"
            if set(entry) - CASE_KEYS or not isinstance(entry.get("matches"), bool):
                raise ValueError(f"{place}: needs matches = true or false; may have {', '.join(sorted(CASE_KEYS))}")
            if not entry.get("log") and not entry.get("facts"):
                raise ValueError(f"{place}: needs a log or facts")
            if entry.get("kind", "log") not in KINDS:
                raise ValueError(f"{place}: kind is one of {', '.join(KINDS)}")
            rest = {key: value for key, value in entry.items() if key not in ("name", "matches")}
            name = entry.get("name") or f"case {number}"
            yield SignatureCase(path.stem, path.parent.name, name, entry["matches"], **rest)
