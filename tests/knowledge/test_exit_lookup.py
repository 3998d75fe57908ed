"""Which entry fits an exit status most closely."""

from __future__ import annotations

import pytest

from gpudoctor.knowledge.exit_lookup import find_exit
from gpudoctor.model.exit_status import ExitMeaning, ExitStatus
from mini_rules import catalogue


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        ("137", "killed"),
        ("-9", "killed"),
        ("SIGKILL", "killed"),
        ("0:9", "killed"),
        ("OOMKilled", "out-of-memory"),
        ("1", "general-error"),
        ("143", "unlisted-signal"),
        ("SIGTERM", "unlisted-signal"),
        ("162", "unlisted-signal"),
        ("77", "unlisted-code"),
        ("0xC0000005", "unlisted-windows-code"),
    ],
)
def test_entry(given: str, entry: str) -> None:
    meaning = catalogue().exit_for(ExitStatus.parse(given))
    assert meaning is not None
    assert meaning.id == entry


def exits(*entries: ExitMeaning, given: ExitStatus) -> str:
    found = find_exit(entries, given)
    return found.id if found else ""


def test_a_reason_outranks_a_code_of_its_context_which_outranks_a_signal_which_outranks_a_code() -> None:
    reason = ExitMeaning("reason", "", "", reasons=("OOMKilled",))
    context = ExitMeaning("context", "", "", codes=(137,), contexts=("kubernetes",))
    signal = ExitMeaning("signal", "", "", signals=("SIGKILL",))
    code = ExitMeaning("code", "", "", codes=(137,))
    given = ExitStatus.parse("OOMKilled")
    assert exits(code, signal, context, reason, given=given) == "reason"
    assert exits(code, signal, context, given=given) == "context"
    assert exits(code, signal, given=given) == "signal"
    assert exits(code, given=given) == "code"


def test_an_entry_of_another_context_never_fits() -> None:
    slurm = ExitMeaning("slurm", "", "", codes=(125,), signals=("SIGKILL",), contexts=("slurm",))
    assert exits(slurm, given=ExitStatus.parse("125")) == "unlisted-code"
    assert exits(slurm, given=ExitStatus.parse("137")) == "unlisted-signal"
    assert exits(slurm, given=ExitStatus.parse("0:9")) == "slurm"


def test_a_reason_that_nothing_is_known_about_has_no_answer() -> None:
    assert find_exit((), ExitStatus.parse("Evicted")) is None


def test_general_answers_tell_a_certain_signal_from_a_number_that_looks_like_one() -> None:
    certain = find_exit((), ExitStatus.parse("-15"))
    guessed = find_exit((), ExitStatus.parse("143"))
    assert certain is not None
    assert guessed is not None
    assert "The kernel ended the process with signal 15" in certain.meaning
    assert "can also choose this number itself" in guessed.meaning
