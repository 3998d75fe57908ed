"""The composed machines speak as our scripts do: a real examination writes the same steps with the same keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import fake_torch
from gpudoctor.host.local import LocalHost
from gpudoctor.probe.target import Choice
from gpudoctor.probe.zygote import RUNTIME, start

HOSTS = Path(__file__).parent / "hosts"
# Keys that a line carries only where there is something to tell.
OPTIONAL = {"warnings", "numpy", "requires_python", "version_xpu"}


def shape(lines: Iterable[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    """For each step and kind of line, which keys it has been seen with."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        kind = str(line.get("outcome") or sorted(set(line) - {"step"})[0] if len(line) > 1 else "")
        found.setdefault((line["step"], kind), set()).update(set(line) - OPTIONAL)
    return found


def recorded(host: str) -> list[dict[str, Any]]:
    """The lines of the target's child on a composed machine."""
    index = json.loads((HOSTS / host / "host.json").read_text())
    return index["children"]["target"]["lines"]


def test_a_torch_that_sees_its_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = fake_torch.write(tmp_path / "torches", is_available="return True", count=2)
    assert shape(recorded("h100x2-driver580-cu130")) == shape(real(folder, monkeypatch))


def test_a_torch_that_cuda_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    warned = f"import warnings; warnings.warn({fake_torch.OLD_DRIVER!r}); return False"
    folder = fake_torch.write(tmp_path / "torches", is_available=warned)
    assert shape(recorded("driver470-cu128")) == shape(real(folder, monkeypatch))


def real(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines of a real child with this torch."""
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with LocalHost(60.0) as host:
        end, _ = start(host, Choice(sys.executable, "this one"), True, (RUNTIME,))
    return [dict(line) for line in end.lines]
