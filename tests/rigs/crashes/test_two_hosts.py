"""Two ranks on two hosts (network namespaces) whose network is wrong in the ways that occur."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from command import environment
from crashes import SOURCES, Crash, shell_status
from two_hosts import NAMES, PORT, Networks, two_networks

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

JOBS = str(SOURCES / "jobs.py")
LONGEST = 60.0


@dataclass(frozen=True)
class TwoHosts:
    """Two hosts, and the job that runs on them."""

    networks: Networks
    python: str
    folder: Path

    def interface(self, end: str) -> str:
        return self.networks.interface(end)

    def train(
        self, way: str = "none", failing: int = 9, interfaces: tuple[str, str] | None = None, seconds: float = 4
    ) -> list[Crash]:
        """Run rank 0 on the first and rank 1 on the second host. The first may wait for the second for ever: some time
        after the end of the second, it is told to end."""
        chosen = interfaces or (self.interface("a"), self.interface("b"))
        with ExitStack() as stack:
            started = []
            for rank, end in enumerate(NAMES):
                log = self.folder / f"node-{end}.log"
                env = {"MASTER_ADDR": self.networks.address("a"), "MASTER_PORT": str(PORT), "OMP_NUM_THREADS": "1"}
                env |= {"RANK": str(rank), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": chosen[rank] or None}
                job = f"timeout -k 1 40 {self.python} {JOBS} train {way} {failing} {seconds:g}"
                argv = self.networks.on(end, job)
                how = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "env": environment(env)}
                out = stack.enter_context(log.open("wb"))
                started.append((subprocess.Popen(argv, stdout=out, **how), log))
            (first, first_log), (second, second_log) = started
            second_status = second.wait(LONGEST)
            try:
                first_status = first.wait(2 * seconds)
            except subprocess.TimeoutExpired:
                first.terminate()
                first_status = first.wait(LONGEST)
            return [Crash(shell_status(first_status), first_log), Crash(shell_status(second_status), second_log)]


@pytest.fixture
def hosts(torch_python: str, tmp_path: Path) -> Iterator[TwoHosts]:
    """Two hosts in working order."""
    with two_networks() as networks:
        yield TwoHosts(networks, torch_python, tmp_path)


def test_two_healthy_hosts_train(hosts: TwoHosts) -> None:
    for ended in hosts.train():
        assert ended.status == 0, ended.text


def test_an_interface_that_does_not_exist(hosts: TwoHosts) -> None:
    _first, second = hosts.train(interfaces=(hosts.interface("a"), "eth9"))
    assert second.status != 0
    assert "eth9" in second.text
    answer = second.is_explained_by("nccl.socket_interface", at_least="likely")
    assert "eth9" in answer.quoted


def test_a_host_name_that_means_loopback(hosts: TwoHosts) -> None:
    """Without GLOO_SOCKET_IFNAME gloo announces what the host name resolves to, or loopback where it does not."""
    first, second = hosts.train(interfaces=("", ""))
    assert first.status != 0
    assert second.status != 0
    seen = [ended for ended in (first, second) if "127.0." in ended.text]
    if not seen:
        pytest.skip("names of hosts resolve to something else than loopback here")
    seen[-1].is_explained_by("nccl.socket_interface", at_least="likely", more=[first.log])


def test_a_rank_on_the_other_host_is_killed(hosts: TwoHosts) -> None:
    first, second = hosts.train("killed", failing=1)
    assert second.status == 137
    assert first.status == 1
    first.is_explained_by("nccl.peer_died")


def test_a_rank_on_the_other_host_hangs(hosts: TwoHosts) -> None:
    first, _second = hosts.train("hangs", failing=1)
    assert first.status == 1
    first.is_explained_by("nccl.timeout_hang")


def test_a_port_that_is_dropped_on_the_way(hosts: TwoHosts) -> None:
    hosts.networks.drop("a", "-p", "tcp", "--dport", str(PORT))
    _first, second = hosts.train()
    assert second.status != 0
    second.is_explained_by("nccl.socket_interface.rendezvous_unreachable", at_least="likely")
