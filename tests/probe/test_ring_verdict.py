"""Which rank is named, from how all of them ended: deaths before errors before echoes, and the one left behind."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

import gpudoctor.probe
from scripts_alone import load

verdict = load(Path(gpudoctor.probe.__file__).parent / "scripts" / "ring_verdict.py")
RESET = "RuntimeError: Read error [127.0.0.1]:41231: Connection reset by peer"
LATE = "RuntimeError: Timed out waiting 5000ms for recv operation to complete"


def end(rank: int, phase: str = "through", state: str = "done", order: int = 7, **more: Any) -> dict[str, Any]:
    return {"rank": rank, "phase": phase, "state": state, "order": order, "measured": [], **more}


def raised(rank: int, error: str, at: float = 1.0, state: str = "raised") -> dict[str, Any]:
    return end(rank, "all_reduce", state, 3, error=error, at=at)


def test_all_through() -> None:
    assert verdict.judge([end(0), end(1)])["outcome"] == "passed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS])
def test_the_dead_one_is_named_and_not_who_tells_of_it(number: int) -> None:
    said = verdict.judge([raised(0, RESET, at=1.0), end(1, "all_reduce", "entered", 3, signal=number, ended_at=2.0)])
    assert (said["outcome"], said["failed_ranks"], said["signal"]) == ("crashed", [1], number)
    assert said["phase"] == "all_reduce"


def test_an_abort_answers_somebody_elses_death() -> None:
    aborted = end(0, "all_reduce", "posted", 3, signal=signal.SIGABRT, ended_at=1.0)
    killed = end(1, "all_reduce", "entered", 3, signal=signal.SIGKILL, ended_at=2.0)
    assert verdict.judge([aborted, killed])["failed_ranks"] == [1]
    assert verdict.judge([aborted, end(1)])["failed_ranks"] == [0]
    assert verdict.judge([aborted, raised(1, "ValueError: mine")])["failed_ranks"] == [1]


def test_an_error_of_its_own_goes_before_an_echo_that_came_earlier() -> None:
    said = verdict.judge([raised(0, RESET, at=1.0), raised(1, "ValueError: mine", at=2.0)])
    assert (said["outcome"], said["failed_ranks"], said["error"]) == ("failed", [1], "ValueError: mine")


def test_one_error_of_all_is_everybodys() -> None:
    assert verdict.judge([raised(0, "no interface", 2.0), raised(1, "no interface", 1.0)])["failed_ranks"] == [0, 1]


def test_wrong_numbers_are_no_failure_to_run() -> None:
    said = verdict.judge([end(0), raised(1, "all_reduce gave 1 wrong numbers", state="wrong")])
    assert (said["outcome"], said["failed_ranks"]) == ("wrong_result", [1])


def test_who_hangs_is_who_came_the_least_far() -> None:
    waits = end(0, "all_gather", "posted", 4, killed=True)
    hangs = end(1, "all_gather", "entered", 4, killed=True)
    assert verdict.judge([waits, hangs])["failed_ranks"] == [1]
    behind = end(1, "all_reduce", "posted", 3, killed=True)
    assert verdict.judge([waits, behind])["failed_ranks"] == [1]
    complains = raised(0, LATE)
    assert verdict.judge([complains, end(1, "connect", "entered", 2, killed=True)])["failed_ranks"] == [1]


def test_where_all_stand_at_one_place_nobody_is_named() -> None:
    said = verdict.judge([end(rank, "connect", "posted", 3, killed=True) for rank in range(4)])
    assert (said["outcome"], said["failed_ranks"], said["phase"]) == ("timed_out", [], "connect")


def test_a_stopped_process_is_named_by_its_state() -> None:
    ends = [
        end(rank, "all_gather", "posted", 4, killed=True, process_state="T" if rank == 0 else "S") for rank in (0, 1)
    ]
    said = verdict.judge(ends)
    assert (said["failed_ranks"], said["error"]) == ([0], "the process was stopped (state T)")


def test_the_slowest_rank_gives_the_figures() -> None:
    fast = {"bytes": 8, "seconds": 1.0, "bus_bandwidth": 8.0}
    slow = {"bytes": 8, "seconds": 2.0, "bus_bandwidth": 4.0}
    assert verdict.measured([end(0, measured=[fast]), end(1, measured=[slow])]) == [slow]


def test_nccl_log_is_read() -> None:
    log = (
        "node:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n"
        "node:1:2 [0] NCCL INFO Channel 01/0 : 0[0] -> 1[1] via SHM/direct/direct\n"
        "node:1:2 [0] NCCL INFO Channel 00/0 : 1[1] -> 2[0] [send] via NET/Socket/0\n"
        "\nnode:1:2 [0] misc/socket.cc:484 NCCL WARN socketStartConnect: Connect to 10.0.0.1<3> failed\n"
    )
    said = verdict.read_log([end(0, log=log), end(1, log="")])
    assert said["transports"] == ["NET/Socket/0", "P2P/CUMEM/read", "SHM/direct/direct"]
    assert len(said["log_warnings"]) == 1
    assert "Connect to" in said["log_warnings"][0]
