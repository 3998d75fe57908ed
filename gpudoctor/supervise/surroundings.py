"""The variables that make a command leave more behind when it dies, and the folder of our own that they point to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

FOLDER_VARIABLES = ("TMPDIR", "TEMP", "TMP")


class Surroundings(NamedTuple):
    """The command's environment, and a folder that goes when the run ends (empty: none could be made)."""

    env: dict[str, str]
    folder: str
    error_file: str
    nccl_log: str


def surroundings(env: Mapping[str, str], nccl_log: bool) -> Surroundings:
    """What the command gets: nothing that is set already is changed."""
    changed = dict(env)
    changed.setdefault("PYTHONFAULTHANDLER", "1")
    folder = _folder(env) if "TORCHELASTIC_ERROR_FILE" not in env or nccl_log else ""
    error_file, log = env.get("TORCHELASTIC_ERROR_FILE", ""), ""
    if folder and not error_file:
        error_file = changed["TORCHELASTIC_ERROR_FILE"] = f"{folder}/error.json"
    if folder and nccl_log:
        changed.setdefault("NCCL_DEBUG", "INFO")
        log = changed.setdefault("NCCL_DEBUG_FILE", f"{folder}/nccl.%h.%p.log")
    return Surroundings(changed, folder, error_file, log)


def _folder(env: Mapping[str, str]) -> str:
    for place in [env.get(name, "") for name in FOLDER_VARIABLES] + ["/tmp"]:
        path = f"{place}/gpudoctor-run-{os.getpid()}-{os.urandom(4).hex()}"
        if place:
            try:
                os.mkdir(path, 0o700)
            except OSError:
                continue
            return path
    return ""


def remove(folder: str) -> None:
    """Take the folder away with all that is in it."""
    if not folder:
        return
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            try:
                os.unlink(os.path.join(parent, name))
            except OSError:
                continue
        try:
            os.rmdir(parent)
        except OSError:
            continue
