"""Starting a child process, seeing it to its end, and leaving nothing of it behind.

Foreign native code runs only here: it may crash, hang, flood its streams or leave processes behind, and the answer is
always a `ChildEnd` within the limit. A script of ours is called as `<script> <result fd> <plan fd>`: it reads the plan
(JSON) from the second and writes one JSON object per line to the first, each line with a single os.write().
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gpudoctor.host import descendants
from gpudoctor.host.streams import Capture, ResultFile, parse_lines, plan_file
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.record import replace

try:
    import resource
except ImportError:  # not a POSIX system: there are no core dumps to forbid either
    resource = None  # type: ignore[assignment]

READ_BYTES = 65536
POLL_SECONDS = 0.02
# A child that sits in an ioctl of a wedged driver cannot be killed; after this long we go on without it.
DEATH_SECONDS = 3.0
# Whatever still holds the pipes after everything was killed (another user's process) gets this long to let go.
DRAIN_SECONDS = 0.5


class Child:
    """One started process, from the fork to the reaping. Safe to kill from another thread."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], token: str, inherited: Sequence[int]) -> None:
        """Raises OSError or ValueError where it cannot be started."""
        self._lock = threading.Lock()
        self._reaped = False
        self.token = token
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, descendants.TOKEN_VARIABLE: token},
            pass_fds=tuple(inherited),
            start_new_session=True,
        )
        self._forbid_core_dumps()
        seen = descendants.process(self.process.pid)
        self._since = seen.started if seen else 0

    def _forbid_core_dumps(self) -> None:
        # From outside and after the start: code run between fork and exec is unsafe in a process with threads.
        with contextlib.suppress(OSError, AttributeError, ValueError):
            resource.prlimit(self.process.pid, resource.RLIMIT_CORE, (0, 0))

    def ended(self) -> bool:
        """Whether it has ended. It stays a zombie, so its process id cannot be given to anybody else meanwhile."""
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def kill(self) -> tuple[int, ...]:
        """Kill it and everything that it started; what sits in the kernel and cannot die is named."""
        with self._lock:
            if self._reaped:
                return ()
            pid = self.process.pid

            def search() -> list[descendants.Process]:
                return descendants.find(self.token, self._since, pid)

            # The tree is looked at while its root still stands: killing the root cuts the branches off.
            known = search()
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
            for victim in known:
                descendants.kill(victim)
            return descendants.sweep(search)

    def reap(self) -> int | None:
        """Take its status, negative for a signal; None where it will not die or somebody else took the status."""
        limit = time.monotonic() + DEATH_SECONDS
        while not self.ended():
            if time.monotonic() >= limit:
                # Popen warns of a child that is forgotten while alive; this one was given up on purpose.
                self.process.returncode = -signal.SIGKILL
                return None
            time.sleep(POLL_SECONDS)
        with self._lock:
            self._reaped = True
            try:
                status = os.waitid(os.P_PID, self.process.pid, os.WEXITED)
            except ChildProcessError:
                self.process.returncode = 0
                return None
            assert status is not None
            code = status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
            self.process.returncode = code
            return code


class Children:
    """All children of one run: starts them, knows them, and can end them all."""

    def __init__(self) -> None:
        _take_notice_of_children()
        self._token = os.urandom(8).hex()
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._folders: set[str] = set()
        self._count = 0
        self._closed = False
        own = descendants.process(os.getpid())
        self._since = own.started if own else 0

    def run_script(
        self,
        command: Sequence[str],
        plan: Mapping[str, Any],
        limit: float,
        env: Mapping[str, str],
    ) -> ChildEnd:
        """Run `command` with the numbers of its result file and its plan added, and read its result lines.

        A plan that holds an empty `folder` is given one of its own there, which is gone afterwards however the child
        ended. Never raises OSError: what cannot be started is NOT_STARTED.
        """
        if plan.get("folder") == "":
            with self._folder() as folder:
                return self._run_script(command, {**plan, "folder": folder}, limit, env)
        return self._run_script(command, plan, limit, env)

    def _run_script(
        self, command: Sequence[str], plan: Mapping[str, Any], limit: float, env: Mapping[str, str]
    ) -> ChildEnd:
        opened: list[int] = []
        try:
            results = ResultFile()
            opened.append(results.fd)
            opened.append(plan_file(plan))
            end = self.run([*command, str(opened[0]), str(opened[1])], limit, env, inherited=opened)
            lines, torn, bad = parse_lines(results.read())
            extra = {**end.extra, **({"unreadable_lines": bad} if bad else {})}
            if results.full:
                extra["results_cut"] = True
            return replace(end, lines=lines, torn=torn, extra=extra)
        except OSError as error:
            return not_started(error)
        finally:
            for fd in opened:
                os.close(fd)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[str]:
        """A folder for what a child writes. It is ours and not the child's, because a child that is killed removes
        nothing; empty text where none can be made."""
        import shutil  # both draw in the archive modules, for what hardly any run needs
        import tempfile

        try:
            folder = tempfile.mkdtemp(prefix="gpudoctor-")
        except OSError:
            yield ""
            return
        with self._lock:
            self._folders.add(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._folders.discard(folder)

    def run(self, argv: Sequence[str], limit: float, env: Mapping[str, str], inherited: Sequence[int] = ()) -> ChildEnd:
        """Run a command to its end, or kill it with all its descendants after `limit` seconds."""
        if limit <= 0:
            return ChildEnd(End.TIMED_OUT, error="the time of the whole run was used up before it could start")
        try:
            child = self._start(argv, env, inherited)
        except PermissionError as error:
            return not_started(error if _is_anywhere(argv[0], env) else _absent(argv[0]))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return not_started(error)
        try:
            return _see_to_end(child, limit)
        finally:
            # Also on the way of a KeyboardInterrupt: nothing that we started outlives us.
            _finish(child)
            with self._lock:
                self._running.discard(child)

    def _start(self, argv: Sequence[str], env: Mapping[str, str], inherited: Sequence[int]) -> Child:
        with self._lock:
            if self._closed:
                raise OSError(errno.ECANCELED, "the run was interrupted")
            self._count += 1
            # Inside the lock: close() must either see this child or keep it from starting.
            child = Child(argv, env, f"{self._token}.{self._count}", inherited)
            self._running.add(child)
            return child

    def close(self) -> None:
        """End everything that still runs; nothing starts any more. May be called twice, and from any thread."""
        with self._lock:
            first, self._closed = not self._closed, True
            running = list(self._running)
        for child in running:
            child.kill()
        if first and self._count:
            descendants.sweep(lambda: descendants.find(self._token + ".", self._since, prefix=True))
        with self._lock:
            folders = tuple(self._folders)
        if folders:
            import shutil

            # The thread that waits for the child may not live to do it: an interrupted run ends with this one.
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)


def _take_notice_of_children() -> None:
    # Some container entrypoints ignore SIGCHLD, and that is inherited: the kernel would throw every status away.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _is_anywhere(program: str, env: Mapping[str, str]) -> bool:
    # A directory on PATH that we may not enter (root's, for another user) makes the search end in EACCES, although
    # the program is just not installed.
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    return "/" in program or any(os.path.lexists(os.path.join(folder, program)) for folder in folders)


def _absent(program: str) -> OSError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def not_started(error: Exception) -> ChildEnd:
    """The end of a child that could not be started, with the system's reason."""
    number = getattr(error, "errno", None)
    return ChildEnd(End.NOT_STARTED, errno=errno.errorcode.get(number, "") if number else "", error=str(error))


def _see_to_end(child: Child, limit: float) -> ChildEnd:
    captures = {"stdout": Capture(), "stderr": Capture()}
    with _Watch(child, captures) as watch:
        in_time = watch.until_ended(child.began + limit)
        seconds = time.monotonic() - child.began
        # After an ordinary end too: what it left behind in the background must not outlive it.
        stuck = child.kill()
        watch.drain(time.monotonic() + DRAIN_SECONDS)
    code = child.reap()
    end = ChildEnd(
        End.TIMED_OUT,
        stdout=captures["stdout"].text(),
        stderr=captures["stderr"].text(),
        seconds=round(seconds, 3),
        extra={"unkillable": list(stuck)} if stuck else {},
    )
    if not in_time:
        return replace(end, error=f"no end after {limit:g} seconds")
    if code is None:
        return replace(end, end=End.NOT_STARTED, errno="ECHILD", error="its exit status was taken by somebody else")
    if code < 0:
        return replace(end, end=End.SIGNALLED, signal=signal_name(-code))
    return replace(end, end=End.EXITED, status=code)


def _finish(child: Child) -> None:
    if child.process.returncode is None:
        child.kill()
        child.reap()
    for stream in (child.process.stdout, child.process.stderr):
        if stream is not None:
            stream.close()


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11; real-time signals, which have no name, by number: `SIG40`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


class _Watch:
    """Waits for a child while emptying its pipes, so that it never blocks on a full one."""

    def __init__(self, child: Child, captures: Mapping[str, Capture]) -> None:
        self._child = child
        self._selector = selectors.DefaultSelector()
        self._pipes: set[int] = set()
        self._handle = -1
        for name, stream in (("stdout", child.process.stdout), ("stderr", child.process.stderr)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream.fileno(), selectors.EVENT_READ, captures[name])
            self._pipes.add(stream.fileno())
        # With a handle the end wakes us at once; without (an older kernel, a sandbox) we look every 20 ms.
        with contextlib.suppress(OSError, AttributeError):
            self._handle = os.pidfd_open(child.process.pid)
            self._selector.register(self._handle, selectors.EVENT_READ, None)

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        if self._handle >= 0:
            os.close(self._handle)

    def until_ended(self, deadline: float) -> bool:
        """Wait for the child itself, whoever else holds its pipes. False when the time is up first."""
        while not self._child.ended():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._take(left if self._handle >= 0 else min(left, POLL_SECONDS))
        return True

    def drain(self, deadline: float) -> None:
        """Take what is left in the pipes; whoever keeps one open beyond the deadline is not waited for."""
        while self._pipes and time.monotonic() < deadline:
            self._take(POLL_SECONDS)

    def _take(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                continue
            try:
                data = os.read(key.fd, READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                key.data.add(data)
            else:
                self._selector.unregister(key.fd)
                self._pipes.discard(key.fd)
