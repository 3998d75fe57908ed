"""Holds what is said of process 1."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import init
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost


def facts_for(comm: str, command: str, pid: int = 7):
    files = {"/proc/1/comm": comm + "\n", "/proc/1/cmdline": command.replace(" ", "\0") + "\0"}
    return collected(init, MemoryHost(files, identity={"pid": pid}))


@pytest.mark.parametrize(
    ("comm", "command", "reaps"),
    [
        ("tini", "/usr/bin/tini -- python train.py", True),
        ("docker-init", "/sbin/docker-init -- python train.py", True),
        ("systemd", "/sbin/init", True),
        ("python3", "python3 train.py", False),
        ("python3.11", "python3.11 train.py", False),
        ("torchrun", "/opt/conda/bin/python /opt/conda/bin/torchrun", False),
        ("sleep", "sleep infinity", False),
    ],
)
def test_reaping(comm, command, reaps):
    facts = facts_for(comm, command)
    assert facts["init.reaps_children"] is reaps
    assert facts["init.name"] == comm
    assert facts["init.command"] == command


def test_a_program_that_is_not_known():
    assert facts_for("trainer", "/app/trainer")["init.reaps_children"].reason is Reason.NO_DATA


def test_we_are_process_1():
    assert facts_for("python3", "python3 x.py", pid=1)["init.is_this_process"] is True


def test_hidden_processes():
    facts = collected(init, MemoryHost(errors={"/proc/1": "ENOENT"}))
    assert isinstance(facts["init.reaps_children"], Unknown)
