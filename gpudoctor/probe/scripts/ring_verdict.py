"""What the ends of all ranks say together: how the ring went, and which rank stood in the way of the others.

A rank that dies takes its neighbours' connections along, and one that hangs lets all others wait: what those say is
the echo. So a death is believed before an error, an error before an echo, and of those that hang the one that came
the least far is named; where all stand at the same place, nobody is.
"""

from __future__ import annotations

import re
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ECHO = re.compile(
    r"[Cc]onnection (?:was )?(?:reset|closed|refused)|closed by (?:remote )?peer|reset by peer|[Bb]roken pipe"
    r"|ncclRemoteError|remote process|[Tt]imed? ?out|recvValue failed|[Ss]tore.{0,40}shut ?down"
)
STATES = {"entered": 0, "posted": 1, "done": 2}
STOPPED = ("T", "t")
THROUGH = "through"
TAIL = 6000
LINES_LIMIT = 30
LINE_LIMIT = 400
VIA = re.compile(r" via ((?:P2P|SHM|NET)(?:/[A-Za-z0-9_]+)*)")


def judge(ends: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The outcome, the phase, the ranks to blame, their signal and their words."""
    found = died(ends) or erred(ends) or late(ends)
    if found is None:
        return {"outcome": "passed", "phase": THROUGH, "failed_ranks": [], "error": "", "output": ""}
    outcome, blamed = found
    first = blamed[0] if blamed else min(ends, key=progress)
    verdict = {
        "outcome": outcome,
        "phase": first["phase"],
        "failed_ranks": sorted(end["rank"] for end in blamed),
        "error": first.get("error", "") if blamed else "",
        "output": first.get("output", "")[-TAIL:],
    }
    for name in ("signal", "exit_status"):
        if blamed and first.get(name) is not None:
            verdict[name] = first[name]
    if outcome == "timed_out" and first.get("process_state") in STOPPED:
        verdict["error"] = "the process was stopped (state T)"
    return verdict


def died(ends: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]] | None:
    """The rank that went first, of those that ended unasked. An abort may be the answer to somebody else's death."""
    dead = [end for end in ends if end.get("signal") is not None or end.get("exit_status") is not None]
    dead.sort(key=lambda end: (end.get("signal") == signal.SIGABRT, end.get("ended_at", 0.0)))
    if not dead:
        return None
    own = [end for end in ends if end.get("state") in ("raised", "wrong") and not is_echo(end)]
    if own and dead[0].get("signal") == signal.SIGABRT:
        return None
    return "crashed", dead[:1]


def erred(ends: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]] | None:
    """Ranks that got wrong numbers, else the first that raised something of its own, else all that heard an echo
    where nobody hangs."""
    wrong = [end for end in ends if end.get("state") == "wrong"]
    if wrong:
        return "wrong_result", wrong
    raised = sorted((end for end in ends if end.get("state") == "raised"), key=lambda end: end.get("at", 0.0))
    own = [end for end in raised if not is_echo(end)]
    if own:
        # The same words from several at once are one thing that ails all of them.
        return "failed", [end for end in own if end.get("error") == own[0].get("error")]
    if raised and not any(end.get("killed") for end in ends):
        return "failed", raised[:1]
    return None


def late(ends: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]] | None:
    """Ranks that did not come through in time."""
    waiting = [end for end in ends if end["phase"] != THROUGH or end.get("state") == "raised"]
    if not waiting:
        return None
    stopped = [end for end in waiting if end.get("process_state") in STOPPED]
    if stopped:
        return "timed_out", stopped
    least = min(progress(end) for end in ends)
    behind = [end for end in ends if progress(end) == least]
    return "timed_out", (behind if len(behind) < len(ends) or len(ends) == 1 else [])


def is_echo(end: dict[str, Any]) -> bool:
    """Whether a rank only tells that another was gone or did not come."""
    return bool(ECHO.search(end.get("error", "")))


def progress(end: dict[str, Any]) -> tuple[int, int]:
    """How far a rank came: phases entered, then how far within the last."""
    return end.get("order", 0), STATES.get(end.get("state", ""), 1)


def measured(ends: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each size the slowest rank's figures, which are those that training feels."""
    slowest: dict[int, dict[str, Any]] = {}
    for end in ends:
        for one in end.get("measured", []):
            if "edge" in one:
                continue
            known = slowest.get(one["bytes"])
            if known is None or one["seconds"] > known["seconds"]:
                slowest[one["bytes"]] = one
    return [slowest[size] for size in sorted(slowest)]


def edges(ends: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each pair of ranks the figures of the slower one."""
    slowest: dict[tuple[int, int], dict[str, Any]] = {}
    for end in ends:
        for one in end.get("measured", []):
            if "edge" not in one:
                continue
            pair = (one["edge"][0], one["edge"][1])
            if pair not in slowest or one["seconds"] > slowest[pair]["seconds"]:
                slowest[pair] = one
    return [slowest[pair] for pair in sorted(slowest)]


def unsupported(ends: Sequence[dict[str, Any]]) -> list[str]:
    """What the backend of this torch says that it cannot do."""
    return sorted({end["unsupported"] for end in ends if end.get("unsupported")})


def read_log(ends: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """From NCCL's own log: which transports carry the connections, and its warnings."""
    vias: set[str] = set()
    warnings: list[str] = []
    tail = ""
    for end in ends:
        text = end.get("log", "")
        vias.update(VIA.findall(text))
        warnings += [line[:LINE_LIMIT] for line in text.splitlines() if "NCCL WARN" in line]
        tail = tail or text[-TAIL:]
    unique = list(dict.fromkeys(warnings))
    return {"transports": sorted(vias), "log_warnings": unique[:LINES_LIMIT], "log_tail": tail}
