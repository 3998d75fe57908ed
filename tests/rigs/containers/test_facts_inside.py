"""The installed command inside real containers: what it finds out is what the engine says that it was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command import COMMAND
from engines import Ended, Engine, host_mounts

pytestmark = [pytest.mark.rig, pytest.mark.slow]

MEBIBYTE = 1 << 20


def facts(engine: Engine, folder: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts that were found inside (known ones by their values), and the engine's word on the container."""
    variables = ["--env", "HOME=/tmp", "--env", "PYTHONDONTWRITEBYTECODE=1"]
    ended = engine.run(folder, [*host_mounts(), *variables, *options], str(COMMAND), "facts", "--json")
    assert ended.status == 0, ended.crash.text[-3000:]
    found = json.loads(ended.stdout)["facts"]
    known = {key: fact["value"] if "value" in fact else f"unknown: {fact['unknown']}" for key, fact in found.items()}
    agrees(engine, known, ended)
    return known, ended.container


def agrees(engine: Engine, known: dict[str, Any], ended: Ended) -> None:
    """What holds in every container."""
    asked = ended.container["HostConfig"]
    assert known["container.kind"] == engine.name
    assert known["cgroup.memory_limit_bytes"] == (asked["Memory"] or "unknown: not_applicable")
    pids = asked["PidsLimit"]
    assert known["cgroup.pids_limit"] == (pids if pids and pids > 0 else "unknown: not_applicable")
    assert known["shm.size_bytes"] == asked["ShmSize"]
    assert known["mounts.root_is_read_only"] is asked["ReadonlyRootfs"]
    assert known["limits.nofile"] == 1024
    user = ended.container["Config"]["User"].partition(":")[0] or "0"
    assert known["process.user_id"] == int(user)
    assert known["process.is_root"] is (user == "0")
    assert known["init.is_this_process"] is not bool(asked.get("Init"))


def test_as_it_comes(engine: Engine, tmp_path: Path) -> None:
    known, _container = facts(engine, tmp_path)
    assert "CAP_CHOWN" in known["process.capabilities"]
    assert "CAP_SYS_ADMIN" not in known["process.capabilities"]
    assert known["container.nvidia_visible_devices"] == "unknown: not_applicable"
    assert known["network.interfaces"] == ["lo"]


def test_with_limits(engine: Engine, tmp_path: Path) -> None:
    limits = ["--memory", "512m", "--pids-limit", "77", "--shm-size", "128m", "--cpus", "0.5"]
    known, container = facts(engine, tmp_path, *limits)
    assert known["cgroup.memory_limit_bytes"] == 512 * MEBIBYTE
    assert known["cgroup.memory_used_bytes"] < 512 * MEBIBYTE
    assert known["cgroup.oom_kill_count"] == 0
    assert known["cgroup.pids_limit"] == 77
    assert known["shm.size_bytes"] == 128 * MEBIBYTE
    assert known["cgroup.cpu_limit_cores"] == pytest.approx(0.5)
    assert container["HostConfig"]["Memory"] == 512 * MEBIBYTE


def test_not_as_root(engine: Engine, tmp_path: Path) -> None:
    known, _container = facts(engine, tmp_path, "--user", "4321:4321")
    assert known["process.user_id"] == 4321
    assert known["process.capabilities"] == []
    assert known["process.user_name"].startswith("unknown")


def test_read_only_and_without_rights(engine: Engine, tmp_path: Path) -> None:
    known, _container = facts(
        engine, tmp_path, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"
    )
    assert known["process.capabilities"] == []
    assert known["process.capability_bounds"] == []
    assert known["process.no_new_privileges"] is True
    assert known["mounts.root_is_read_only"] is True


def test_with_64_mebibytes_of_shared_memory_and_an_init(engine: Engine, tmp_path: Path) -> None:
    known, _container = facts(engine, tmp_path, "--shm-size", "64m", "--init")
    assert known["shm.size_bytes"] == 64 * MEBIBYTE
    assert known["init.reaps_children"] is True


def test_the_variables_of_the_nvidia_runtime(engine: Engine, tmp_path: Path) -> None:
    known, _container = facts(
        engine,
        tmp_path,
        *("--env", "NVIDIA_VISIBLE_DEVICES=all", "--env", "NVIDIA_DRIVER_CAPABILITIES=compute"),
        *("--env", "NVIDIA_REQUIRE_CUDA=cuda>=12.4"),
    )
    assert known["container.nvidia_visible_devices"] == "all"
    assert known["container.nvidia_driver_capabilities"] == "compute"
    assert known["container.nvidia_require_cuda"] == "cuda>=12.4"


def test_a_check_in_a_container_without_gpu(engine: Engine, tmp_path: Path) -> None:
    options = [*host_mounts(), "--env", "NVIDIA_VISIBLE_DEVICES=all", "--pids-limit", "64", "--memory", "512m"]
    ended = engine.run(tmp_path, options, str(COMMAND), "check", "--json", "--timeout", "30")
    assert ended.status == 1, ended.crash.text[-3000:]
    causes = [finding["cause"] for finding in json.loads(ended.stdout)["findings"] if finding["kind"] == "fail"]
    assert any(cause.startswith("container.") for cause in causes), causes
