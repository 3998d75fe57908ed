"""Facts about the ring of this machine: whether the ranks got through, how fast, and which of them stood in the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gpudoctor.model.child import ChildEnd
from gpudoctor.model.exit_status import signal_name
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.probe import answers
from gpudoctor.probe.answers import known_or, said, text, texts, why_no_torch, why_step_failed
from gpudoctor.probe.spec import ProbeSpec, step_in

STEP = "ring"
PROBE = ProbeSpec(
    STEP,
    level="quick",
    title="ring of ranks through torch.distributed",
    limit_s=45.0,
    group=STEP,
    order=90,
    judged_alone=True,
)
FACTS = (
    *PROBE.common_facts(),
    FactSpec(
        "probe.ring.fault",
        FactType.TEXT,
        "the same more finely: none, intermittent, variable, transport_p2p, transport_shm, transport_ib, wrong_result, "
        "device_busy, rank_ended, hang or error",
    ),
    FactSpec("probe.ring.how_it_ended", FactType.TEXT, "how it ended, in words"),
    FactSpec("probe.ring.backend", FactType.TEXT, "what carried it: nccl, or gloo where there is no GPU for NCCL"),
    FactSpec("probe.ring.ranks", FactType.INTEGER, "how many processes took part, one for each GPU with NCCL"),
    FactSpec(
        "probe.ring.bus_bandwidth_bytes_per_second",
        FactType.NUMBER,
        "what each link carried in the largest all-reduce, by the slowest rank",
        unit="bytes per second",
    ),
    FactSpec("probe.ring.phase", FactType.TEXT, "where a ring that did not pass came to a stop, such as all_reduce"),
    FactSpec("probe.ring.failed_ranks", FactType.INTEGER_LIST, "the ranks that stood in the way of the others"),
    FactSpec("probe.ring.exit_status", FactType.INTEGER, "the status with which it left, where it left unasked"),
    FactSpec("probe.ring.error", FactType.TEXT, "its error, word for word"),
    FactSpec("probe.ring.transports", FactType.TEXT_LIST, "the transports of NCCL's log: P2P/CUMEM, SHM, NET/Socket"),
    FactSpec("probe.ring.nccl_warnings", FactType.TEXT_LIST, "the warnings in NCCL's log", private=True),
    FactSpec("probe.ring.nccl_log", FactType.TEXT, "the end of NCCL's log where the ring did not pass", private=True),
    FactSpec(
        "probe.ring.blamed_variables", FactType.TEXT_LIST, "environment variables without which a failed ring passes"
    ),
    FactSpec(
        "probe.ring.blamed_transport", FactType.TEXT, "the NCCL transport without which it passes: P2P, SHM or IB"
    ),
    FactSpec("probe.ring.intermittent", FactType.BOOLEAN, "whether a failed ring passed when it was simply repeated"),
    FactSpec("probe.ring.tries", FactType.TEXT_LIST, "every further try with its outcome"),
    FactSpec("probe.ring.unsupported", FactType.TEXT_LIST, "what the backend of this torch says that it cannot do"),
)
KEYS = tuple(spec.key for spec in FACTS)
# CUDA's words where another process holds the GPU, or nearly all of its memory.
BUSY = re.compile(r"busy or unavailable|out of memory|exclusive")
OUTCOMES = ("passed", "wrong_result", "failed", "crashed", "timed_out")
PASSED = Unknown(Reason.NOT_APPLICABLE, "the ring passed")
NOTHING = Unknown(Reason.NOT_APPLICABLE, "there is none")


def facts(end: ChildEnd, plan: Mapping[str, Any]) -> Iterable[Fact]:
    """All of them; a ring that did not run has the reason for that."""
    line = said(end, STEP).get("ring")
    found = line if isinstance(line, Mapping) else {}
    why = why_not(end, plan, STEP, found)
    if why is not None:
        return without(why, KEYS)
    if found.get("outcome") not in OUTCOMES:
        return without_answer(end)
    values = {**how_it_went(found), **why_it_failed(found), "fault": fault(found), "how_it_ended": words(found)}
    return tuple(Fact(f"probe.ring.{name}", value) for name, value in values.items())


def without_answer(end: ChildEnd) -> tuple[Fact, ...]:
    """The facts of a step that ended before it could say anything; a crash is an outcome even so."""
    why = why_step_failed(end, STEP)
    # A step that was timed out had no time left: each try within it has a limit of its own and would have told.
    outcome = {"crashed": "crashed", "exited": "crashed", "failed": "failed"}.get(answers.outcome_of(end, STEP), "")
    known: dict[str, Value] = {}
    if outcome:
        kind = "rank_ended" if outcome == "crashed" else "error"
        ended = f"before any rank ran, {why.detail}"
        known = {"outcome": outcome, "fault": kind, "how_it_ended": ended, "said": ended}
    return tuple(Fact(key, known.get(key.rpartition(".")[2], why)) for key in KEYS)


def why_not(end: ChildEnd, plan: Mapping[str, Any], step: str, found: Mapping[str, Any]) -> Unknown | None:
    """Why a probe did not run: torch is not there, nobody asked, or this torch or machine cannot."""
    if step_in(plan, step) is None:
        return Unknown(Reason.NOT_REQUESTED, "the probe was not asked for")
    missing = why_no_torch(end, plan)
    if missing is None and "not_applicable" in found:
        return Unknown(Reason.NOT_APPLICABLE, text(found["not_applicable"]))
    if missing is None and not said(end, step) and said(end, "end"):
        return Unknown(Reason.NOT_REQUESTED, "the recording was made without this probe")
    return missing


def without(why: Unknown, keys: tuple[str, ...]) -> tuple[Fact, ...]:
    """The facts of a probe that did not run; that it was not to run is an outcome, the first of its facts."""
    plain = why.reason in (Reason.NOT_REQUESTED, Reason.NOT_APPLICABLE)
    told = [Fact(key, why.detail) for key in keys if key.endswith(".said") and why.reason is Reason.NOT_APPLICABLE]
    others = tuple(key for key in keys[1:] if key not in [fact.key for fact in told])
    return (Fact(keys[0], why.reason.value if plain else why), *told, *answers.absent(others, why))


def how_it_went(found: Mapping[str, Any]) -> dict[str, Value | Unknown]:
    """Outcome, size and speed."""
    outcome = text(found["outcome"])
    passed = outcome == "passed"
    ranks = found.get("ranks")
    few = isinstance(ranks, int) and ranks < 2
    alone = Unknown(Reason.NOT_APPLICABLE, "one rank has nobody to exchange with")
    unmeasured = Unknown(Reason.NO_DATA, "the ring did not come to it")
    return {
        "outcome": outcome,
        "device": device_of(found),
        "backend": known_or(text(found.get("backend")), Unknown(Reason.NO_DATA, "not told")),
        "ranks": ranks if isinstance(ranks, int) else Unknown(Reason.NO_DATA, "not told"),
        "bus_bandwidth_bytes_per_second": bandwidth(found) or (alone if few else unmeasured),
        "phase": PASSED if passed else known_or(text(found.get("phase")), NOTHING),
        "transports": texts(found.get("transports")) or Unknown(Reason.NOT_APPLICABLE, "NCCL's log names none"),
        "nccl_warnings": texts(found.get("log_warnings")) if found.get("backend") == "nccl" else NOTHING,
        "nccl_log": PASSED if passed else known_or(text(found.get("log_tail")), NOTHING),
        "unsupported": texts(found.get("unsupported")),
    }


def device_of(found: Mapping[str, Any]) -> str:
    """`cpu` for gloo; for NCCL the GPUs, such as `cuda:0-7`."""
    ranks = found.get("ranks")
    if found.get("backend") != "nccl" or not isinstance(ranks, int):
        return "cpu"
    return "cuda:0" if ranks < 2 else f"cuda:0-{ranks - 1}"


def bandwidth(found: Mapping[str, Any]) -> float | None:
    """The bus bandwidth of the largest size."""
    measured = found.get("measured")
    last = measured[-1] if isinstance(measured, list) and measured else {}
    value = last.get("bus_bandwidth") if isinstance(last, Mapping) else None
    return float(value) if isinstance(value, (int, float)) else None


def why_it_failed(found: Mapping[str, Any]) -> dict[str, Value | Unknown]:
    """Which rank, in which words, and what a further try tells."""
    if found["outcome"] == "passed":
        keys = ("said", "failed_ranks", "signal", "exit_status", "error", "output", *TRIED)
        return dict.fromkeys(keys, PASSED)
    ranks = found.get("failed_ranks")
    number, status = found.get("signal"), found.get("exit_status")
    blamed = texts(found.get("blamed_variables"))
    return {
        "said": words(found),
        "failed_ranks": tuple(rank for rank in ranks if isinstance(rank, int)) if isinstance(ranks, list) else (),
        "signal": signal_name(number) if isinstance(number, int) else Unknown(Reason.NOT_APPLICABLE, "no signal"),
        "exit_status": status if isinstance(status, int) else Unknown(Reason.NOT_APPLICABLE, "it did not leave"),
        "error": known_or(text(found.get("error")), Unknown(Reason.NOT_APPLICABLE, "it raised nothing")),
        "output": known_or(text(found.get("output")), Unknown(Reason.NOT_APPLICABLE, "it printed nothing")),
        "blamed_variables": blamed,
        "blamed_transport": known_or(text(found.get("blamed_transport")), NOTHING),
        "intermittent": found.get("intermittent") is True,
        "tries": tries(found.get("tries")),
    }


def fault(found: Mapping[str, Any]) -> str:
    """What ails the ring, as one word."""
    if found["outcome"] == "passed":
        return "none"
    if found.get("intermittent") is True:
        return "intermittent"
    if texts(found.get("blamed_variables")):
        return "variable"
    transport = text(found.get("blamed_transport"))
    if transport:
        return f"transport_{transport.lower()}"
    if found.get("phase") == "device" and BUSY.search(text(found.get("error"))):
        return "device_busy"
    kinds = {"wrong_result": "wrong_result", "crashed": "rank_ended", "timed_out": "hang"}
    return kinds.get(text(found["outcome"]), "error")


def words(found: Mapping[str, Any]) -> str:
    """How it ended, as the end of a sentence: `rank 1 was ended by SIGKILL in all_reduce`."""
    outcome, phase = text(found["outcome"]), text(found.get("phase")) or "an unknown place"
    if outcome == "passed":
        return "every rank came through with the right numbers"
    who = named(found.get("failed_ranks"))
    error = answers.first_line(text(found.get("error")))
    number, status = found.get("signal"), found.get("exit_status")
    if isinstance(number, int):
        return f"{who} was ended by {signal_name(number)} in {phase}"
    if isinstance(status, int):
        return f"{who} left with status {status} in {phase}"
    if outcome == "timed_out":
        halted = f" ({error})" if error else ""
        return f"{who} did not come back from {phase}{halted}" if who else f"no rank came back from {phase}"
    return f"{who or 'a rank'} failed in {phase}" + (f": {error}" if error else "")


def named(ranks: object) -> str:
    """`rank 1`, `ranks 0, 2`, or nothing."""
    numbers = [str(rank) for rank in ranks if isinstance(rank, int)] if isinstance(ranks, (list, tuple)) else []
    return f"rank{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


TRIED = ("blamed_variables", "blamed_transport", "intermittent", "tries")


def tries(value: object) -> tuple[str, ...]:
    """Each further try in words: `NCCL_P2P_DISABLE=1: passed`."""
    listed = value if isinstance(value, list) else []
    return tuple(f"{text(one.get('what'))}: {text(one.get('outcome'))}" for one in listed if isinstance(one, Mapping))
