"""Jobs that really run out of memory in a control group: the main process, a child, and what each leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crashes import explain, in_shell, needed, run

pytestmark = [pytest.mark.rig, pytest.mark.slow]

# What a job looks like that prepares data in a child, as loaders of data do.
PARENT = """\
import subprocess, sys
child = subprocess.run([sys.argv[1], "eat", "512"])
print("step 1 loss 2.31", flush=True)
if child.returncode:
    raise RuntimeError(f"data worker (pid 17) died with {child.returncode}")
"""


def kernel_lines(folder: Path, group: Path) -> list[Path]:
    """What the kernel's log says about a group, where it can be read."""
    done = subprocess.run([*needed("dmesg")], capture_output=True, text=True, errors="replace", timeout=20, check=False)
    lines = done.stdout.splitlines()
    starts = [place for place, line in enumerate(lines) if f"task_memcg=/{group.name}," in line]
    if done.returncode != 0 or not starts:
        return []
    log = folder / "dmesg.txt"
    log.write_text("\n".join(lines[starts[-1] : starts[-1] + 3]) + "\n", encoding="utf-8")
    return [log]


def test_the_main_process_is_killed_for_memory(crash: str, memory_group, tmp_path: Path) -> None:
    died = in_shell(f"{crash} eat 512", tmp_path, before=memory_group.enter)
    assert died.status == 137
    assert "Killed" in died.text
    died.is_explained_by("memory.host_oom_kill", at_least="possible")
    counters = memory_group.counters(tmp_path)
    assert "oom_kill 1" in counters.read_text()
    died.is_explained_by("memory.host_oom_kill", at_least="confirmed", more=[counters])
    log = kernel_lines(tmp_path, memory_group.folder)
    if log:
        assert "Memory cgroup out of memory" in log[0].read_text()
        died.is_explained_by("memory.host_oom_kill.cgroup", at_least="confirmed", more=log)
        assert explain(137, *log).first == "memory.host_oom_kill.cgroup"


def test_a_child_is_killed_for_memory_and_the_job_exits_1(crash: str, memory_group, tmp_path: Path) -> None:
    died = run([sys.executable, "-c", PARENT, crash], tmp_path, before=memory_group.enter)
    assert died.status == 1
    counters = memory_group.counters(tmp_path)
    died.is_explained_by("memory.host_oom_kill", at_least="likely", more=[counters])


def test_a_job_that_ends_well_although_a_child_was_killed(crash: str, memory_group, tmp_path: Path) -> None:
    died = in_shell(f"{crash} eat 512\n{crash} exit 0", tmp_path, before=memory_group.enter)
    assert died.status == 0
    answer = explain(0, died.log, memory_group.counters(tmp_path))
    assert answer.document["verdict"] != "unexplained"
    assert not answer.causes or answer.first.startswith(("memory.host_oom_kill", "benign.")), answer.causes


def test_the_counters_are_read_where_it_happened(crash: str, memory_group, tmp_path: Path) -> None:
    died = in_shell(f"{crash} eat 512", tmp_path, before=memory_group.enter)
    assert died.status == 137
    answer = explain(137, local=True, preexec_fn=memory_group.enter)
    assert answer.first.startswith("memory.host_oom_kill"), answer.causes
