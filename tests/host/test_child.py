"""Children that crash, hang, flood, escape or never start: what comes back, and that nothing is left behind."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpudoctor.host import child as child_module
from gpudoctor.host import descendants, streams
from gpudoctor.host.child import Children
from gpudoctor.host.streams import CAPTURE_BYTES, RESULT_BYTES
from gpudoctor.model.child import ChildEnd, End

LIMIT = 60.0
PRELUDE = "import ctypes, json, os, signal, sys, time\nresult, plan = int(sys.argv[1]), int(sys.argv[2])\n"


@pytest.fixture
def children() -> Iterator[Children]:
    all_of_them = Children()
    yield all_of_them
    all_of_them.close()


def _python(children: Children, code: str, limit: float = LIMIT, **env: str) -> ChildEnd:
    return children.run([sys.executable, "-c", code], limit, {**os.environ, **env})


def _script(children: Children, folder: Path, code: str, limit: float = LIMIT, plan: object = None) -> ChildEnd:
    path = folder / "script.py"
    path.write_text(PRELUDE + code)
    command = [sys.executable, "-B", "-X", "faulthandler", str(path)]
    return children.run_script(command, {"given": plan}, limit, dict(os.environ))


def _is_alive(pid: int) -> bool:
    seen = descendants.process(pid)
    return seen is not None and seen.alive


def _wait_until_dead(pid: int) -> None:
    for _ in range(500):
        if not _is_alive(pid):
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} outlived its child")


def test_an_exit_code_and_both_streams_come_back(children: Children) -> None:
    end = _python(children, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (end.end, end.status, end.stdout, end.stderr) == (End.EXITED, 3, "out\n", "err\n")
    assert not end.ok


def test_standard_input_is_empty_and_not_ours(children: Children) -> None:
    assert _python(children, "import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGKILL", "SIGILL"])
def test_death_by_signal_is_told_by_name(children: Children, name: str) -> None:
    end = _python(children, f"import os, signal; os.kill(os.getpid(), signal.{name})")
    assert (end.end, end.signal, end.status) == (End.SIGNALLED, name, 0)


def test_a_signal_without_a_name_is_told_by_number() -> None:
    assert child_module.signal_name(41) == "SIG41"


def test_lines_survive_a_null_dereference_in_native_code(children: Children, tmp_path: Path) -> None:
    code = 'os.write(result, b\'{"step": "one"}\\n{"step": "two"}\\n{"step": "thr\')\nctypes.string_at(0)\n'
    end = _script(children, tmp_path, code)
    assert (end.end, end.signal) == (End.SIGNALLED, "SIGSEGV")
    assert [line["step"] for line in end.lines] == ["one", "two"]
    assert end.torn
    assert "Segmentation fault" in end.stderr


def test_lines_survive_the_kill_at_the_time_limit(children: Children, tmp_path: Path) -> None:
    end = _script(children, tmp_path, 'os.write(result, b\'{"step": "one"}\\n\')\ntime.sleep(600)\n', limit=1.5)
    assert end.end is End.TIMED_OUT
    assert end.lines == ({"step": "one"},)
    assert not end.torn
    assert "1.5 seconds" in end.error


def test_the_plan_arrives_whole(children: Children, tmp_path: Path) -> None:
    plan = {"text": "GPU é \udcff", "many": list(range(50_000))}
    code = "given = json.load(os.fdopen(plan))\nos.write(result, (json.dumps(given) + '\\n').encode())\n"
    assert _script(children, tmp_path, code, plan=plan).lines == ({"given": plan},)


@pytest.mark.parametrize("sealed", [True, False])
def test_lines_of_many_forked_writers_do_not_overwrite_each_other(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    if not sealed:
        monkeypatch.delattr(streams.fcntl, "F_ADD_SEALS")
    code = (
        "for rank in range(4):\n"
        "    if os.fork() == 0:\n"
        '        for step in range(2000): os.write(result, b\'{"rank": %d, "step": %d}\\n\' % (rank, step))\n'
        "        os._exit(0)\n"
        "for _ in range(4): os.wait()\n"
    )
    end = _script(children, tmp_path, code)
    assert {(line["rank"], line["step"]) for line in end.lines} == {(r, s) for r in range(4) for s in range(2000)}


def test_lines_that_are_no_objects_are_counted_and_left_out(children: Children, tmp_path: Path) -> None:
    code = (
        "os.write(result, b'[1]\\n\\n\\xff\\xfe\\n{\"a\": 1}\\n')\n"
        "os.write(result, b'[' * 100000 + b'\\n{\"n\": ' + b'9' * 5000 + b'}\\n')\n"
    )
    end = _script(children, tmp_path, code)
    assert end.lines == ({"a": 1},)
    assert end.extra["unreadable_lines"] == 4


def test_results_without_end_stop_at_the_brim(children: Children, tmp_path: Path) -> None:
    end = _script(children, tmp_path, "while True: os.write(result, b'{\"x\": \"' + b'y' * 9000 + b'\"}\\n')\n")
    assert end.end is End.EXITED
    assert end.extra["results_cut"] is True
    assert sum(len(line["x"]) for line in end.lines) <= RESULT_BYTES


def test_a_flood_is_drained_in_bounded_memory(children: Children) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = "import os\nfor _ in range(3200): os.write(1, b'x' * 65536)\nos.write(1, b'the end')"
    end = _python(children, code)
    assert end.ok
    assert end.stdout.startswith("x" * 1000)
    assert end.stdout.endswith("the end")
    assert f"{3200 * 65536 + 7 - 2 * CAPTURE_BYTES} bytes left out" in end.stdout
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_binary_junk_becomes_text(children: Children) -> None:
    end = _python(children, "import os; os.write(2, bytes(range(256)) * 10)")
    assert end.ok
    assert "\ufffd" in end.stderr


def test_a_child_that_closes_its_streams_is_waited_for(children: Children) -> None:
    end = _python(children, "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(7)")
    assert (end.end, end.status) == (End.EXITED, 7)


ESCAPE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
"""


def test_a_daemon_that_holds_the_pipes_neither_hangs_us_nor_lives_on(children: Children) -> None:
    end = _python(children, ESCAPE + "time.sleep(0.3); sys.exit(5)")
    assert (end.end, end.status) == (End.EXITED, 5)
    _wait_until_dead(int(end.stdout))


def test_a_hang_is_killed_with_what_left_its_session(children: Children) -> None:
    end = _python(children, ESCAPE + "time.sleep(600)", limit=1.5)
    assert end.end is End.TIMED_OUT
    _wait_until_dead(int(end.stdout))


def test_a_hang_that_ignores_every_signal_is_killed(children: Children) -> None:
    code = "import signal, time\nfor n in range(1, 32):\n  if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n"
    assert _python(children, code + "time.sleep(600)", limit=1.0).end is End.TIMED_OUT


def test_a_stopped_child_is_killed(children: Children) -> None:
    assert _python(children, "import os, signal; os.kill(0, signal.SIGSTOP)", limit=1.0).end is End.TIMED_OUT


def test_processes_of_others_with_their_own_token_are_left_alone(children: Children) -> None:
    other = Children()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_python, other, "import time; time.sleep(1.5); print('done')")
        assert _python(children, "print('quick')").ok
        children.close()
        assert running.result().stdout == "done\n"
    other.close()


def test_core_dumps_are_off(children: Children) -> None:
    code = "import resource, time; time.sleep(0.2); print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert _python(children, code).stdout == "(0, 0)\n"


@pytest.mark.parametrize("argv", [["/nonexistent/python3"], ["no-such-program-here"]])
def test_a_missing_program_is_not_started(children: Children, argv: list[str]) -> None:
    end = children.run(argv, LIMIT, dict(os.environ))
    assert (end.end, end.errno) == (End.NOT_STARTED, "ENOENT")
    assert argv[0] in end.error


def test_a_program_missing_behind_a_closed_directory_is_absent_and_not_forbidden(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(child_module.subprocess, "Popen", refuse)
    assert children.run(["no-such-program-here"], LIMIT, dict(os.environ)).errno == "ENOENT"
    assert children.run(["sh"], LIMIT, dict(os.environ)).errno == "EACCES"


def test_a_missing_interpreter_of_a_script_is_not_started(children: Children) -> None:
    end = children.run_script(["/nonexistent/python3", "x.py"], {}, LIMIT, dict(os.environ))
    assert (end.end, end.errno, end.lines) == (End.NOT_STARTED, "ENOENT", ())


def test_a_file_that_may_not_run_is_not_started(children: Children, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    end = children.run([str(tmp_path / "tool")], LIMIT, dict(os.environ))
    assert (end.end, end.errno) == (End.NOT_STARTED, "EACCES")


def test_a_file_that_is_no_program_is_not_started(children: Children, tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x7fELF junk")
    (tmp_path / "tool").chmod(0o755)
    end = children.run([str(tmp_path / "tool")], LIMIT, dict(os.environ))
    assert (end.end, end.errno) == (End.NOT_STARTED, "ENOEXEC")


def test_a_null_byte_in_the_command_is_not_started(children: Children) -> None:
    assert children.run(["echo", "a\0b"], LIMIT, {}).end is End.NOT_STARTED


def test_a_refused_fork_is_not_started(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(child_module.subprocess, "Popen", refuse)
    end = children.run_script([sys.executable, "x.py"], {}, LIMIT, dict(os.environ))
    assert (end.end, end.errno) == (End.NOT_STARTED, "EAGAIN")


def test_no_time_left_means_not_even_started(children: Children, tmp_path: Path) -> None:
    end = _python(children, f"open({str(tmp_path / 'ran')!r}, 'w')", limit=0)
    assert end.end is End.TIMED_OUT
    assert not (tmp_path / "ran").exists()


def test_a_child_that_cannot_die_is_given_up(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "DEATH_SECONDS", 0.1)
    monkeypatch.setattr(child_module.Child, "kill", lambda self: (self.process.pid,))
    end = _python(children, "import time; time.sleep(3)", limit=0.5)
    assert end.end is End.TIMED_OUT
    assert len(end.extra["unkillable"]) == 1


def test_without_handles_on_processes_it_works_all_the_same(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    end = _python(children, ESCAPE + "time.sleep(600)", limit=1.5)
    assert end.end is End.TIMED_OUT
    _wait_until_dead(int(end.stdout))
    assert _python(children, "import sys; sys.exit(4)").status == 4


def test_without_memory_files_results_go_into_an_unlinked_one(
    children: Children, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    end = _script(children, tmp_path, "os.write(result, json.dumps(json.load(os.fdopen(plan))).encode() + b'\\n')")
    assert end.lines == ({"given": None},)


def test_many_children_at_once_do_not_mix(children: Children) -> None:
    def one(number: int) -> ChildEnd:
        return _python(children, f"import sys; print({number}); sys.exit({number})")

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(one, range(24)))
    assert [(end.status, end.stdout) for end in ends] == [(number, f"{number}\n") for number in range(24)]


def test_closing_from_another_thread_ends_what_runs_and_starts_nothing_more(children: Children, tmp_path: Path) -> None:
    started = tmp_path / "started"
    ends: list[ChildEnd] = []
    code = f"import time; open({str(started)!r}, 'w').close(); time.sleep(600)"
    thread = threading.Thread(target=lambda: ends.append(_python(children, code, limit=300)))
    thread.start()
    while not started.exists():
        time.sleep(0.01)
    children.close()
    thread.join(60)
    assert ends[0].signal == "SIGKILL"
    assert _python(children, "pass").errno == "ECANCELED"
    children.close()


def test_no_file_descriptors_are_lost(children: Children, tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for code in ("pass", "ctypes.string_at(0)", "time.sleep(600)"):
        _script(children, tmp_path, code, limit=1.0)
    children.run(["/nonexistent"], LIMIT, {})
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_an_interruption_leaves_no_child(monkeypatch: pytest.MonkeyPatch, children: Children) -> None:
    pids: list[int] = []

    def interrupted(watch: object, deadline: float) -> bool:
        pids.append(watch._child.process.pid)  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(child_module._Watch, "until_ended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _python(children, "import time; time.sleep(600)")
    assert not _is_alive(pids[0])


def test_a_status_is_seen_where_our_own_parent_ignored_the_death_of_children(children: Children) -> None:
    code = (
        "import os, sys; from gpudoctor.host.child import Children\n"
        "print(Children().run([sys.executable, '-c', 'raise SystemExit(9)'], 60, dict(os.environ)).status)"
    )
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    )
    end = children.run([sys.executable, "-c", ignoring, sys.executable, "-c", code], LIMIT, dict(os.environ))
    assert end.stdout == "9\n", end.stderr
