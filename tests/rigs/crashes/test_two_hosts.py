"""Two ranks on two hosts (network namespaces) whose network is wrong in the ways that occur."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from command import environment
from crashes import SOURCES, Crash, lacking, needed, shell_status

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

JOBS = str(SOURCES / "jobs.py")
NAMES = ("a", "b")
PORT = 29611
LONGEST = 60.0


@dataclass(frozen=True)
class TwoHosts:
    """Namespaces `gd<pid>a` and `gd<pid>b`, joined by a pair of interfaces."""

    python: str
    folder: Path

    def name(self, end: str) -> str:
        return f"gd{os.getpid()}{end}"

    def interface(self, end: str) -> str:
        return f"v{os.getpid()}{end}"

    def address(self, end: str) -> str:
        return f"10.231.7.{1 + NAMES.index(end)}"

    def within(self, end: str, *argv: str) -> list[str]:
        return ["ip", "netns", "exec", self.name(end), *argv]

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
                env = {"MASTER_ADDR": self.address("a"), "MASTER_PORT": str(PORT), "OMP_NUM_THREADS": "1"}
                env |= {"RANK": str(rank), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": chosen[rank] or None}
                job = (
                    f"hostname node{end} && exec timeout -k 1 40 {self.python} {JOBS} train {way} {failing} {seconds:g}"
                )
                argv = self.within(end, "unshare", "--uts", "sh", "-c", job)
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


def ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode != 0:
        lacking(f"`ip {' '.join(words)}` fails here: {done.stderr.strip()}")


@pytest.fixture
def hosts(torch_python: str, tmp_path: Path) -> Iterator[TwoHosts]:
    """Two hosts in working order."""
    needed("ip", "unshare", "timeout")
    if os.geteuid() != 0:
        lacking("this rig needs root")
    two = TwoHosts(torch_python, tmp_path)
    try:
        for end in NAMES:
            ip("netns", "add", two.name(end))
        ip("link", "add", two.interface("a"), "type", "veth", "peer", "name", two.interface("b"))
        for end in NAMES:
            ip("link", "set", two.interface(end), "netns", two.name(end))
            ip("-n", two.name(end), "addr", "add", f"{two.address(end)}/24", "dev", two.interface(end))
            ip("-n", two.name(end), "link", "set", two.interface(end), "up")
            ip("-n", two.name(end), "link", "set", "lo", "up")
        yield two
    finally:
        for end in NAMES:
            ip("netns", "delete", two.name(end), check=False)
        ip("link", "delete", two.interface("a"), check=False)


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
    iptables = needed("iptables")[0]
    rule = ["-A", "INPUT", "-i", hosts.interface("a"), "-p", "tcp", "--dport", str(PORT), "-j", "DROP"]
    done = subprocess.run(hosts.within("a", iptables, *rule), capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        lacking(f"iptables cannot drop packets here: {done.stderr.strip()}")
    _first, second = hosts.train()
    assert second.status != 0
    second.is_explained_by("nccl.socket_interface.rendezvous_unreachable", at_least="likely")
