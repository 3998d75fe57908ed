"""Step: the ring of a job that runs on several machines, after it was seen who reaches whom by which interface.

Every process of the job runs this step. They meet at rank 0's store (torchrun's own, where it holds the port), tell
who they are, knock at one another's doors, and then run the ring once as the job would. Whatever is wrong with the
network has shown itself before the ring could hang in it, and a failed ring is tried again with what should mend it.
"""

from __future__ import annotations

import os
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Emit = Callable[[dict[str, Any]], None]
    Load = Callable[[str], Any]
LIMITS = {
    "nccl": {"device": 20.0, "join": 15.0, "connect": 25.0, "other": 12.0, "whole": 45.0},
    "gloo": {"join": 12.0, "connect": 8.0, "other": 8.0, "whole": 25.0},
}
# Machines do not start a job in the same second.
JOIN_S = 30.0
KNOCK_S = 4.0
GRACE_S = 8.0
OTHER_HOSTS_GRACE_S = 1.5
LOG_TAIL = 4000


def run(torch: Any, options: dict[str, Any], emit: Emit, load: Load) -> None:
    """Meet, look, run the ring; every stage is told as soon as it is known."""
    dist = getattr(torch, "distributed", None)
    if dist is None or not dist.is_available():
        emit({"across": {"not_applicable": "this torch was built without torch.distributed"}})
        return
    job = Job(torch, options, lambda **found: emit(found), load)
    try:
        job.run()
    finally:
        job.leave()


class Job:
    """One process of the job, in charge of one rank."""

    def __init__(self, torch: Any, place: dict[str, Any], tell: Callable[..., None], load: Load) -> None:
        self.torch = torch
        self.load = load
        self.place = place
        self.tell = tell
        self.rank = int(place["rank"])
        self.world = int(place["world_size"])
        self.join_s = float(place.get("join_s", JOIN_S))
        self.network = load("ring_network.py")
        self.watch = load("ring_watch.py")
        self.board_kind = load("ring_board.py")
        self.plan = load("ring_plan.py")
        self.known = self.network.interfaces()
        self.doorman: Any = None
        self.board: Any = None
        self.members: list[dict[str, Any]] = []

    def run(self) -> None:
        """All stages; a stage that cannot be passed ends the run with its problem."""
        problem = self.meet()
        if problem is not None:
            self.tell(problem=problem)
            return
        self.members, missing = self.introduce()
        self.tell(members=self.members, missing=missing)
        if missing or not self.members:
            return
        reached = self.knock()
        self.tell(reach=reached)
        self.rings(reached)

    def meet(self) -> dict[str, Any] | None:
        """Come to rank 0's store, after a plain connection has shown that it can be reached; the problem, if any."""
        address, port = self.place["address"], int(self.place["port"])
        serve = self.rank == 0 and not self.place.get("agent_store")
        if serve:
            taken = self.network.check_port(port)
            if taken:
                return {"kind": "port_in_use", "errno": taken, "address": address, "port": port}
        else:
            found = self.network.reach(address, port, self.join_s)
            if "error" in found:
                sent_by = self.network.interface_with(found.get("from", ""), self.known)
                return dict(found, kind="rendezvous_unreachable", name=address, port=port, interface=sent_by)
            self.tell(rendezvous=found)
        store, why = self.board_kind.open_in_time(self.torch, self.place, serve)
        if store is None:
            return {"kind": "store_failed", "detail": why, "address": address, "port": port}
        prefix = "gpudoctor/%d" % int(self.place.get("attempt", 0))
        self.board = self.board_kind.Board(self.torch, store, prefix)
        return None

    def introduce(self) -> tuple[list[dict[str, Any]], list[int]]:
        """Tell who we are and hear who all the others are; also which never came."""
        self.doorman = self.network.Doorman(self.watch.die_with_parent)
        self.board.put("member/%d" % self.rank, self.card())
        if self.rank == 0:
            came = self.board.gather("member", range(self.world), self.join_s)
            missing = [number for number in range(self.world) if number not in came]
            self.board.put("members", {"members": [came[number] for number in sorted(came)], "missing": missing})
        found = self.board.wait("members", self.join_s + GRACE_S)
        if found is None:
            return [], [0]
        return found["members"], found["missing"]

    def card(self) -> dict[str, Any]:
        """Who we are: host, interfaces, what our ranks would announce, GPUs and versions."""
        counted = {"count": 0}
        torch = self.torch
        if getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None):
            counted = self.load("step_ring.py").count_gpus(torch)
        has_nccl = bool(torch.distributed.is_nccl_available())
        return {
            "rank": self.rank,
            "host": socket.gethostname(),
            "key": host_key(),
            "interfaces": [list(pair) for pair in self.known],
            "gloo": self.network.gloo_announces(self.known),
            "nccl": self.network.nccl_announces(self.known),
            "door": {"port": self.doorman.port, "token": self.doorman.token},
            "gpus": int(counted.get("count", 0)),
            "has_nccl": has_nccl,
            "torch": str(torch.__version__),
            "nccl_version": nccl_version(torch) if has_nccl else "",
        }

    def knock(self) -> list[dict[str, Any]]:
        """One rank of each host connects to one rank of each other host, at every address that it has."""
        leaders = self.plan.leaders(self.members)
        mine = next(member for member in self.members if member["rank"] == self.rank)
        if self.rank in [leader["rank"] for leader in leaders]:
            doors = self.plan.doors(mine, leaders)
            answers = self.network.try_all(doors, KNOCK_S)
            for door, answer in zip(doors, answers):
                door.update(answer, sent_by=self.network.interface_with(answer.get("from", ""), self.known))
                door.pop("token")
            self.board.put("reach/%d" % self.rank, doors)
        if self.rank == 0:
            numbers = [leader["rank"] for leader in leaders]
            found = self.board.gather("reach", numbers, KNOCK_S + GRACE_S)
            self.board.put("reach", [row for number in sorted(found) for row in found[number]])
        return self.board.wait("reach", KNOCK_S + 2 * GRACE_S) or []

    def rings(self, reached: list[dict[str, Any]]) -> None:
        """The ring as the job would run it and, where that fails, with what should mend it; rank 0 decides."""
        backend, reason = self.plan.backend(self.members)
        tries: list[dict[str, Any]] = []
        step: dict[str, Any] = {"number": 0, "what": "", "by_host": {}}
        first: dict[str, Any] = {}
        while True:
            verdict = self.attempt(backend, step)
            tries.append(dict(verdict, what=step["what"], by_host=step["by_host"]))
            first = first or verdict
            self.tell(ring=dict(first, backend=backend, backend_reason=reason, ranks=self.world), tries=tries)
            name = "next/%d" % step["number"]
            if self.rank == 0:
                self.board.put(name, self.plan.next_try(backend, self.members, reached, tries))
            following = self.board.wait(name, GRACE_S)
            if not following:
                return
            step = following

    def attempt(self, backend: str, step: dict[str, Any]) -> dict[str, Any]:
        """One try of the ring: our own rank is forked and followed, and all are judged together by rank 0."""
        name = "ring%d" % step["number"]
        limits = dict(LIMITS[backend], **self.place.get("limits", {}))
        environment: dict[str, str | None] = dict(step["by_host"].get(host_key(), {}))
        if backend == "nccl":
            environment.update({"NCCL_DEBUG": "INFO", "NCCL_DEBUG_FILE": "{log}", "NCCL_DEBUG_SUBSYS": None})
        over = {"since": 0.0}

        def broken_off(failed: bool) -> bool:
            if failed and not over.get("told"):
                over["told"] = self.board.count(name + "/failed", 1)
            if not over["since"] and self.board.count(name + "/failed"):
                over["since"] = time.monotonic()
            return bool(over["since"]) and time.monotonic() - over["since"] >= OTHER_HOSTS_GRACE_S

        def may_leave() -> bool:
            if not over.get("through"):
                over["through"] = self.board.count(name + "/through", 1)
            return bool(self.board.count(name + "/through") >= self.world)

        work = self.watch.Attempt(
            lambda number, tell: self.be_rank(backend, name, tell), [self.rank], environment, limits
        )
        ends = work.run(time.monotonic() + limits["whole"], broken_off, may_leave)
        for end in ends:
            end["log"] = end["log"][-LOG_TAIL:] if end["phase"] == "through" else end["log"][-10 * LOG_TAIL :]
        if self.board.count(name + "/failed") == 0 and ends[0]["phase"] != "through":
            self.board.count(name + "/failed", 1)
        self.board.put("%s/end/%d" % (name, self.rank), ends[0])
        if self.rank == 0:
            found = self.board.gather(name + "/end", range(self.world), limits["whole"] + GRACE_S)
            self.board.put(name + "/verdict", self.plan.verdict(self.load("ring_verdict.py"), self.members, found))
        verdict = self.board.wait(name + "/verdict", limits["whole"] + 2 * GRACE_S)
        return verdict or {"outcome": "timed_out", "phase": "verdict", "failed_ranks": [0], "error": "", "output": ""}

    def be_rank(self, backend: str, name: str, tell: Any) -> None:
        """The rank's own work, with a connection to the store of its own."""
        mine = next(member for member in self.members if member["rank"] == self.rank)
        local = int(self.place.get("local_rank", 0))
        store = self.board_kind.open_store(self.torch, self.place, False)
        store = self.torch.distributed.PrefixStore("gpudoctor/%d/%s" % (int(self.place.get("attempt", 0)), name), store)
        job = {
            "backend": backend,
            "rank": self.rank,
            "world_size": self.world,
            "device": (local if local < mine["gpus"] else 0) if backend == "nccl" else -1,
            "elements": 16_384,
            "sizes": [32 << 20] if backend == "nccl" else [4 << 20],
            "repeats": 5 if backend == "nccl" else 3,
        }
        self.load("ring_rank.py").Ring(self.torch, job, tell).run(store)

    def leave(self) -> None:
        """Go; rank 0, who holds the store, goes last."""
        if self.doorman is not None:
            self.doorman.dismiss()
        if self.board is None:
            return
        try:
            self.board.count("left", 1)
            until = time.monotonic() + (GRACE_S if self.rank == 0 else 0.0)
            while time.monotonic() < until and self.board.count("left") < len(self.members):
                time.sleep(0.05)
        except Exception:
            pass  # the store is gone, and with it the reason to wait


def host_key() -> str:
    """What tells one host, or network namespace, from another."""
    parts = [socket.gethostname()]
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/net"))
    except OSError:
        pass
    return "|".join(parts)


def nccl_version(torch: Any) -> str:
    """NCCL's version as text."""
    try:
        found = torch.cuda.nccl.version()
        return ".".join(str(part) for part in found) if isinstance(found, tuple) else str(found)
    except Exception:
        return ""
