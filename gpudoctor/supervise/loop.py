"""One run from the start to the end: the command is started, its streams flow, signals go through, and when it has
ended we end as it did.

Nothing here waits for anything but the command. What may hang or break (the driver's library, the judgement, the
report) happens in processes of its own, which are killed when their time is up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from gpudoctor.supervise.counters import Groups, limits_of
from gpudoctor.supervise.forward import Forwarder
from gpudoctor.supervise.launch import Started, end_like
from gpudoctor.supervise.options import RunSettings
from gpudoctor.supervise.plainly import wait_plainly
from gpudoctor.supervise.record import Record, Used
from gpudoctor.supervise.signals import Inbox
from gpudoctor.supervise.streams import Channel, Plan, copy_window, read_back, relay
from gpudoctor.supervise.surroundings import Surroundings, remove
from gpudoctor.supervise.terminal import Keyboard
from gpudoctor.supervise.watch import GpuWatch, KernelLog, Peaks

# The judgement and the report get this long; a hook that the user gave has a limit of its own inside.
AFTERMATH_SECONDS = 90.0
LAST_LOOK_SECONDS = 1.0
# What a terminal may still hold when its command has ended; a pipe says how much it holds.
TERMINAL_REST = 1 << 20
BLIND_SECONDS, LONGEST_PATIENCE = 0.05, 3600.0
# A shell gives a running job the terminal without telling it; this long it may take to notice.
FOREGROUND_SECONDS = 0.2
# A stream that never pauses must not keep us from signals and from the other stream.
PIECES_AT_ONCE = 8
ERRORS = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Run:
    """A command under way."""

    def __init__(
        self,
        settings: RunSettings,
        aftermath: Callable[[Record], None],
        planned: Plan,
        started: Started,
        around: Surroundings,
    ) -> None:
        self.settings, self.aftermath, self.planned, self.started, self.around = (
            settings,
            aftermath,
            planned,
            started,
            around,
        )
        self.channels = planned.channels
        self.inbox = Inbox()
        self.keyboard = Keyboard(planned.terminal) if planned.terminal >= 0 else None
        self.told = b""
        self.limits: list[str] = []
        self.status: int | None = None
        self.used = Used()
        self.rest: dict[Channel, int] = {}
        self.interrupted = False
        self.began, self.seconds = 0.0, 0.0
        self.clock = time.monotonic()
        self.peaks: Peaks | None = None
        self.gpus: GpuWatch | None = None
        self.log: KernelLog | None = None
        self.groups: Groups | None = None
        self.before: dict[str, int] = {}
        self.after_pid = 0
        self.deadline = 0.0
        self.forwarder = Forwarder(started, self.keyboard)
        if self.keyboard is None:
            self._let_go_of_input()

    def _let_go_of_input(self) -> None:
        # The command alone holds it now, so whoever feeds it learns when the command has stopped reading.
        with contextlib.suppress(OSError):
            if not os.isatty(0):
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, 0)
                os.close(nothing)

    def watch(self, groups: Groups, before: dict[str, int]) -> None:
        """Begin to watch; what cannot be watched is not."""
        self.groups, self.before = groups, before
        try:
            self.log = KernelLog()
            self.peaks = Peaks(groups, self.started.pid, self.settings.interval)
            self.gpus = GpuWatch(self.settings.interval)
        except Exception:  # noqa: BLE001 - the command goes on without being watched
            pass

    def to_the_end(self) -> None:
        """Until the command has ended and all that it wrote is through."""
        while self.status is None or not self._is_through():
            self._turn()
        self.seconds = time.monotonic() - self.clock
        if self.keyboard is not None:
            self.keyboard.outer.give_back()
        try:
            self._begin_aftermath()
        except Exception as error:  # noqa: BLE001 - the command's end stands, whatever became of what was seen of it
            _regret(error)
        while self.after_pid:
            self._turn()
            if time.monotonic() > self.deadline:
                with contextlib.suppress(OSError):
                    os.kill(self.after_pid, signal.SIGKILL)
                break

    def leave(self) -> NoReturn:
        """End like the command, whatever happened to us."""
        status = self.status
        try:
            if self.keyboard is not None:
                self.keyboard.outer.give_back()
            if self.forwarder.bystander is not None:
                self.forwarder.bystander.leave()
            if self.gpus is not None:
                self.gpus.kill()
            if status is None:  # we broke: hand over as much as we can, and wait for the command
                status = wait_plainly(self.channels, self.started)
            remove(self.around.folder)
            self._leave_the_rest()
        except BaseException:  # noqa: BLE001 - nothing may stand between the command's status and whoever waits for it
            pass
        end_like(status if status is not None else 1 << 8)

    # One turn of the loop.

    def _turn(self) -> None:
        watched = self._descriptors()
        poller = select.poll()
        for descriptor, (events, _) in watched.items():
            poller.register(descriptor, events)
        try:
            ready = poller.poll(self._patience() * 1000)
        except InterruptedError:
            ready = []
        for descriptor, events in ready:
            watched[descriptor][1](events)
        if self.inbox.descriptor < 0:
            self._hear(0)
        if self.keyboard is not None and self.keyboard.is_elsewhere and self.status is None:
            self.keyboard.outer.grasp()
        if self.peaks is not None and self.status is None and time.monotonic() >= self.peaks.next:
            try:
                self.peaks.look()
            except Exception:  # noqa: BLE001 - watching must never cost the command anything
                self.peaks.next = float("inf")

    def _patience(self) -> float:
        until = [] if self.inbox.descriptor >= 0 else [BLIND_SECONDS]
        if self.keyboard is not None and self.keyboard.is_elsewhere and self.status is None:
            until.append(FOREGROUND_SECONDS)
        if self.peaks is not None and self.status is None:
            until.append(self.peaks.next - time.monotonic())
        if self.deadline:
            until.append(self.deadline - time.monotonic())
        if self.status is not None and not self.after_pid:
            until.append(BLIND_SECONDS)
        return max(0.0, min([*until, LONGEST_PATIENCE]))

    def _descriptors(self) -> dict[int, tuple[int, Callable[[int], None]]]:
        found: dict[int, tuple[int, Callable[[int], None]]] = {}
        if self.inbox.descriptor >= 0:
            found[self.inbox.descriptor] = (select.POLLIN, self._hear)
        if self.started.told_on >= 0 and self.status is None:
            found[self.started.told_on] = (select.POLLIN, self._be_told)
        for channel in self.channels:
            if channel.pending:
                found[channel.sink] = (select.POLLOUT, partial(self._drain, channel))
            elif channel.is_open:
                found[channel.source] = (select.POLLIN, partial(self._flow, channel))
                found[channel.sink] = (0, partial(self._lost, channel))
        keyboard = self.keyboard
        if keyboard is not None and keyboard.outer.is_raw and self.status is None:
            if keyboard.keys:
                reading = found.get(keyboard.inner, (0,))[0]
                found[keyboard.inner] = (reading | select.POLLOUT, self._terminal_ready)
            else:
                found[0] = (select.POLLIN, lambda _events: keyboard.type())
        if self.gpus is not None and self.gpus.descriptor >= 0:
            gpus = self.gpus
            found[gpus.descriptor] = (select.POLLIN, lambda _events: gpus.read())
        return found

    def _drain(self, channel: Channel, _events: int) -> None:
        channel.push()

    def _flow(self, channel: Channel, _events: int) -> None:
        for _ in range(PIECES_AT_ONCE):
            if not channel.take() or channel.pending:
                break
        if not channel.is_open:
            self._show_the_end(channel)

    def _lost(self, channel: Channel, _events: int) -> None:
        channel.lose()
        self._show_the_end(channel)

    def _show_the_end(self, channel: Channel) -> None:
        # Our own words go to stderr later; nothing of ours goes to stdout.
        if channel.place == 1 and self.keyboard is None and self.status is None:
            with contextlib.suppress(OSError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, 1)
                os.close(nothing)

    def _terminal_ready(self, events: int) -> None:
        if events & select.POLLOUT and self.keyboard is not None:
            self.keyboard.press()
        if events & (select.POLLIN | ERRORS):
            for channel in self.channels:
                if channel.source == self.planned.terminal:
                    self._flow(channel, events)

    # Signals and ends.

    def _hear(self, _events: int) -> None:
        for arrived in self.inbox.read():
            if arrived.number == signal.SIGCHLD:
                continue
            if arrived.number == signal.SIGINT:
                self.interrupted = True
            if arrived.number == signal.SIGWINCH:
                for window in self.planned.windows:
                    copy_window(1 if os.isatty(1) else 2, window)
            if self.status is None:
                self.forwarder.pass_on(arrived)
            elif arrived.number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                self.deadline = time.monotonic()  # whoever waits has waited long enough
        self._reap()

    def _reap(self) -> None:
        if self.status is None and self.started.told_on < 0:
            self.limits = limits_of(self.started.pid) or self.limits
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.started.pid and self.started.told_on < 0:
                if os.WIFSTOPPED(status):
                    self.forwarder.stop()
                else:
                    self._ended(status, Used(used.ru_maxrss << 10, used.ru_utime, used.ru_stime))
            elif pid == self.started.keeper and self.status is None:
                self._be_told(0)
                if self.status is None:
                    self._ended(status, Used())
            elif pid == self.after_pid:
                self.after_pid = 0

    def _be_told(self, _events: int) -> None:
        if self.started.told_on < 0 or self.status is not None:
            return
        os.set_blocking(self.started.told_on, False)
        try:
            self.told += os.read(self.started.told_on, 4096)
        except OSError:
            return
        *lines, self.told = self.told.split(b"\n")
        for line in lines:
            words = line.split()
            if not words[0].isdigit():
                self.limits.append(line.decode("ascii", "replace"))
                continue
            status = int(words[0])
            if os.WIFSTOPPED(status):
                self.forwarder.stop()
            else:
                self._ended(status, Used(int(words[1]) << 10, float(words[2]), float(words[3])))

    def _ended(self, status: int, used: Used) -> None:
        self.status, self.used = status, used
        for channel in self.channels:
            if channel.is_open:
                self.rest[channel] = TERMINAL_REST if os.isatty(channel.source) else _held(channel.source)

    def _is_through(self) -> bool:
        """Whether all that the command wrote is with its reader; what others write after its end is not waited for."""
        through = True
        for channel in self.channels:
            while channel.is_open and not channel.pending and self.rest.get(channel, 0) > 0:
                before = channel.ring.total
                self.rest[channel] = self.rest[channel] if channel.take() else 0
                self.rest[channel] -= channel.ring.total - before
            through = through and not channel.pending
        return through

    # The end.

    def _begin_aftermath(self) -> None:
        assert self.status is not None
        by_hand = self.interrupted or (self.keyboard is not None and self.keyboard.interrupted)
        failed = self.status != 0 and not (by_hand and self.status in (signal.SIGINT, 130 << 8))
        if not (failed or self.settings.summary or self.settings.verbose):
            return
        if self.gpus is not None and self.gpus.descriptor >= 0:
            self.gpus.ask_for_the_end()
            limit = time.monotonic() + LAST_LOOK_SECONDS
            while self.gpus.descriptor >= 0 and time.monotonic() < limit:
                select.select([self.gpus.descriptor], [], [], max(0.0, limit - time.monotonic()))
                self.gpus.read()
        record = self.record()
        self.after_pid = os.fork()
        if self.after_pid:
            self.deadline = time.monotonic() + AFTERMATH_SECONDS
            return
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            self.aftermath(record)
        except BaseException as error:  # noqa: BLE001 - the command's end stands; that we cannot explain it is ours alone
            _regret(error)
        finally:
            os._exit(0)

    def record(self) -> Record:
        """All that was seen."""
        outputs, unread = [(channel.name, channel.ring) for channel in self.channels], []
        for name, place, beginning in self.planned.files:
            try:
                outputs.append((name, read_back(place, beginning)))
            except OSError as error:
                unread.append(f"{name}: the file cannot be read back: {os.strerror(error.errno or 0)}")
        peaks, log, groups = self.peaks, self.log, self.groups
        return Record(
            settings=self.settings,
            surroundings=self.around,
            status=self.status or 0,
            began=self.began,
            seconds=self.seconds,
            pid=self.started.pid,
            pids=frozenset(peaks.pids) if peaks else frozenset(),
            used=self.used,
            before=self.before,
            after=groups.counters() if groups is not None else {},
            group_path=groups.memory[0] if groups is not None and groups.memory else "",
            peak_tree_bytes=peaks.tree if peaks else None,
            peak_group_bytes=peaks.group if peaks else None,
            peak_shm_bytes=peaks.shm if peaks else None,
            outputs=outputs,
            unread=unread,
            log=log.read() if log is not None else "",
            log_refusal=log.refusal if log is not None else "not watched",
            gpu_line=self.gpus.line if self.gpus is not None else b"",
            signals=self.forwarder.noted,
            limits=tuple(dict.fromkeys(self.limits)),
        )

    def _leave_the_rest(self) -> None:
        """What the command left in the background keeps its way to our reader, through a process that only copies."""
        still_open = [
            channel for channel in self.channels if channel.is_open and channel.source != self.planned.terminal
        ]
        if not still_open or os.getpid() == 1 or os.fork() != 0:
            return
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            relay(still_open)
        finally:
            os._exit(0)


def _regret(error: BaseException) -> None:
    with contextlib.suppress(OSError):
        text = f"gpudoctor: this end could not be explained: {type(error).__name__}: {error}\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))


def _held(pipe: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")
    except OSError:
        return TERMINAL_REST
