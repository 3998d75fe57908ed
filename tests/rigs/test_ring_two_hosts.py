"""`gpudoctor ring` on two hosts (network namespaces): it passes as it should, and every fault is named in time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command import MARK, environment, left_running
from crashes import needed
from two_hosts import NAMES, PORT, Networks, ip, two_networks

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

FAULTS = Path(__file__).resolve().parents[1] / "support" / "ring_faults"
LONGEST = 90.0
KEY = "probe.ring_across."


@dataclass(frozen=True)
class Answer:
    """What one command printed, and how it ended."""

    status: int
    out: str
    errors: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        start = self.out.find("{")
        assert start >= 0, f"exit {self.status}: {self.out[-2000:]}{self.errors[-3000:]}"
        found: dict[str, Any] = json.JSONDecoder().raw_decode(self.out[start:])[0]
        return found

    def value(self, key: str) -> Any:
        fact = self.document["facts"][KEY + key]
        assert "value" in fact, f"{key}: {fact}"
        return fact["value"]

    @property
    def causes(self) -> list[str]:
        return [one["cause"] for one in self.document["findings"] if one["kind"] == "fail"]

    @property
    def told(self) -> str:
        return "\n".join(one["message"] for one in self.document["findings"] if one["kind"] == "fail")


@pytest.fixture
def hosts() -> Iterator[Networks]:
    """Two hosts in working order."""
    with two_networks() as two:
        yield two


def start(commands: Sequence[Sequence[str]], env: Mapping[str, str | None]) -> list[Answer]:
    """Run these together to their ends; afterwards nothing of theirs may still run."""
    mark = uuid.uuid4().hex
    began = time.monotonic()
    with ExitStack() as stack:
        running = []
        for argv in commands:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            settings = {**environment({"GLOO_SOCKET_IFNAME": None, "OMP_NUM_THREADS": "1", **env}), MARK: mark}
            running.append(stack.enter_context(subprocess.Popen(argv, text=True, env=settings, **pipes)))
        answers = []
        for process in running:
            try:
                out, errors = process.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()
                out, errors = process.communicate()
            answers.append(Answer(process.returncode, out, errors, time.monotonic() - began))
    assert left_running(mark) == []
    return answers


def ring(hosts: Networks, options: str = "", variables: Sequence[str] = ("", ""), **env: str | None) -> list[Answer]:
    """`gpudoctor ring` by hand on both hosts; `variables` go before the command, on each host its own."""
    commands = []
    for rank, end in enumerate(NAMES):
        line = (
            f"env {variables[rank]} {sys.executable} -m gpudoctor ring --json --no-redact --rank {rank} "
            f"--world-size 2 --master-addr {hosts.address('a')} --master-port {PORT} --join-timeout 15 {options}"
        )
        commands.append(hosts.on(end, line))
    return start(commands, env)


def named(hosts: Networks, variable: str = "GLOO_SOCKET_IFNAME") -> list[str]:
    """The right interface for each host."""
    return [f"{variable}={hosts.interface(end)}" for end in NAMES]


def passed(answer: Answer) -> None:
    assert answer.status == 0, answer.out[-3000:] + answer.errors[-3000:]
    assert answer.document["summary"]["verdict"] == "healthy"
    assert (answer.value("outcome"), answer.value("backend")) == ("passed", "gloo")
    assert answer.value("host_names") == ["nodea", "nodeb"]
    assert answer.value("bus_bandwidth_bytes_per_second") > 1e6


def test_it_passes_by_hand(hosts: Networks) -> None:
    first, second = ring(hosts, variables=named(hosts))
    passed(first)
    assert (second.status, second.out) == (0, "")


def test_it_passes_under_torchrun(hosts: Networks) -> None:
    """torchrun's agent holds the master's port with a store of its own, which the ranks must share."""
    commands = []
    for rank, end in enumerate(NAMES):
        line = (
            f"env GLOO_SOCKET_IFNAME={hosts.interface(end)} {sys.executable} -m torch.distributed.run --nnodes=2 "
            f"--node-rank={rank} --nproc-per-node=1 --master-addr={hosts.address('a')} --master-port={PORT} "
            "-m gpudoctor ring --json --no-redact"
        )
        commands.append(hosts.on(end, line))
    first, second = start(commands, {})
    passed(first)
    assert second.status == 0, second.errors[-3000:]


def test_it_passes_under_mpirun(hosts: Networks) -> None:
    mpirun = needed("mpirun")[0]
    argv = [mpirun, "--allow-run-as-root", "--oversubscribe", "-x", "MASTER_ADDR", "-x", "MASTER_PORT"]
    for end in NAMES:
        line = f"env GLOO_SOCKET_IFNAME={hosts.interface(end)} {sys.executable} -m gpudoctor ring --json --no-redact"
        argv += ["-np", "1", *hosts.on(end, line), ":"]
    (answer,) = start([argv[:-1]], {"MASTER_ADDR": hosts.address("a"), "MASTER_PORT": str(PORT)})
    passed(answer)


def test_a_host_name_that_means_loopback(hosts: Networks) -> None:
    """Both hosts' names resolve to nothing here, so that gloo falls back to 127.0.0.1."""
    first, second = ring(hosts)
    assert (first.status, second.status) == (1, 1)
    assert first.value("fault") == "loopback_announced", first.out
    assert first.causes[0] == "nccl.socket_interface.gloo_loopback"
    assert "nodea 127.0.0.1 (lo, by host name)" in first.told
    wanted = [f"GLOO_SOCKET_IFNAME={hosts.interface(end)} on node{end}" for end in NAMES]
    assert first.value("works_with") == wanted


def test_an_interface_that_does_not_exist(hosts: Networks) -> None:
    first, _second = ring(hosts, variables=[named(hosts)[0], "GLOO_SOCKET_IFNAME=eth9"])
    assert first.status == 1
    assert (first.value("fault"), first.causes[0]) == ("interface_missing", "nccl.socket_interface")
    assert "nodeb none: GLOO_SOCKET_IFNAME names eth9" in first.told


@pytest.fixture
def other_interface(hosts: Networks) -> str:
    """nodea has a second interface, of a network that nodeb knows nothing of, as docker's bridge is. gloo lets the
    lower of two addresses be called, so this one is lower than all others."""
    ip("-n", hosts.name("a"), "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    ip("-n", hosts.name("a"), "addr", "add", "10.1.88.1/24", "dev", "other0")
    ip("-n", hosts.name("a"), "link", "set", "other0", "up")
    return "other0"


def test_an_interface_that_leads_elsewhere(hosts: Networks, other_interface: str) -> None:
    first, _second = ring(hosts, variables=[f"GLOO_SOCKET_IFNAME={other_interface}", named(hosts)[1]])
    assert first.status == 1
    assert (first.value("fault"), first.causes[0]) == ("interface_unreachable", "nccl.socket_interface")
    assert "nodeb to nodea at 10.1.88.1 (other0)" in first.told
    assert f"GLOO_SOCKET_IFNAME={hosts.interface('a')} on nodea" in first.value("works_with")


def test_ports_that_are_dropped_beside_the_rendezvous(hosts: Networks) -> None:
    hosts.drop("a", "-p", "tcp", "--syn", "!", "--dport", str(PORT))
    first, second = ring(hosts, variables=named(hosts))
    assert (first.status, second.status) == (1, 1)
    assert (first.value("fault"), first.causes[0]) == ("ports_blocked", "nccl.socket_interface.ports_blocked")
    (row,) = first.value("unreachable")
    assert f"nodeb to nodea at {hosts.address('a')} ({hosts.interface('a')})" in row
    assert f"packets are dropped on the way, sent from {hosts.address('b')} by {hosts.interface('b')}" in row


def test_a_rendezvous_port_that_is_dropped(hosts: Networks) -> None:
    hosts.drop("a", "-p", "tcp", "--dport", str(PORT))
    first, second = ring(hosts, "--join-timeout 8")
    assert (first.status, second.status) == (1, 1)
    assert second.causes == ["nccl.socket_interface.rendezvous_unreachable"]
    assert f"rank 1 does not reach rank 0 at {hosts.address('a')} port {PORT}: no answer" in second.told
    assert f"sent from {hosts.address('b')} by {hosts.interface('b')}" in second.told
    assert first.causes == ["dist.ranks_missing"]
    assert "rank 1 never came" in first.told


def test_a_port_that_somebody_else_holds(hosts: Networks) -> None:
    holder = subprocess.Popen(
        hosts.within(
            "a",
            sys.executable,
            "-c",
            f"import socket, time; s = socket.socket(); s.bind(('', {PORT})); s.listen(); time.sleep(300)",
        )
    )
    try:
        time.sleep(1.0)
        first, second = ring(hosts, "--join-timeout 4")
    finally:
        holder.kill()
        holder.wait()
    assert (first.status, first.causes) == (1, ["dist.port_in_use"])
    assert second.status == 1
    assert "does not answer as a store of torch does" in second.told


@pytest.mark.parametrize(
    ("fault", "kind", "phase", "cause", "words"),
    [
        ("killed 1 all_gather", "rank_ended", "all_gather", "nccl.ring_fails", "ended by SIGKILL in all_gather"),
        ("raises 1 all_gather", "error", "all_gather", "nccl.ring_fails", "ValueError: planted error of rank 1"),
        ("hangs 1 all_gather", "hang", "all_gather", "nccl.timeout_hang", "did not come back from all_gather"),
        ("nan 1 all_gather", "wrong_result", "all_gather", "nccl.wrong_result", "is nan and must be"),
    ],
)
def test_a_rank_on_the_other_host(hosts: Networks, fault: str, kind: str, phase: str, cause: str, words: str) -> None:
    first, second = ring(hosts, variables=named(hosts), RING_FAULT=fault, PYTHONPATH=str(FAULTS))
    assert (first.status, second.status) == (1, 1), first.out[-2000:] + first.errors[-2000:]
    assert (first.value("fault"), first.value("phase")) == (kind, phase)
    assert (first.value("failed_ranks"), first.value("failed_host_names")) == ([1], ["nodeb"])
    assert first.causes[0] == cause
    assert "rank 1 on nodeb" in first.told
    assert words in first.told


def test_the_text_of_rank_0_is_all_there_is(hosts: Networks) -> None:
    commands = [
        hosts.on(
            end,
            f"env GLOO_SOCKET_IFNAME={hosts.interface(end)} RANK={rank} WORLD_SIZE=2 MASTER_ADDR={hosts.address('a')} "
            f"MASTER_PORT={PORT} {sys.executable} -m gpudoctor ring",
        )
        for rank, end in enumerate(NAMES)
    ]
    first, second = start(commands, {})
    assert "The ring of 2 ranks on nodea, nodeb over gloo" in first.out
    assert " passed: every rank came through with the right numbers" in first.out
    assert (second.out, second.errors) == ("", "")
