"""Real crashes: run something that dies, keep what it said, and ask the installed command why it died."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytest

from command import environment, gpudoctor

SOURCES = Path(__file__).resolve().parents[1] / "rigs" / "crashes"


def lacking(reason: str) -> NoReturn:
    """Skip for this reason, or fail where the rigs are required. For fixtures that live longer than one test."""
    if os.environ.get("GPUDOCTOR_REQUIRE_RIGS") == "1":
        pytest.fail(f"GPUDOCTOR_REQUIRE_RIGS=1, but {reason}")
    pytest.skip(reason)


def needed(*programs: str) -> list[str]:
    """Where these programs are; skips (or fails) where one is not installed."""
    found = [shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") for program in programs]
    for program, path in zip(programs, found):
        if path is None:
            lacking(f"{program} is not installed")
    return [path for path in found if path is not None]


@dataclass(frozen=True)
class Answer:
    """What `explain-exit --json` answered."""

    document: Mapping[str, Any]

    @cached_property
    def causes(self) -> list[str]:
        return [entry["cause"] for entry in self.document["explanations"]]

    @property
    def first(self) -> str:
        return self.causes[0] if self.causes else f"({self.document['verdict']})"

    @property
    def likelihood(self) -> str:
        return str(self.document["explanations"][0]["likelihood"])

    @property
    def quoted(self) -> str:
        """The evidence of the first explanation, as text."""
        return "\n".join(str(entry) for entry in self.document["explanations"][0]["evidence"])

    def says(self, *causes: str, at_least: str = "possible", given: str = "") -> Answer:
        """Hold the first cause (one of these, or a finer one) and how sure it is at least."""
        ranks = ("possible", "likely", "confirmed")
        shown = [f"{entry['cause']} ({entry['likelihood']})" for entry in self.document["explanations"]]
        right = any(self.first == cause or self.first.startswith(cause + ".") for cause in causes)
        assert right, f"{' or '.join(causes)} expected, not {shown[:5]}; evidence was:\n{given[-3000:]}"
        assert ranks.index(self.likelihood) >= ranks.index(at_least), f"{shown[:3]}; evidence was:\n{given[-3000:]}"
        return self


def explain(status: int | str, *evidence: Path | str, local: bool = False, **how: Any) -> Answer:
    """Ask the installed command. Without evidence, `local` lets it look at the machine it runs on."""
    paths = [str(path) for path in evidence]
    options = [] if local or paths else ["--no-local"]
    ended = gpudoctor("explain-exit", "--json", *options, "--", str(status), *paths, **how)
    assert "Traceback" not in ended.errors, ended.errors
    assert ended.stdout, f"exit {ended.status}: {ended.errors}"
    assert "explanations" in ended.document, ended.document
    return Answer(ended.document)


@dataclass(frozen=True)
class Crash:
    """How a job ended: its status as a shell shows it, and the file with everything that it wrote."""

    status: int
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def is_explained_by(self, *causes: str, at_least: str = "possible", more: Sequence[Path] = ()) -> Answer:
        """Hold that the log, with more evidence, leads to one of these causes first."""
        answer = explain(self.status, self.log, *more)
        names = ", ".join(path.name for path in more)
        return answer.says(*causes, at_least=at_least, given=f"exit {self.status}; {names}\n{self.text}")


def run(
    argv: Sequence[str],
    folder: Path,
    *,
    name: str = "job.log",
    env: Mapping[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
    timeout: float = 60.0,
) -> Crash:
    """Run a job to its end with both streams in one file; at the limit its whole process group is killed."""
    log = folder / name
    with (
        log.open("wb") as out,
        subprocess.Popen(
            list(argv),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment({"PYTHONFAULTHANDLER": None, **(env or {})}),
            preexec_fn=before,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"no end after {timeout} s: {argv}: {log.read_text(errors='replace')}") from None
    return Crash(shell_status(process.returncode), log)


def shell_status(returncode: int) -> int:
    """128 + n for the signal n, as a shell shows it."""
    return 128 - returncode if returncode < 0 else returncode


def in_shell(line: str, folder: Path, **how: Any) -> Crash:
    """Run a command line from a script of bash, which says of a signal what it was."""
    script = folder / "job.sh"
    script.write_text(f"{line}\nexit $?\n", encoding="utf-8")
    return run([*needed("bash"), str(script)], folder, **how)
