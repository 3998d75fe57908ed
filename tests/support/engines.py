"""Real container engines, started by hand and taken down again: dockerd and podman, each with folders of its own.

Their one image is almost empty. It runs static programs and busybox; with this machine's own /usr and Python mounted
into it, it also runs the installed command. Nothing is ever pulled.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpudoctor
from crashes import Crash, lacking, needed, shell_status

IMAGE = "gpudoctor-test:1"
# An engine without CAP_SYS_RESOURCE cannot raise its own limits for its containers.
ALWAYS = ("--network", "none", "--ulimit", "nofile=1024:1024")
START_SECONDS = 30.0
LONGEST = 60.0
BUSYBOX = ("sh", "sleep", "true", "cat", "id")
FOLDERS = ("proc", "sys", "dev", "etc", "tmp", "run", "usr", "usr/bin", "usr/lib", "usr/lib64", "sbin", "job")
# No link for sbin: engines put their init there, and /usr is mounted over.
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"}


@dataclass(frozen=True)
class Ended:
    """How a container ended: what the client said, and what `inspect` answers afterwards."""

    crash: Crash
    inspected: Path
    stdout: str

    @property
    def status(self) -> int:
        return self.crash.status

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.container["State"])

    @property
    def container(self) -> dict[str, Any]:
        return dict(json.loads(self.inspected.read_text(encoding="utf-8"))[0])


@dataclass(frozen=True)
class Engine:
    """A running engine. `client` is the command line up to the subcommand."""

    name: str
    client: tuple[str, ...]
    options: tuple[str, ...]

    def call(self, *words: str, timeout: float = LONGEST) -> subprocess.CompletedProcess[str]:
        """One call of the client; not checked."""
        argv = [*self.client, *words]
        return subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)

    def run(self, folder: Path, options: Sequence[str], *command: str, image: str = IMAGE) -> Ended:
        """Run a container in the foreground, to its end."""
        name = self._fresh(folder)
        done = self.call("run", "--name", name, *self.options, *options, image, *command)
        return self._ended(folder, name, done.returncode, done.stderr + done.stdout, done.stdout)

    def stop(self, folder: Path, options: Sequence[str], how: Sequence[str], *command: str) -> Ended:
        """Start a container in the background and end it with `stop` or `kill`."""
        name = self._fresh(folder)
        started = self.call("run", "--detach", "--name", name, *self.options, *options, IMAGE, *command)
        assert started.returncode == 0, started.stderr
        self.call(*how, name)
        status = int(self.call("wait", name).stdout or -1)
        return self._ended(folder, name, status, self.call("logs", name).stdout, "")

    def events(self, folder: Path, since: float) -> Path:
        """What the engine did since then, as `events` prints it."""
        until = f"{time.time() + 0.1:.3f}"
        time.sleep(0.2)
        log = folder / "events.txt"
        log.write_text(self.call("events", "--since", f"{since:.3f}", "--until", until).stdout, encoding="utf-8")
        return log

    def _fresh(self, folder: Path) -> str:
        return f"job-{abs(hash((str(folder), time.monotonic_ns()))):x}"

    def _ended(self, folder: Path, name: str, status: int, said: str, stdout: str) -> Ended:
        log, inspected = folder / "job.log", folder / "inspect.json"
        log.write_text(said, encoding="utf-8")
        inspected.write_text(self.call("inspect", "--type", "container", name).stdout, encoding="utf-8")
        self.call("rm", "--force", "--volumes", name)
        return Ended(Crash(shell_status(status), log), inspected, stdout)


def host_mounts() -> tuple[str, ...]:
    """What a container needs of this machine to run the installed command; all of it read-only."""
    places = {"/usr", sys.prefix, sys.base_prefix, str(Path(gpudoctor.__file__).resolve().parents[1])}
    places |= {path for path in sys.path if path.startswith("/") and Path(path).is_dir()}
    outermost = [place for place in sorted(places) if not any(place.startswith(other + "/") for other in places)]
    return tuple(word for place in outermost for word in ("--volume", f"{place}:{place}:ro"))


def image(files: Sequence[str]) -> bytes:
    """A root file system as a tar: busybox, and these static programs under /job."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        links = {**LINKS, **{f"usr/bin/{applet}": "busybox" for applet in BUSYBOX}}
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        tar.add(Path(needed("busybox")[0]).resolve(), "usr/bin/busybox")
        for file in files:
            tar.add(file, f"job/{Path(file).name}")
        scripts = {"windows.sh": (b"#!/bin/sh\r\necho hello\r\n", 0o755), "closed.sh": (b"#!/bin/sh\n", 0o644)}
        machine = bytearray(Path(files[0]).read_bytes()) if files else bytearray()
        machine[18:20] = b"\xb7\x00"  # e_machine of ELF: aarch64
        scripts["foreign"] = (bytes(machine), 0o755)
        for name, (content, mode) in scripts.items():
            entry = tarfile.TarInfo(f"job/{name}")
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def _raise_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000) if hard > 0 else 20000, hard))


@contextmanager
def scratch() -> Iterator[Path]:
    """A short path (sockets need one), and nothing mounted in it when it is removed."""
    folder = Path(tempfile.mkdtemp(prefix="gdrig"))
    try:
        yield folder
    finally:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        for point in reversed([line.split(" ")[4] for line in lines]):
            if point.startswith(f"{folder}/"):
                subprocess.run(["umount", "--lazy", point], timeout=20, check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def remove_groups(name: str) -> None:
    """Remove the control groups that an engine leaves behind, if nothing is in them."""
    for top in [*Path("/sys/fs/cgroup").glob(f"*/{name}"), Path("/sys/fs/cgroup") / name]:
        for folder, _folders, _files in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a daemon to end, and insist."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def docker(files: Sequence[str]) -> Iterator[Engine]:
    """A dockerd of our own, without network and with plain copies for storage."""
    _as_root()
    client, daemon = needed("docker", "dockerd")
    with scratch() as folder:
        socket = f"unix://{folder}/s"
        words = [daemon, "--data-root", f"{folder}/d", "--exec-root", f"{folder}/e", "--pidfile", f"{folder}/pid"]
        words += ["-H", socket, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver", "vfs"]
        words += ["--default-ulimit", "nofile=1024:1024"]
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_raise_files
            )
        try:
            engine = Engine("docker", (client, "-H", socket), ALWAYS)
            limit = time.monotonic() + START_SECONDS
            while engine.call("version").returncode != 0:
                if process.poll() is not None or time.monotonic() > limit:
                    lacking(f"dockerd does not start here: {log.read_text(errors='replace')[-400:]}")
                time.sleep(0.1)
            _import(engine, folder, files)
            yield engine
        finally:
            end(process)
            remove_groups("docker")


@contextmanager
def podman(files: Sequence[str]) -> Iterator[Engine]:
    """A podman of our own, on runc."""
    _as_root()
    program = needed("podman", "runc", "conmon")[0]
    with scratch() as folder:
        client = [program, "--root", f"{folder}/r", "--runroot", f"{folder}/rr", "--tmpdir", f"{folder}/t"]
        client += ["--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs"]
        client += ["--events-backend", "file", "--log-level", "error"]
        engine = Engine("podman", tuple(client), (*ALWAYS, "--ulimit", "nproc=4096:4096", "--pull", "never"))
        try:
            _import(engine, folder, files)
            yield engine
        finally:
            engine.call("rm", "--all", "--force", "--time", "0")
            remove_groups("libpod_parent")


def _as_root() -> None:
    if os.geteuid() != 0:
        lacking("this rig needs root")


def _import(engine: Engine, folder: Path, files: Sequence[str]) -> None:
    tar = folder / "root.tar"
    tar.write_bytes(image(files))
    made = engine.call("import", str(tar), IMAGE)
    if made.returncode == 0:
        made = engine.call("run", "--rm", *engine.options, IMAGE, "/bin/true")
    if made.returncode != 0:
        lacking(f"{engine.name} runs no container here: {made.stderr.strip()[-400:]}")
