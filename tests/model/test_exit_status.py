"""Exit statuses in every spelling that people paste, and in none that they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudoctor.model.errors import UsageError
from gpudoctor.model.exit_status import SIGNALS, ExitStatus, signal_name, signal_number


@pytest.mark.parametrize(
    ("text", "code", "signal", "certain"),
    [
        ("139", 139, "SIGSEGV", False),
        ("-11", 139, "SIGSEGV", True),
        ("SIGSEGV", 139, "SIGSEGV", True),
        ("segv", 139, "SIGSEGV", True),
        ("0:9", 137, "SIGKILL", True),
        ("139:0", 139, "SIGSEGV", False),
        ("0xC0000005", 0xC0000005, "", False),
        ("-1073741819", 0xC0000005, "", False),
        ("3", 3, "", False),
        ("exit code 137", 137, "SIGKILL", False),
        ("Exited (137) 5 minutes ago", 137, "SIGKILL", False),
        ("exited with code -9", 137, "SIGKILL", True),
        ("signal 9", 137, "SIGKILL", True),
        ("Killed", 137, "SIGKILL", True),
        ("Segmentation fault (core dumped)", 139, "SIGSEGV", True),
    ],
)
def test_spellings(text: str, code: int, signal: str, certain: bool) -> None:
    status = ExitStatus.parse(text)
    assert (status.code, status.signal, status.signal_is_certain) == (code, signal, certain)
    assert status.given == text


@pytest.mark.parametrize(
    ("text", "reason", "context"),
    [("OOMKilled", "OOMKilled", "kubernetes"), ("0:125", "OUT_OF_MEMORY", "slurm"), ("timeout", "TIMEOUT", "slurm")],
)
def test_schedulers_words(text: str, reason: str, context: str) -> None:
    status = ExitStatus.parse(text)
    assert (status.reason, status.context) == (reason, context)


@pytest.mark.parametrize("text", ["", "abc", "999", "-999", "0x", "1:2:3", "256:0", "train.log", "9" * 200])
def test_what_is_no_exit_status_is_refused_with_the_spellings(text: str) -> None:
    with pytest.raises(UsageError, match="Kubernetes reason"):
        ExitStatus.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_an_exit_status_or_refused(text: str) -> None:
    try:
        status = ExitStatus.parse(text)
    except UsageError:
        return
    assert status.code is None or 0 <= status.code < 2**32


@given(st.integers(1, 31))
def test_names_and_numbers_of_signals_agree(number: int) -> None:
    assert signal_number(signal_name(number)) == number
    assert SIGNALS[number] == signal_name(number)
