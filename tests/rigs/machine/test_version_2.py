"""Control groups of version 2, on a kernel of its own: what they leave behind, seen from outside and from inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crashes import Answer, Crash, explain

pytestmark = [pytest.mark.rig, pytest.mark.slow]

KILLED = 137


def crashed(folder: Path) -> Crash:
    return Crash(int((folder / "status").read_text()), folder / "job.log")


def counters(folder: Path, name: str = "memory.events") -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in (folder / name).read_text().splitlines())}


def answered(folder: Path) -> Answer:
    """What the installed command said inside the machine."""
    text, errors = (folder / "local.json").read_text(), (folder / "local.json.errors").read_text()
    assert text, errors
    assert "Traceback" not in errors, errors
    return Answer(json.loads(text))


def test_a_job_at_its_limit_of_memory(machine: Path) -> None:
    folder = machine / "oom"
    died = crashed(folder)
    assert died.status == KILLED
    assert counters(folder)["oom_kill"] == 1
    died.is_explained_by("memory.host_oom_kill")
    died.is_explained_by("memory.host_oom_kill.cgroup", at_least="confirmed", more=[folder / "memory.events"])
    died.is_explained_by("memory.host_oom_kill.cgroup", at_least="confirmed", more=[folder / "dmesg.txt"])
    explain(KILLED, folder / "dmesg.txt").says("memory.host_oom_kill.cgroup", at_least="confirmed")


def test_the_same_seen_from_inside(machine: Path) -> None:
    answer = answered(machine / "oom").says("memory.host_oom_kill.cgroup", at_least="confirmed")
    assert "oom_kill_count = 1" in answer.quoted
    assert "Memory cgroup out of memory: Killed process" in answer.quoted


def test_the_same_seen_from_inside_without_the_kernel_log(machine: Path) -> None:
    answer = answered(machine / "unprivileged").says("memory.host_oom_kill.cgroup", at_least="likely")
    assert "oom_kill_count = 1" in answer.quoted
    assert "Killed process" not in answer.quoted


def test_all_processes_of_a_group_are_killed_together(machine: Path) -> None:
    folder = machine / "whole"
    died = crashed(folder)
    assert died.status == KILLED
    assert counters(folder)["oom_group_kill"] == 1
    assert counters(folder)["oom_kill"] >= 3
    evidence = [folder / "memory.events", folder / "dmesg.txt"]
    died.is_explained_by("memory.host_oom_kill.cgroup", at_least="confirmed", more=evidence)


def test_no_more_processes(machine: Path) -> None:
    folder = machine / "pids"
    died = crashed(folder)
    assert died.status == 2
    assert "can't fork: Resource temporarily unavailable" in died.text
    assert counters(folder, "pids.events")["max"] >= 1
    died.is_explained_by("limits.pids_thread_create", at_least="confirmed")
    assert "fork rejected by pids controller" in (folder / "dmesg.txt").read_text()
    explain(died.status, folder / "dmesg.txt").says("limits.pids_thread_create", at_least="likely")
    explain(died.status, folder / "pids.events").says("limits.pids_thread_create", at_least="likely")


def test_the_whole_machine_runs_out_of_memory(machine: Path) -> None:
    folder = machine / "machine"
    died = crashed(folder)
    assert died.status == KILLED
    assert "CONSTRAINT_NONE" in (folder / "dmesg.txt").read_text()
    died.is_explained_by("memory.host_oom_kill.node", at_least="confirmed", more=[folder / "dmesg.txt"])


def test_the_facts_are_what_the_files_hold(machine: Path) -> None:
    folder = machine / "check"
    report = json.loads((folder / "check.json").read_text())
    facts = report["facts"]

    def known(key: str) -> Any:
        return facts[key].get("value", facts[key])

    def line(name: str) -> str:
        return (folder / name).read_text().strip()

    events, pids = counters(folder), counters(folder, "pids.events")
    assert known("cgroup.version") == 2
    assert known("cgroup.layout") == "v2"
    assert known("cgroup.path") == "/limited"
    assert known("cgroup.memory_limit_bytes") == int(line("memory.max")) == 128 << 20
    assert known("cgroup.memory_high_bytes")["unknown"] == "not_applicable"
    assert line("memory.high") == "max"
    assert known("cgroup.memory_limit_hit_count") == events["max"]
    assert known("cgroup.oom_count") == events["oom"]
    assert known("cgroup.oom_kill_count") == events["oom_kill"] == 1
    assert known("cgroup.oom_kills_whole_group") is (line("memory.oom.group") == "1")
    assert known("cgroup.memory_peak_bytes") == int(line("memory.peak"))
    assert known("cgroup.pids_limit") == int(line("pids.max")) == 100
    assert known("cgroup.pids_limit_hit_count") == pids["max"] == 0
    quota, period = line("cpu.max").split()
    assert known("cgroup.cpu_limit_cores") == int(quota) / int(period) == 2.0
    assert known("kernel_log.source") == "/dev/kmsg"
    assert any("Killed process" in entry for entry in known("kernel_log.oom_lines"))
    assert counters(folder / "after") == events, "nothing but the job ran out of memory"


def test_a_check_inside_tells_of_the_kill(machine: Path) -> None:
    report = json.loads((machine / "check" / "check.json").read_text())
    causes = [finding["cause"] for finding in report["findings"] if finding["kind"] == "fail"]
    assert "memory.host_oom_kill.cgroup" in causes
