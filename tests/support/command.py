"""The installed `gpudoctor` command, run as its users run it: in a process of its own, looked at from outside.

Each run carries a mark in its environment, which everything that it starts inherits; `left_running` finds who has it
when the command has ended. That is independent of the token by which the tool itself finds its children.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

COMMAND = Path(sys.executable).with_name("gpudoctor")
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "report-1.0.schema.json"
MARK = "GPUDOCTOR_TEST_MARK"
# What one may wait beyond the command's own --timeout before the test itself gives up.
PATIENCE_SECONDS = 60.0
# A killed process is gone from /proc only when somebody has reaped it.
BURIAL_SECONDS = 2.0
# Nothing of these may change what a run sees, whoever starts the tests.
NOT_INHERITED = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "LD_LIBRARY_PATH", "COLUMNS", "NO_COLOR")


@dataclass(frozen=True)
class Ended:
    """How one run ended. `left` are the processes that outlived it, as `pid command line`."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    left: tuple[str, ...] = ()
    argv: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        return self.stderr.decode("utf-8", "replace")

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """Standard output as JSON; AssertionError with both streams where it is none."""
        try:
            found: dict[str, Any] = json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no JSON ({error}): {self.stdout[:500]!r}; stderr: {self.errors[-2000:]}") from error
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """Key to the fact as the report has it."""
        found: dict[str, Any] = self.document["facts"]
        return found

    def value(self, key: str) -> Any:
        """The value of a known fact; an unknown one fails the test with its reason."""
        fact = self.facts[key]
        assert "unknown" not in fact, f"{key}: {fact}"
        return fact["value"]

    @property
    def causes(self) -> list[str]:
        """The causes of all failed checks, in the order of the report."""
        return [finding["cause"] for finding in self.document["findings"] if finding["kind"] == "fail"]

    def is_whole(self) -> Ended:
        """A complete report: an exit code of a judgement, valid JSON, no traceback, no bug of ours, nobody left."""
        assert self.status in (0, 1), f"exit {self.status}: {self.errors[-2000:]} {self.text[-2000:]}"
        validator().validate(self.document)
        assert self.document["summary"]["exit_code"] == self.status
        assert "Traceback" not in self.errors, self.errors
        said = self.stdout.decode("utf-8")
        assert "collector bug" not in said
        bugs = [run for run in self.document["runs"] if "gpudoctor" in run["detail"] and "Traceback" in run["detail"]]
        assert not bugs
        assert not self.left
        return self


@functools.lru_cache(maxsize=1)
def validator() -> jsonschema.Draft202012Validator:
    """The published schema of reports."""
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def environment(more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of this process without what would change a run; None takes a variable away."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    for name, value in (more or {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def gpudoctor(
    *arguments: str,
    env: Mapping[str, str | None] | None = None,
    before: Sequence[str] = (),
    timeout: float = PATIENCE_SECONDS,
    **how: Any,
) -> Ended:
    """Run the command to its end. `before` is put in front of it (`unshare --net`, ...), `how` goes to Popen."""
    mark = uuid.uuid4().hex
    argv = [*before, str(COMMAND), *arguments]
    settings: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        **how,
        "env": {**environment(env), MARK: mark},
    }
    began = time.monotonic()
    with subprocess.Popen(argv, **settings) as process:
        try:
            out, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            raise AssertionError(f"no end after {timeout} s: {argv}: {out[-500:]!r} {errors[-2000:]!r}") from None
    seconds = time.monotonic() - began
    return Ended(process.returncode, out or b"", errors or b"", seconds, tuple(left_running(mark)), tuple(argv))


def check(*arguments: str, seconds: float = 30, **how: Any) -> Ended:
    """`gpudoctor check --json` with a limit in seconds."""
    return gpudoctor("check", "--json", "--timeout", f"{seconds:g}", *arguments, **how)


def left_running(mark: str) -> list[str]:
    """Who carries the mark of a run that has ended; whoever is only waiting to be reaped does not count."""
    limit = time.monotonic() + BURIAL_SECONDS
    while True:
        found = sorted(_carriers(mark))
        if not found or time.monotonic() > limit:
            return found
        time.sleep(0.02)


def _carriers(mark: str) -> list[str]:
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found.append(f"{folder.name} {words}")
        except OSError:
            continue
    return found


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that must come true."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "what was waited for did not happen"
        time.sleep(0.01)
