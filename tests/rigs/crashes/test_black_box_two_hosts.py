"""A job of two hosts, each with a torchrun under a `run` of its own: both reports tell what that host could know."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command import COMMAND, environment, validator
from crashes import SOURCES
from two_hosts import NAMES, PORT, Networks, two_networks

pytestmark = [pytest.mark.rig, pytest.mark.torch, pytest.mark.slow]

JOBS = str(SOURCES / "jobs.py")
LONGEST = 120.0


@dataclass(frozen=True)
class Told:
    """What one host's run left: its status as a shell shows it, what was said, and its report."""

    status: int
    said: str
    report: dict[str, Any]

    def says(self, cause: str, *quoted: str, sure: str = "possible") -> None:
        first = self.report["explanations"][0]["explanations"][0]
        shown = [(one["cause"], one["likelihood"]) for one in self.report["explanations"][0]["explanations"][:4]]
        assert first["cause"] == cause or first["cause"].startswith(cause + "."), (shown, self.said[-3000:])
        assert first["likelihood"] == sure, shown
        assert f"[{first['cause']}, {sure}]" in self.said
        evidence = json.dumps(first["evidence"])
        for text in quoted:
            assert text in evidence, evidence


@dataclass(frozen=True)
class TwoHosts:
    """Two hosts, and the job that runs on them."""

    networks: Networks
    python: str
    folder: Path

    def train(
        self, way: str = "none", failing: int = 9, interfaces: tuple[str, ...] = (), seconds: float = 4
    ) -> list[Told]:
        """One rank on each host. A host that may wait for the other for ever is told to end some time after it."""
        chosen = interfaces or tuple(self.networks.interface(end) for end in NAMES)
        started = []
        for rank, end in enumerate(NAMES):
            reports = self.folder / end
            reports.mkdir()
            torchrun = f"{self.python} -m torch.distributed.run --nnodes=2 --node-rank={rank} --nproc-per-node=1"
            torchrun += f" --master-addr={self.networks.address('a')} --master-port={PORT} --rdzv-conf=timeout=10"
            line = f"timeout -k 5 90 {COMMAND} run --report-dir {reports} -- {torchrun} {JOBS} train"
            env = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": chosen[rank] or None, "TORCHELASTIC_ERROR_FILE": None}
            log = (reports / "log").open("wb")
            words = self.networks.on(end, f"{line} {way} {failing} {seconds:g}")
            how = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "env": environment(env)}
            started.append(subprocess.Popen(words, stdout=log, **how))
            log.close()
        first, second = started
        try:
            second.wait(LONGEST)
            try:
                first.wait(8 * seconds)
            except subprocess.TimeoutExpired:
                first.terminate()
                first.wait(LONGEST)
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return [self._told(process.returncode, end) for process, end in zip(started, NAMES)]

    def _told(self, returncode: int, end: str) -> Told:
        paths = list((self.folder / end).glob("gpudoctor-crash-*.json"))
        assert len(paths) == (returncode != 0), paths
        report = json.loads(paths[0].read_text(encoding="utf-8")) if paths else {}
        if report:
            validator().validate(report)
        return Told(returncode, (self.folder / end / "log").read_text(errors="replace"), report)


@pytest.fixture
def hosts(torch_python: str, tmp_path: Path) -> Iterator[TwoHosts]:
    """Two hosts in working order."""
    with two_networks() as networks:
        yield TwoHosts(networks, torch_python, tmp_path)


def test_two_healthy_hosts_train(hosts: TwoHosts) -> None:
    for told in hosts.train():
        assert told.status == 0, told.said
        assert "gpudoctor" not in told.said


def test_an_interface_that_does_not_exist(hosts: TwoHosts) -> None:
    _first, second = hosts.train(interfaces=(hosts.networks.interface("a"), "eth9"))
    second.says("nccl.socket_interface", "eth9", sure="confirmed")


def test_a_host_name_that_means_loopback(hosts: TwoHosts) -> None:
    told = [one for one in hosts.train(interfaces=("", "")) if "127.0." in one.said]
    if not told:
        pytest.skip("names of hosts resolve to something else than loopback here")
    told[-1].says("nccl.socket_interface", sure="likely")


def test_a_rank_on_the_other_host_is_killed(hosts: TwoHosts) -> None:
    first, second = hosts.train("killed", failing=1)
    first.says("nccl.peer_died")
    second.says("memory.host_oom_kill", "exitcode: -9")
    assert "nccl.peer_died" not in second.said


def test_a_rank_on_the_other_host_hangs(hosts: TwoHosts) -> None:
    first, _second = hosts.train("hangs", failing=1)
    first.says("nccl.timeout_hang", "Timed out waiting 4000ms")


def test_a_port_that_is_dropped_on_the_way(hosts: TwoHosts) -> None:
    hosts.networks.drop("a", "-p", "tcp", "--dport", str(PORT))
    _first, second = hosts.train()
    assert second.status != 0
    second.says("nccl.socket_interface.rendezvous_unreachable", sure="likely")
