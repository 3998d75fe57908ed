"""The live machine: what it answers, and that no odd file, right or environment makes it hang or raise otherwise."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gpudoctor.host import identity as identity_module
from gpudoctor.host import local as local_module
from gpudoctor.host.base import HostError
from gpudoctor.host.local import LocalHost
from gpudoctor.model.child import End
from gpudoctor.model.fact import Reason


@pytest.fixture
def host() -> LocalHost:
    return LocalHost(60)


def _error(question) -> HostError:
    with pytest.raises(HostError) as caught:
        question()
    return caught.value


def test_texts_keep_bytes_that_are_no_utf8(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"caf\xe9\n")
    assert host.read_text(str(tmp_path / "text")).encode("utf-8", "surrogateescape") == b"caf\xe9\n"


def test_pieces_are_cut_where_asked(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)) * 1000)
    path = str(tmp_path / "data")
    assert host.read_bytes(path, 4, 254) == bytes([254, 255, 0, 1])
    assert host.read_bytes(path, 0) == b""
    assert host.read_bytes(path, 10, 10**9) == b""
    assert len(host.read_bytes(path)) == 256_000
    assert len(host.read_text(path, 70_000).encode("utf-8", "surrogateescape")) == 70_000


def test_kernel_files_without_a_size_are_read_to_the_end(host: LocalHost) -> None:
    assert host.read_text("/proc/self/status").startswith("Name:")
    assert host.stat("/proc/self/status").size == 0


def test_endless_devices_are_bounded(host: LocalHost) -> None:
    assert host.read_bytes("/dev/zero", 100) == bytes(100)


def test_what_is_absent_says_so(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (str(tmp_path / "no"), str(tmp_path / "file" / "no")):
        for question in (host.read_text, host.list_dir, host.stat, host.real_path, host.disk_use):
            error = _error(lambda path=path, question=question: question(path))
            assert error.absent
            assert error.reason is Reason.NO_DATA
            assert path in error.detail


def test_a_missing_right_is_told_apart(host: LocalHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("secret")
    for number in (errno.EACCES, errno.EPERM):

        def refuse(path: str, flags: int, number: int = number) -> int:
            raise OSError(number, os.strerror(number), path)

        with monkeypatch.context() as patch:
            patch.setattr(local_module.os, "open", refuse)
            error = _error(lambda: host.read_text(str(tmp_path / "file")))
            assert host.open_errno(str(tmp_path / "file")) == errno.errorcode[number]
        assert error.reason is Reason.PERMISSION_DENIED
        assert error.unknown().detail.endswith(f"({errno.errorcode[number]})")


def test_fifos_and_sockets_are_refused_without_waiting(host: LocalHost, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name in ("fifo", "socket"):
            assert name in _error(lambda name=name: host.read_bytes(str(tmp_path / name))).detail
            assert host.stat(str(tmp_path / name)).kind == name
    assert host.open_errno(str(tmp_path / "fifo")) == ""


def test_directories_are_not_read_as_files(host: LocalHost, tmp_path: Path) -> None:
    assert _error(lambda: host.read_text(str(tmp_path))).errno_name == "EISDIR"
    assert host.open_errno(str(tmp_path)) == "EISDIR"
    assert _error(lambda: host.list_dir("/proc/self/status")).errno_name == "ENOTDIR"


def test_null_bytes_and_loops_are_answers_too(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for question in (host.read_text, host.list_dir, host.stat, host.real_path, host.disk_use):
        assert _error(lambda question=question: question("/a\0b")).errno_name == "EINVAL"
        assert _error(lambda question=question: question(str(tmp_path / "loop"))).errno_name == "ELOOP"
    assert host.open_errno("/a\0b") == "EINVAL"
    assert host.stat(str(tmp_path / "loop"), follow=False).kind == "link"


def test_links_are_followed_or_shown(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "lib.so.1.2").write_text("12345")
    (tmp_path / "lib.so").symlink_to("lib.so.1.2")
    link = str(tmp_path / "lib.so")
    assert host.stat(link).size == 5
    assert host.stat(link, follow=False).link_target == "lib.so.1.2"
    assert host.real_path(link) == os.path.realpath(tmp_path / "lib.so.1.2")


def test_device_nodes_show_their_numbers(host: LocalHost) -> None:
    info = host.stat("/dev/null")
    assert (info.kind, info.major, info.minor) == ("char", 1, 3)
    assert host.open_errno("/dev/null") == ""
    assert host.open_errno("/dev/no-such-node") == "ENOENT"


def test_names_are_sorted_and_bytes_kept(host: LocalHost, tmp_path: Path) -> None:
    for name in (b"b", b"a", b"\xff"):
        (tmp_path / os.fsdecode(name)).write_text("")
    assert host.list_dir(str(tmp_path)) == ("a", "b", "\udcff")


def test_disk_use_adds_up(host: LocalHost, tmp_path: Path) -> None:
    use = host.disk_use(str(tmp_path))
    assert use.total_bytes > 0
    assert use.free_bytes <= use.total_bytes
    assert use.read_only is False


def test_the_environment_is_a_copy(host: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUDOCTOR_TEST", "x\udcff")
    seen = host.env()
    monkeypatch.delenv("GPUDOCTOR_TEST")
    assert seen["GPUDOCTOR_TEST"] == "x\udcff"


def test_identity_tells_the_process_and_its_limits(host: LocalHost) -> None:
    told = host.identity()
    assert told["pid"] == os.getpid()
    assert told["python_version"] == ".".join(map(str, sys.version_info[:3]))
    assert told["soft_limits"]["nofile"] > 0
    assert set(told["soft_limits"]) == set(told["hard_limits"])
    assert told["memory_total_bytes"] >= told["memory_available_bytes"] > 0
    assert told["cpu_count"] >= told["cpus_allowed"] >= 1


def test_identity_without_passwd_entry_or_directory(monkeypatch: pytest.MonkeyPatch, host: LocalHost) -> None:
    def gone() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(identity_module.os, "getuid", lambda: 3_999_999_999)
    monkeypatch.setattr(identity_module.os, "getcwd", gone)
    monkeypatch.delenv("HOME", raising=False)
    told = host.identity()
    assert "user" not in told
    assert "cwd" not in told
    assert told["uid"] == 3_999_999_999


@pytest.mark.parametrize("failure", [RuntimeError("no /proc/stat"), ImportError("broken .so"), RuntimeWarning("odd")])
def test_memory_is_read_without_psutil_where_that_breaks(
    monkeypatch: pytest.MonkeyPatch, host: LocalHost, failure: Exception
) -> None:
    import psutil

    def broken() -> None:
        raise failure

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    assert host.identity()["memory_total_bytes"] > 0
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert host.identity()["memory_total_bytes"] > 0


def test_the_time_of_the_run_cuts_children_down() -> None:
    now = [100.0]
    host = LocalHost(10, clock=lambda: now[0])
    assert host.remaining() == 10
    now[0] = 109.5
    assert host.remaining() == 0.5
    assert host.run(["sleep", "600"], limit=600).end is End.TIMED_OUT
    now[0] = 120.0
    assert host.remaining() == 0
    assert "used up" in host.run(["true"], limit=600).error


def test_scripts_get_the_environment_of_the_user_and_a_closed_kernel_cache(host: LocalHost, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import faulthandler, json, os, sys\n"
        "with os.fdopen(int(sys.argv[2])) as file: plan = json.load(file)\n"
        "said = {'step': 'env', 'plan': plan, 'cache': os.environ['CUDA_CACHE_DISABLE'], 'more': os.environ['MORE'],\n"
        "        'faults': faulthandler.is_enabled(), 'bytecode': sys.dont_write_bytecode,\n"
        "        'leader': os.getsid(0) == os.getpid()}\n"
        "os.write(int(sys.argv[1]), json.dumps(said).encode() + b'\\n')\n"
    )
    end = host.run_script("target", sys.executable, str(script), {"a": [1]}, 60, env={"MORE": "x"})
    assert end.lines == (
        {
            "step": "env",
            "plan": {"a": [1]},
            "cache": "1",
            "more": "x",
            "faults": True,
            "bytecode": True,
            "leader": True,
        },
    )


def test_leaving_the_context_ends_the_run() -> None:
    with LocalHost(60) as host:
        assert host.run(["true"], 60).ok
    assert host.run(["true"], 60).errno == "ECANCELED"


def test_importing_it_is_cheap() -> None:
    code = "import sys, gpudoctor.host.local; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"psutil", "shutil", "asyncio", "importlib.metadata", "platform"} & (
        set(done.stdout.split()) - _bare_modules()
    )


def _bare_modules() -> set[str]:
    code = "import sys; print(*sorted(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout.split())
