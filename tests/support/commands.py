"""The installed command in a child process, as a user's shell starts it, with nothing of this process's settings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOSTS = Path(__file__).resolve().parents[1] / "hosts"
SECONDS = 120
NOT_HANDED_ON = (
    "COLUMNS",
    "NO_COLOR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "FAKE_NV",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def surroundings(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that commands get."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON and name[:3] != "LC_"}
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(more or {})}


def recorded(name: str) -> str:
    """The folder of a recorded machine."""
    return str(HOSTS / name)


def document_of_failure(ended: Ended, kind: str, code: int) -> str:
    """Assert the JSON document of an error, and give its message."""
    assert ended.code == code
    document = ended.json
    assert set(document) == {"schema_version", "tool", "error"}
    assert (document["error"]["kind"], document["error"]["exit_code"]) == (kind, code)
    assert "Traceback" not in ended.err
    return str(document["error"]["message"])


def left_behind(mark: str) -> list[str]:
    """Processes that still run and were started with this mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"GPUDOCTOR_TEST_MARK={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found
