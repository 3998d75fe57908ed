"""Finds the exit entry that fits a status most closely, and makes a general answer where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gpudoctor.model.exit_status import ExitMeaning, ExitStatus

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from typing import Protocol, TypeVar

    Entry = TypeVar("Entry", bound="_Keys")
else:
    Protocol = object


class _Keys(Protocol):
    """What an exit entry is found by; the rest of it need not be read for that."""

    @property
    def id(self) -> str: ...
    @property
    def codes(self) -> Sequence[int]: ...
    @property
    def signals(self) -> Sequence[str]: ...
    @property
    def reasons(self) -> Sequence[str]: ...
    @property
    def contexts(self) -> Sequence[str]: ...


def closest(exits: Iterable[Entry], status: ExitStatus) -> Entry | None:
    """The order of closeness: a scheduler's own reason, a code within its context, a signal, a bare code."""
    entries = sorted(exits, key=lambda entry: (not entry.contexts, entry.id))
    reason = status.reason.lower()
    fits: tuple[Callable[[Entry], bool], ...] = (
        lambda entry: bool(reason) and reason in (name.lower() for name in entry.reasons),
        lambda entry: status.context in entry.contexts and status.code in entry.codes,
        lambda entry: bool(status.signal) and status.signal in entry.signals,
        lambda entry: status.code is not None and status.code in entry.codes,
    )
    for fit in fits:
        for entry in entries:
            if (not entry.contexts or status.context in entry.contexts) and fit(entry):
                return entry
    return None


def find_exit(exits: Iterable[ExitMeaning], status: ExitStatus) -> ExitMeaning | None:
    """The closest entry, or the general answer."""
    return closest(exits, status) or general_answer(status)


def general_answer(status: ExitStatus) -> ExitMeaning | None:
    """What the number alone says, for statuses that no entry covers."""
    if status.signal:
        return _signalled(status)
    if status.code is None:
        return None
    if status.code > 255:
        return ExitMeaning(
            id="unlisted-windows-code",
            title=f"Windows status 0x{status.code:08X}",
            meaning="Windows ended the process with a status that is not in the catalogue. Values from 0xC0000000 on "
            "are failures raised by the system, such as an access violation; the event log names the faulting module.",
            codes=(status.code,),
        )
    return ExitMeaning(
        id="unlisted-code",
        title=f"The program ended itself with code {status.code}",
        meaning="No convention gives this number a meaning; the program, or a script or launcher around it, chose it. "
        "What it printed last says more than the number.",
        codes=(status.code,),
    )


def _signalled(status: ExitStatus) -> ExitMeaning:
    number = status.signal_number
    if status.signal_is_certain:
        meaning = f"The kernel ended the process with signal {number} ({status.signal}); a shell shows that as "
        meaning += f"{128 + number}."
    else:
        meaning = f"{status.code} is how shells show an end by signal {number} ({status.signal}), as 128 + {number}. "
        meaning += "A program can also choose this number itself, though few do."
    return ExitMeaning(
        id="unlisted-signal",
        title=f"Ended by {status.signal}",
        meaning=meaning,
        signals=(status.signal,),
    )
