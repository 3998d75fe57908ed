"""Holds, on real control groups and mounts, that limits and sizes are told as the kernel enforces them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from gpudoctor.collect.registry import collectors
from gpudoctor.host.local import LocalHost
from gpudoctor.model.fact import Unknown
with LocalHost(20) as host:
    one = next(item for item in collectors() if item.name == sys.argv[1])
    facts, run = one.run(host)
assert run.outcome == "completed", run.detail
print(json.dumps({f.key: f.value.detail if isinstance(f.value, Unknown) else f.value for f in facts}))
"""


def collected_by(*argv: str) -> dict[str, object]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.rig
def test_a_shared_memory_of_16_mib(rig_requires):
    rig_requires("unshare", "mount", root=True)
    command = 'mount -t tmpfs -o size=16m tmpfs /dev/shm && head -c 1048576 /dev/zero >/dev/shm/torch_1 && exec "$@"'
    facts = collected_by("unshare", "-m", "sh", "-c", command, "sh", sys.executable, "-c", PROGRAM, "shm")
    assert facts["shm.size_bytes"] == 16 * 1024 * 1024
    assert facts["shm.used_bytes"] == 1024 * 1024
    assert facts["shm.is_mounted"] is True
    assert facts["shm.training_file_count"] == 1


@pytest.mark.rig
def test_limits_of_the_shell():
    command = 'ulimit -n 333 -c 0 -s 4096 && exec "$@"'
    facts = collected_by("bash", "-c", command, "bash", sys.executable, "-c", PROGRAM, "limits")
    assert facts["limits.nofile"] == facts["limits.nofile_hard"] == 333
    assert facts["limits.core_bytes"] == 0
    assert facts["limits.stack_bytes"] == 4096 * 1024


@pytest.mark.rig
def test_a_real_memory_limit_and_a_real_kill(rig_requires):
    rig_requires("bash", root=True)
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    v1 = (first / "memory.limit_in_bytes").exists()
    parent = first if v1 else second
    if not v1 and "memory" not in (second / "cgroup.subtree_control").read_text(encoding="utf-8").split():
        pytest.skip("no memory controller can be handed to a group of ours here")
    group = parent / f"gpudoctor-test-{os.getpid()}"
    group.mkdir()
    try:
        limit = group / ("memory.limit_in_bytes" if v1 else "memory.max")
        limit.write_text(str(96 << 20), encoding="utf-8")
        hog = f"{sys.executable} -c 'x = bytearray(300 << 20)'"
        command = f'echo $$ > {group}/cgroup.procs; {hog}; exec "$@"'
        facts = collected_by("bash", "-c", command, "bash", sys.executable, "-c", PROGRAM, "cgroup")
    finally:
        group.rmdir()
    assert facts["cgroup.version"] == (1 if v1 else 2)
    assert facts["cgroup.memory_limit_bytes"] == 96 << 20
    assert facts["cgroup.oom_kill_count"] == 1
    assert facts["cgroup.memory_limit_hit_count"] > 0
    assert 0 < facts["cgroup.memory_used_bytes"] <= 96 << 20
