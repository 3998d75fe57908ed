"""The shapes of the JSON documents, field by field: what schema 1 promises to readers, apart from our own types.

Our types may change with any release; these change only with the schema version. The published JSON Schemas in
docs/schema/ describe exactly these classes. A field that stands in a class named `...Optional` may be absent; every
other field is always there. Nothing is ever null.
"""

from __future__ import annotations

from typing import TypedDict, Union

SCHEMA_VERSION = "1.0"
SCHEMA_MAJOR = 1


class WireUnknown(TypedDict):
    """The reason why something is not known; as a fact, or as one element of a list."""

    unknown: str
    detail: str


WireScalar = Union[str, int, float, bool]
WireElement = Union[WireScalar, WireUnknown]


class WireKnown(TypedDict):
    """A fact's value. Versions are text."""

    value: WireScalar | list[WireElement]


WireFact = Union[WireKnown, WireUnknown]


class WireEvidence(TypedDict):
    """A quotation. `line` counts from 1; 0 where there are no lines."""

    source: str
    line: int
    text: str


class WireRemedy(TypedDict):
    """One thing to do, and who can do it."""

    who: str
    text: str
    command: str
    verify: str


class WireReference(TypedDict):
    """Where a claim can be read up."""

    url: str
    accessed: str
    title: str


class WireFinding(TypedDict):
    """The outcome of one check on one subject."""

    check: str
    cause: str
    kind: str
    severity: str
    confidence: str
    title: str
    subject: str
    message: str
    evidence: list[WireEvidence]
    blocked_by: list[str]
    explained_by: str
    remedies: list[WireRemedy]
    references: list[WireReference]


class WireLink(TypedDict):
    """One link of a reason chain."""

    check: str
    kind: str


class WireChain(TypedDict):
    """A reason chain; `broken_at` is empty where it holds."""

    id: str
    question: str
    broken_at: str
    links: list[WireLink]


class WireExitOptional(TypedDict, total=False):
    """`code` is absent where only a signal, a reason or nothing is known."""

    code: int


class WireExit(WireExitOptional):
    """The exit status that was explained, in one form."""

    given: str
    signal: str
    signal_is_certain: bool
    reason: str
    context: str
    title: str
    meaning: str


class WireExplanation(TypedDict):
    """One cause of an exit."""

    cause: str
    title: str
    likelihood: str
    score: float
    summary: str
    looks_like: str
    decide: str
    command: str
    evidence: list[WireEvidence]
    remedies: list[WireRemedy]
    references: list[WireReference]


class WireRuledOut(TypedDict):
    """A cause that was considered and dropped."""

    cause: str
    title: str
    reason: str
    evidence: list[WireEvidence]


class WireExplained(TypedDict):
    """The answer to one exit, as it stands inside a report."""

    exit: WireExit
    verdict: str
    explanations: list[WireExplanation]
    ruled_out: list[WireRuledOut]
    unused: list[str]
    looked_at: list[str]
    bring: list[str]


class WireToolName(TypedDict):
    """Which program wrote the document."""

    name: str
    version: str


class WireExplainDocument(WireExplained):
    """The document that `explain-exit --json` prints."""

    schema_version: str
    tool: WireToolName


class WireRules(TypedDict):
    """Which rules judged."""

    digest: str
    count: int
    newest_source: str


class WireTool(WireToolName):
    """Which program judged, by which rules."""

    rules: WireRules


class WireTarget(TypedDict):
    """What was examined."""

    kind: str
    interpreter: str
    reason: str


# The functional spelling, because `pass` is a keyword.
WireCounts = TypedDict(
    "WireCounts", {"error": int, "warning": int, "note": int, "pass": int, "unknown": int, "not_applicable": int}
)


class WireSummary(TypedDict):
    """The verdict in a few fields."""

    verdict: str
    primary: str
    exit_code: int
    counts: WireCounts


class WireRunOptional(TypedDict, total=False):
    """`exit_code` is absent where nothing exited by itself."""

    exit_code: int


class WireRun(WireRunOptional):
    """How one collector, child or step ended; `seconds` is the only field that differs between two runs."""

    name: str
    outcome: str
    seconds: float
    signal: str
    detail: str
    stderr_tail: str


class WireReport(TypedDict):
    """The document that `check --json` prints."""

    schema_version: str
    tool: WireTool
    target: WireTarget
    summary: WireSummary
    findings: list[WireFinding]
    chains: list[WireChain]
    explanations: list[WireExplained]
    facts: dict[str, WireFact]
    runs: list[WireRun]
