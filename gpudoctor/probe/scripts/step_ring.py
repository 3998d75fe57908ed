"""Step: do several processes of this machine reach each other through torch.distributed, with the right numbers?

One rank for each GPU over NCCL, or two over gloo where there is none. A ring that fails is tried again without the
user's own variables, and over NCCL with one transport after the other switched off, so that what fails has a name.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Emit = Callable[[dict[str, Any]], None]
    Load = Callable[[str], Any]
LIMITS = {
    "nccl": {"device": 15.0, "connect": 20.0, "other": 10.0, "whole": 30.0},
    "gloo": {"connect": 8.0, "other": 8.0, "whole": 16.0},
}
COUNT_LIMIT_S = 15.0
CPU_RANKS = 2
TRANSPORTS = ("P2P", "SHM", "IB")
# They change what is said, not what is done; images of NVIDIA carry NCCL_VERSION.
HARMLESS = ("NCCL_DEBUG", "NCCL_DEBUG_FILE", "NCCL_DEBUG_SUBSYS", "NCCL_VERSION", "NCCL_HOME", "NCCL_ROOT")
SUSPECTS_LIMIT = 6
# Nothing of a transport sends these: somebody outside ended the rank, and another try tells nothing.
FROM_OUTSIDE = (int(signal.SIGKILL), int(signal.SIGTERM), int(signal.SIGINT), int(signal.SIGHUP))


def run(torch: Any, options: dict[str, Any], emit: Emit, load: Load) -> None:
    """Run the ring; emit what came of it, and then what further tries say of the reason."""
    place = choose(torch, options)
    if "not_applicable" in place:
        emit({"ring": place})
        return
    rings = Rings(torch, place, options, load)
    first = rings.attempt({})
    emit({"ring": first})
    if first["outcome"] == "passed" or first.get("signal") in FROM_OUTSIDE:
        return
    reason = rings.reason_for(first)
    emit({"ring": dict(first, **reason)})


def choose(torch: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Backend and number of ranks, or why there is no ring to run."""
    dist = getattr(torch, "distributed", None)
    if dist is None or not dist.is_available():
        return {"not_applicable": "this torch was built without torch.distributed"}
    built = bool(getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None))
    counted = count_gpus(torch) if built and options.get("device") != "cpu" else {"count": 0}
    count = int(counted.get("count", 0))
    if count and dist.is_nccl_available():
        return {"backend": "nccl", "ranks": count}
    if not getattr(dist, "is_gloo_available", lambda: True)():
        return {"not_applicable": "this torch has neither gloo nor a GPU for NCCL"}
    return {
        "backend": "gloo",
        "ranks": int(options.get("cpu_ranks", CPU_RANKS)),
        "count_error": counted.get("error", ""),
    }


def count_gpus(torch: Any) -> dict[str, Any]:
    """Ask for the GPUs in a process that is thrown away: after CUDA was asked, none that is forked can use it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            try:
                count = torch.cuda.device_count() if torch.cuda.is_available() else 0
                found: dict[str, Any] = {"count": int(count)}
            except Exception as error:
                found = {"count": 0, "error": "%s: %s" % (type(error).__name__, str(error)[:500])}
            os.write(write, json.dumps(found).encode("utf-8"))
        finally:
            os._exit(0)
    os.close(write)
    answer = b""
    until = time.monotonic() + COUNT_LIMIT_S
    poll = select.poll()
    poll.register(read, select.POLLIN)
    while time.monotonic() < until:
        if poll.poll(100):
            data = os.read(read, 4096)
            if not data:
                break
            answer += data
    os.close(read)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        found = json.loads(answer.decode("utf-8"))
    except ValueError:
        return {"count": 0, "error": "counting the GPUs did not come to an end"}
    return dict(found)


class Rings:
    """All tries of one ring, within one time."""

    def __init__(self, torch: Any, place: dict[str, Any], options: dict[str, Any], load: Load) -> None:
        self.torch = torch
        self.place = place
        self.options = options
        self.backend = place["backend"]
        self.limits = dict(LIMITS[self.backend], **options.get("limits", {}))
        self.deadline = time.monotonic() + float(options.get("seconds", 40.0))
        self.watch = load("ring_watch.py")
        self.verdict = load("ring_verdict.py")
        self.rank = load("ring_rank.py")
        self.tries: list[dict[str, Any]] = []

    def left(self) -> bool:
        """Whether there is time for another try."""
        return time.monotonic() < self.deadline - 1.0

    def attempt(self, changed: dict[str, str | None], devices: list[int] | None = None) -> dict[str, Any]:
        """One try with some variables changed; None takes one away."""
        devices = list(range(self.place["ranks"])) if devices is None else devices
        environment = dict(self.surroundings(), **changed)
        if self.backend == "gloo" and environment.get("GLOO_SOCKET_IFNAME", "") is None:
            environment["GLOO_SOCKET_IFNAME"] = "lo"
        meeting = self.watch.memory_file("ring-store")
        try:
            whole = min(self.deadline, time.monotonic() + self.limits["whole"])
            ends = self.watch.Attempt(
                lambda number, tell: self.be_rank(number, devices, meeting, tell),
                range(len(devices)),
                environment,
                self.limits,
            ).run(whole)
        finally:
            os.close(meeting)
        found = self.verdict.judge(ends)
        found.update(self.place, ranks=len(devices))
        found.update(self.verdict.read_log(ends))
        found.update(measured=self.verdict.measured(ends), unsupported=self.verdict.unsupported(ends))
        found["edges"] = self.verdict.edges(ends)
        return dict(found)

    def surroundings(self) -> dict[str, str | None]:
        """What every try needs: NCCL's log in a file of ours, and for gloo, where the user names no interface, the
        loopback, so that nothing depends on what the name of this host means."""
        if self.backend == "nccl":
            loud = os.environ.get("NCCL_DEBUG", "").upper()
            level = loud if loud in ("INFO", "TRACE") else "INFO"
            # A choice of subsystems could leave out the lines that name the transports.
            return {"NCCL_DEBUG": level, "NCCL_DEBUG_FILE": "{log}", "NCCL_DEBUG_SUBSYS": None}
        return {} if os.environ.get("GLOO_SOCKET_IFNAME") else {"GLOO_SOCKET_IFNAME": "lo"}

    def be_rank(self, number: int, devices: list[int], meeting: int, tell: Any) -> None:
        """The work of one rank. They meet in a file without a name: no port, no network, no name to look up."""
        job = {
            "backend": self.backend,
            "rank": number,
            "world_size": len(devices),
            "device": devices[number] if self.backend == "nccl" else -1,
            "elements": self.options.get("elements", 16_384),
            "sizes": self.options.get("sizes", [1 << 20] if self.backend == "gloo" else [32 << 20]),
            "repeats": self.options.get("repeats", 3),
            "edges": self.options.get("edges", []),
            "edge_bytes": self.options.get("edge_bytes", 8 << 20 if self.backend == "gloo" else 64 << 20),
        }
        store = self.torch.distributed.FileStore("/proc/self/fd/%d" % meeting, len(devices))
        self.rank.Ring(self.torch, job, tell).run(store)

    def reason_for(self, first: dict[str, Any]) -> dict[str, Any]:
        """What makes the difference: a variable of the user's, or a transport."""
        found = self.variable_for() or self.transport_for(first)
        # What only happens now and then would make any change look like the remedy; wrong numbers are wrong even so.
        if first["outcome"] != "wrong_result" and self.left() and self.tried({}, "the same again") == "passed":
            found = {"intermittent": True}
        return dict(found, tries=self.tries)

    def tried(self, changed: dict[str, str | None], what: str) -> str:
        """One more try; its outcome."""
        outcome = str(self.attempt(changed)["outcome"])
        self.tries.append({"what": what, "outcome": outcome})
        return outcome

    def suspects(self) -> list[str]:
        """The user's own variables that this backend heeds."""
        prefix = "NCCL_" if self.backend == "nccl" else "GLOO_"
        return sorted(name for name in os.environ if name.startswith(prefix) and name not in HARMLESS)

    def variable_for(self) -> dict[str, Any]:
        """The variable without which it passes."""
        names = self.suspects()
        if not names or not self.left():
            return {}
        without: dict[str, str | None] = dict.fromkeys(names)
        if self.tried(without, "without " + ", ".join(names)) != "passed":
            return {}
        if len(names) == 1:
            return {"blamed_variables": names}
        for name in names[:SUSPECTS_LIMIT]:
            if self.left() and self.tried({name: None}, "without " + name) == "passed":
                return {"blamed_variables": [name]}
        return {"blamed_variables": names}

    def transport_for(self, first: dict[str, Any]) -> dict[str, Any]:
        """The transport without which it passes."""
        if self.backend != "nccl" or first["ranks"] < 2 or first["phase"] == "device":
            return {}
        for name in TRANSPORTS:
            variable = "NCCL_%s_DISABLE" % name
            if os.environ.get(variable) == "1" or not self.left():
                continue
            if self.tried({variable: "1"}, variable + "=1") == "passed":
                return {"blamed_transport": name}
        return {}
