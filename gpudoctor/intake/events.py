"""Kubernetes events: the table of `kubectl get events`, its JSON, or the Events part of a description alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.partial_json import parse
from gpudoctor.intake.plain_tree import member, objects, text
from gpudoctor.model.fact import Fact

KIND = "events"
FACTS = ()
_HEADER = re.compile(r"^\s*(?:NAMESPACE\s+)?(?:LAST SEEN|LASTSEEN|Type)\s+(?:TYPE|Reason|FIRST SEEN)\b", re.MULTILINE)
_ROW = re.compile(
    r"^\s*(?:\S{1,63}\s+)?(?:\S{1,12}\s+(?:\(\S{1,20} over \S{1,12}\)\s+)?)?"
    r"(?:Normal|Warning)\s+(?P<reason>[A-Z][A-Za-z]{2,40})\s+\S",
    re.MULTILINE,
)
# Reasons that say how a pod ended, the most telling first, and the pod's reason that they amount to.
_ENDS = {
    "Evicted": "Evicted",
    "Preempted": "Preempted",
    "Preempting": "Preempted",
    "OOMKilling": "",
    "FailedScheduling": "Unschedulable",
    "UnexpectedAdmissionError": "UnexpectedAdmissionError",
}


def recognises(beginning: str, name: str) -> float:
    """Its header, rows that begin like events, or the kind in JSON."""
    part = beginning[:131072]
    if part.lstrip()[:1] == "{":
        return 0.95 if '"involvedObject"' in part and '"reason"' in part else 0.0
    rows = len(_ROW.findall(part))
    lines = max(1, sum(1 for line in part.split("\n") if line.strip()))
    if _HEADER.search(part) and rows:
        return 0.8 if rows * 2 >= lines else 0.55
    return 0.6 if rows and rows * 2 >= lines else 0.0


def read(document: str) -> Reading:
    """The reasons of all events; messages inside JSON are handed on as `Reason: message`."""
    reasons: list[str] = []
    messages: list[str] = []
    if document.lstrip()[:1] == "{":
        for entry in objects(parse(document)[0]):
            reason, message = text(member(entry, "reason")), text(member(entry, "message"))
            if reason and message and "involvedObject" in entry:
                reasons.append(reason)
                messages.append(f"{reason}: {message}")
    else:
        reasons = [match["reason"] for match in _ROW.finditer(document)]
    return Reading((*_facts(reasons),), tuple(messages))


def _facts(reasons: list[str]) -> Iterator[Fact]:
    yield Fact("crash.context", ("container", "k8s"))
    if reasons:
        yield Fact("crash.event_reasons", tuple(dict.fromkeys(reasons)))
    for reason, amounts_to in _ENDS.items():
        if reason in reasons and amounts_to:
            yield Fact("crash.reason", amounts_to)
            return
