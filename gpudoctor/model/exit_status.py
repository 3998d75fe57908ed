"""Exit statuses in all the spellings that people paste, brought to one form.

Shells say 139, Python and torchrun -11, Slurm `0:11`, Windows 0xC0000005, Kubernetes `OOMKilled`.
Signal numbers are those of Linux on x86-64 and aarch64, which agree.
"""

from __future__ import annotations

import re

from gpudoctor.model.errors import UsageError
from gpudoctor.model.record import record, replace

_SIGNAL_NAMES = (
    "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE "
    "SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ "
    "SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS"
)
SIGNALS: dict[int, str] = dict(enumerate(_SIGNAL_NAMES.split(), start=1))
_NUMBERS = {name: number for number, name in SIGNALS.items()}
_NUMBERS.update(SIGIOT=6, SIGPOLL=29, SIGCLD=17)

_REASON_NAMES = (
    "OOMKilled Error Completed ContainerCannotRun ContainerStatusUnknown CreateContainerError "
    "CreateContainerConfigError CrashLoopBackOff DeadlineExceeded Evicted Preempted Preempting ImagePullBackOff "
    "ErrImagePull InvalidImageName NodeLost NodeShutdown Terminated Shutdown StartError RunContainerError "
    "UnexpectedAdmissionError OutOfcpu OutOfmemory Unschedulable OUT_OF_MEMORY TIMEOUT NODE_FAIL CANCELLED "
    "FAILED PREEMPTED BOOT_FAIL DEADLINE"
)
_REASONS = {reason.lower(): reason for reason in _REASON_NAMES.split()}


@record
class ExitStatus:
    """One exit.

    `code` is what a shell's `$?` would show (0-255), or the whole 32-bit value for Windows, None where only a
    reason is known. `signal` is the name of the signal that ended the process, or that the code stands for by
    the shell's 128+N custom; `signal_is_certain` tells the two apart. `reason` is a scheduler's own word.
    `context` is `any`, `shell`, `python`, `slurm`, `windows` or `kubernetes`: where the spelling comes from.
    """

    given: str
    code: int | None = None
    signal: str = ""
    signal_is_certain: bool = False
    reason: str = ""
    context: str = "any"

    @property
    def signal_number(self) -> int:
        """The signal's number on Linux; 0 without a signal."""
        return signal_number(self.signal)

    @property
    def is_success(self) -> bool:
        """Whether the status claims that nothing went wrong."""
        # Slurm's 0:125 has code 0 and is none.
        return (self.code == 0 and not self.signal and not self.reason) or self.reason.lower() == "completed"

    @classmethod
    def parse(cls, text: str) -> ExitStatus:
        """Read any of the accepted spellings; UsageError lists them when it is none."""
        given = text.strip()
        for read in (_signal_name, _slurm_pair, _windows, _decimal, _reason, _sentence):
            status = read(given)
            if status is not None:
                return status
        raise UsageError(
            f"{given[:60]!r} is not an exit status. Give a number from 0 to 255 (139), a negative one as Python and "
            "torchrun print it (-11), a signal (SIGSEGV), a Slurm pair (0:9), a Windows code (0xC0000005) or a "
            "Kubernetes reason (OOMKilled)."
        )


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11; `SIGRTMIN+2` style for real-time signals; empty for no signal."""
    if number in SIGNALS:
        return SIGNALS[number]
    return f"SIGRTMIN+{number - 34}" if 34 <= number <= 64 else ""


def signal_number(name: str) -> int:
    """11 for `SIGSEGV` or `SEGV`, in any case; 0 when there is no such signal."""
    upper = name.upper()
    if not upper.startswith("SIG"):
        upper = "SIG" + upper
    if upper.startswith("SIGRTMIN+") and upper[9:].isdigit():
        return 34 + int(upper[9:])
    return _NUMBERS.get(upper, 0)


def _signal_name(given: str) -> ExitStatus | None:
    number = signal_number(given) if re.fullmatch(r"[A-Za-z0-9+]{3,14}", given) and not given.isdigit() else 0
    if not number:
        return None
    return ExitStatus(given, 128 + number, signal_name(number), True)


def _slurm_pair(given: str) -> ExitStatus | None:
    match = re.fullmatch(r"(\d{1,3}):(\d{1,3})", given)
    if match is None:
        return None
    code, number = int(match[1]), int(match[2])
    if number == 125:  # Slurm's own mark for "the step's memory limit was hit"; no such signal exists
        return ExitStatus(given, code, "", False, "OUT_OF_MEMORY", "slurm")
    if signal_name(number):
        return ExitStatus(given, 128 + number, signal_name(number), True, "", "slurm")
    if code > 255 or number:
        return None
    guessed = signal_name(code - 128) if code > 128 else ""
    return ExitStatus(given, code, guessed, False, "", "slurm")


def _windows(given: str) -> ExitStatus | None:
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", given):
        value = int(given, 16)
    elif re.fullmatch(r"-?\d{5,10}", given):
        value = int(given) & 0xFFFFFFFF if int(given) >= -(2**31) else 0
    else:
        return None
    if value <= 255:
        return _decimal(str(value))
    return ExitStatus(given, value, "", False, "", "windows") if 0 < value < 2**32 else None


def _decimal(given: str) -> ExitStatus | None:
    if not re.fullmatch(r"[-+]?\d{1,3}", given):
        return None
    value = int(given)
    if value < 0:
        name = signal_name(-value)
        if name:
            return ExitStatus(given, 128 - value, name, True, "", "python")
        return ExitStatus(given, value & 0xFF, "", False, "", "python") if value >= -255 else None
    if value > 255:
        return None
    return ExitStatus(given, value, signal_name(value - 128) if value > 128 else "", False)


def _reason(given: str) -> ExitStatus | None:
    reason = _REASONS.get(given.lower())
    if reason is None:
        return None
    slurm = reason.isupper()
    code = {"OOMKilled": 137, "Completed": 0}.get(reason)
    signal = "SIGKILL" if reason == "OOMKilled" else ""
    return ExitStatus(given, code, signal, False, reason, "slurm" if slurm else "kubernetes")


_WORDS = {
    "killed": "SIGKILL",
    "segmentation fault": "SIGSEGV",
    "aborted": "SIGABRT",
    "bus error": "SIGBUS",
    "illegal instruction": "SIGILL",
    "floating point exception": "SIGFPE",
}


def _sentence(given: str) -> ExitStatus | None:
    """What people copy from a terminal: `exited with code 137`, `Exited (137) 5 minutes ago`, `signal 9`, `Killed`."""
    text = given.lower().split("(core dumped)")[0].strip(" .:")
    name = _WORDS.get(text, "")
    if name:
        return ExitStatus(given, 128 + signal_number(name), name, True)
    number = re.search(r"\bsignal[ :=]{0,3}(\d{1,2})\b", text)
    if number and signal_name(int(number[1])):
        return ExitStatus(given, 128 + int(number[1]), signal_name(int(number[1])), True)
    code = re.search(r"\b(?:exit|exited|status|code|exitcode)\b[^\d-]{0,20}(-?\d{1,3})\b", text)
    status = _decimal(code[1]) if code else None
    return None if status is None else replace(status, given=given)


@record
class Candidate:
    """A cause that an exit can have: how it would look and what decides, in the order that experience suggests."""

    cause: str
    looks_like: str
    decide: str = ""
    command: str = ""


@record
class Never:
    """A cause that cannot have brought an exit about, however clear a log is, and why so, in a sentence."""

    cause: str
    reason: str


@record
class ExitMeaning:
    """One entry of rules/exits: what an exit code, signal or reason says, and its candidate causes in order.

    `contexts` limits it to spellings from one place (`slurm`, `windows`); empty means any. `never` are causes that
    end otherwise: where a log tells of one, the first candidate came after it.
    """

    id: str
    title: str
    meaning: str
    codes: tuple[int, ...] = ()
    signals: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    never: tuple[Never, ...] = ()
    note: str = ""
    source: str = ""
    checked: str = ""
