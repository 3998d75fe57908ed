"""A real Slurm of two nodes on this machine: munge, MariaDB, slurmdbd, slurmctld and two slurmd, all in one folder.

Debian's slurmd can be started several times under different names. Everything listens on loopback or on sockets in
the folder, and is ended by its process number.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from crashes import lacking, needed
from engines import end, remove_groups, scratch

START_SECONDS = 60.0
LONGEST = 90.0
GROUPS = Path("/sys/fs/cgroup")
SACCT = "JobID%20,JobName,Partition,AllocCPUS,State%30,ExitCode,DerivedExitCode,MaxRSS,Elapsed"
DAEMONS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")


@dataclass(frozen=True)
class Job:
    """A job that was submitted; its log is what its script and Slurm wrote."""

    number: str
    log: Path


@dataclass
class Cluster:
    """The running daemons, and the client's commands."""

    folder: Path
    nodes: tuple[str, str]
    ports: Sequence[int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def env(self) -> Mapping[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))},
            "SLURM_CONF": f"{self.folder}/slurm.conf",
            "MYSQL_UNIX_PORT": f"{self.folder}/db/socket",
            "TZ": "UTC",
        }

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One call of a client's command; not checked."""
        argv = [needed(words[0])[0], *words[1:]]
        return subprocess.run(
            argv, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST, check=False
        )

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a daemon in the foreground of a session of its own."""
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            self.processes[name] = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env=self.env
            )

    def wait_for(self, what: str, holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until it holds; the rig is lacking when a daemon has ended or the time is over."""
        limit = time.monotonic() + seconds
        while not holds():
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > limit:
                logs = [(self.folder / f"{name}.log").read_text(errors="replace")[-600:] for name in self.processes]
                lacking(f"Slurm does not start here, {what}: {ended}: {logs}")
            time.sleep(0.1)

    def submit(self, script: str, *options: str, node: int = 0) -> Job:
        """Hand in a batch script."""
        log = self.folder / f"job-{time.monotonic_ns()}.out"
        path = log.with_suffix(".sh")
        path.write_text(f"#!/bin/bash\n{script}\n")
        done = self.call("sbatch", "--parsable", "-o", str(log), "-w", self.nodes[node], *options, str(path))
        assert done.returncode == 0, done.stderr
        return Job(done.stdout.strip().partition(";")[0], log)

    def lose(self, node: int) -> None:
        """Kill the daemon of a node: to the controller the node is gone."""
        process = self.processes.pop(self.nodes[node])
        process.kill()
        process.wait()

    def state(self, job: Job) -> str:
        """The job's state, as `scontrol show job` has it."""
        found = re.search(r"JobState=(\S+)", self.call("scontrol", "show", "job", job.number).stdout)
        return found[1] if found else ""

    def end_of(self, job: Job, seconds: float = LONGEST) -> None:
        """Wait until the job has ended and the accounting knows."""
        limit = time.monotonic() + seconds
        under_way = ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "")
        while self.state(job) in under_way or not self._is_accounted(job):
            assert time.monotonic() < limit, f"job {job.number}: {self.state(job)}; {self._sacct(job)}"
            time.sleep(0.2)

    def sacct(self, job: Job, into: Path) -> Path:
        """The accounting's table, as a file."""
        path = into / "sacct.txt"
        path.write_text(self._sacct(job), encoding="utf-8")
        return path

    def scontrol(self, job: Job, into: Path) -> Path:
        """What the controller remembers, as a file."""
        path = into / "scontrol.txt"
        path.write_text(self.call("scontrol", "show", "job", job.number).stdout, encoding="utf-8")
        return path

    def _sacct(self, job: Job) -> str:
        return self.call("sacct", "-j", job.number, "-o", SACCT).stdout

    def _is_accounted(self, job: Job) -> bool:
        lines = self._sacct(job).splitlines()[2:]
        return bool(lines) and not any(" RUNNING " in line or " PENDING " in line for line in lines)


def free_ports(count: int) -> list[int]:
    """Numbers of ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def slurm() -> Iterator[Cluster]:
    """The cluster, with both nodes idle."""
    if os.geteuid() != 0:
        lacking("this rig needs root")
    needed(*DAEMONS)
    with scratch() as folder, ExitStack() as stack:
        folder.chmod(0o755)
        names = (f"gd{os.getpid()}a", f"gd{os.getpid()}b")
        cluster = Cluster(folder, names, free_ports(4))
        stack.callback(_take_down, cluster)
        _configure(cluster)
        _start_stores(cluster)
        _start_slurm(cluster)
        yield cluster


def _configure(cluster: Cluster) -> None:
    folder, (control, accounting, first, second) = cluster.folder, cluster.ports
    munge = f"{folder}/munge/socket"
    version = "cgroup/v1" if (GROUPS / "memory").is_dir() else "autodetect"
    files = {
        "slurm.conf": f"""\
ClusterName=gpudoctor
SlurmctldHost={socket.gethostname().partition(".")[0]}(127.0.0.1)
SlurmctldPort={control}
SlurmUser=root
AuthInfo=socket={munge}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
SlurmdParameters=config_overrides
DefMemPerCPU=64
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=0
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting}
AccountingStoragePass={munge}
MpiDefault=none
ReturnToService=1
SlurmdTimeout=3
KillWait=2
UnkillableStepTimeout=10
NodeName={cluster.nodes[0]} NodeHostname=localhost NodeAddr=127.0.0.1 Port={first} CPUs=16 RealMemory=2000
NodeName={cluster.nodes[1]} NodeHostname=localhost NodeAddr=127.0.0.1 Port={second} CPUs=16 RealMemory=2000
PartitionName=gpu Nodes=ALL Default=YES MaxTime=10 State=UP
""",
        "cgroup.conf": f"CgroupPlugin={version}\nConstrainRAMSpace=yes\nConstrainSwapSpace=no\n",
        "slurmdbd.conf": f"""\
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
PidFile={folder}/slurmdbd.pid
""",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600 if name == "slurmdbd.conf" else 0o644)
    (folder / "state").mkdir()
    for node in cluster.nodes:
        (folder / f"spool-{node}").mkdir()


def _start_stores(cluster: Cluster) -> None:
    """munge, which vouches for who asks, and the data base of the accounting."""
    folder = cluster.folder
    munged, mariadbd, install, setpriv = needed("munged", "mariadbd", "mariadb-install-db", "setpriv")
    own = folder / "munge"
    own.mkdir(mode=0o755)
    (own / "key").write_bytes(os.urandom(128))
    (own / "key").chmod(0o400)
    subprocess.run([needed("chown")[0], "-R", "munge:munge", str(own)], check=True, timeout=20)
    words = [f"--key-file={own}/key", f"--socket={own}/socket", f"--pid-file={own}/pid", f"--seed-file={own}/seed"]
    as_munge = [setpriv, "--reuid=munge", "--regid=munge", "--clear-groups"]
    cluster.start("munged", [*as_munge, munged, "-F", *words, f"--log-file={own}/log"])
    data = folder / "db"
    made = [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--user=mysql"]
    subprocess.run([*made, "--skip-test-db"], check=True, timeout=LONGEST, capture_output=True)
    base = ["--no-defaults", f"--datadir={data}", f"--socket={folder}/db/socket", "--skip-networking", "--user=mysql"]
    small = ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", f"--pid-file={data}/pid"]
    cluster.start("mariadbd", [mariadbd, *base, *small])
    sockets = (own / "socket", folder / "db" / "socket")
    cluster.wait_for("no sockets of munge and MariaDB", lambda: all(path.exists() for path in sockets))


def _start_slurm(cluster: Cluster) -> None:
    slurmdbd, slurmctld, slurmd = needed("slurmdbd", "slurmctld", "slurmd")
    cluster.start("slurmdbd", [slurmdbd, "-D"])
    cluster.wait_for("no accounting", lambda: cluster.call("sacctmgr", "-n", "show", "cluster").returncode == 0)
    cluster.call("sacctmgr", "-i", "add", "cluster", "gpudoctor")
    cluster.start("slurmctld", [slurmctld, "-D"])
    for node in cluster.nodes:
        cluster.start(node, [slurmd, "-D", "-N", node])
    idle = lambda: cluster.call("sinfo", "-h", "-N", "-t", "idle").stdout.count("gpu") == 2  # noqa: E731
    cluster.wait_for("the nodes are not idle", idle)


def _take_down(cluster: Cluster) -> None:
    cluster.call("scancel", "--user=root", "--signal=KILL")
    for process in reversed(cluster.processes.values()):
        if process.poll() is None:
            end(process)
    for node in cluster.nodes:
        # The job of a lost node goes on under its step daemon, which nobody but us can end.
        for listed in GROUPS.glob(f"*/slurm_{node}/**/cgroup.procs"):
            for number in listed.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)
        time.sleep(0.2)
        remove_groups(f"slurm_{node}")
        remove_groups(f"{node}_slurmstepd.scope")
