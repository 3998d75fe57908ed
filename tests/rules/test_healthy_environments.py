"""Sixty-odd healthy environments, composed from the tables: every GPU generation, WSL, Jetson, aarch64, ROCm, CPU only.

Each is what somebody runs without complaint, so none may get an error or a warning. The builds, their architectures and
their partners come from the tables; driver, GPU and Python are written down here.
"""

from __future__ import annotations

from typing import Any

import pytest

from derived import judged, tables
from gpudoctor.knowledge import builds, rows
from gpudoctor.model.diagnosis import Health
from gpudoctor.model.finding import Kind
from gpudoctor.model.rule import Severity
from gpudoctor.model.version import Version
from machines import ABSENT, BARE, CPU_TORCH, JETSON, UNAVAILABLE, UNSET, machine, wsl

DRIVER_CUDA = {
    "450": "11.0", "470": "11.4", "510": "11.6", "515": "11.7", "520": "11.8", "525": "12.0", "530": "12.1",
    "535": "12.2", "545": "12.3", "550": "12.4", "555": "12.5", "560": "12.6", "565": "12.7", "570": "12.8",
    "575": "12.9", "580": "13.0", "590": "13.1", "595": "13.2", "610": "13.3", "615": "13.4",
}  # fmt: skip
# GPU, its compute capability, how many, driver, torch, Python, and what else is to be said.
LINUX = """
Tesla K80                                  3.7  2  470.256.02   2.7.1+cu118   3.9
Tesla K80                                  3.7  1  470.161.03   1.13.1+cu116  3.10
Tesla M40                                  5.2  1  535.183.01   2.6.0+cu124   3.11
Tesla M60                                  5.2  1  550.127.05   2.9.1+cu126   3.12
NVIDIA GeForce GTX 980 Ti                  5.2  1  535.183.01   2.2.2+cu118   3.10
NVIDIA GeForce GTX 1080 Ti                 6.1  1  535.154.05   2.1.2+cu121   3.10
NVIDIA GeForce GTX 1080                    6.1  1  580.95.05    2.14.1+cu126  3.12
Tesla P100-SXM2-16GB                       6.0  4  550.144.03   2.5.1+cu124   3.11
Tesla P100-PCIE-16GB                       6.0  1  525.147.05   2.0.1+cu117   3.9
Tesla P40                                  6.1  2  550.90.07    2.7.0+cu126   3.12
NVIDIA TITAN V                             7.0  1  535.183.01   2.4.1+cu121   3.10
Tesla V100-SXM2-16GB                       7.0  8  470.223.02   2.0.1+cu118   3.8
Tesla V100-SXM2-32GB                       7.0  8  535.216.03   2.7.1+cu118   3.9
Tesla V100-PCIE-32GB                       7.0  1  580.82.07    2.10.0+cu128  3.12
Tesla T4                                   7.5  1  535.183.01   2.13.0+cu126  3.11
Tesla T4                                   7.5  1  470.161.03   1.12.1+cu113  3.8
Tesla T4                                   7.5  4  580.95.05    2.14.1+cu132  3.13
NVIDIA GeForce RTX 2080 Ti                 7.5  2  550.120      2.6.0+cu124   3.13
Quadro RTX 8000                            7.5  1  525.85.12    2.3.1+cu121   3.11
NVIDIA A100-SXM4-40GB                      8.0  8  450.248.02   1.13.1+cu117  3.9
NVIDIA A100-SXM4-80GB                      8.0  8  535.129.03   2.8.0+cu128   3.12
NVIDIA A100-SXM4-80GB                      8.0  1  570.211.01   2.12.0+cu126  3.13
NVIDIA A100-PCIE-40GB                      8.0  2  515.105.01   2.5.1+cu118   3.11
NVIDIA A100 80GB PCIe                      8.0  4  595.45.04    2.14.0+cu132  3.14
NVIDIA A800-SXM4-80GB                      8.0  8  535.161.08   2.4.0+cu124   3.10
NVIDIA A30                                 8.0  2  525.125.06   2.2.0+cu121   3.8
NVIDIA A10                                 8.6  1  535.104.05   2.8.0+cu126   3.11
NVIDIA A10G                                8.6  4  550.163.01   2.9.0+cu128   3.12
NVIDIA A40                                 8.6  8  560.35.03    2.11.0+cu126  3.13
NVIDIA RTX A6000                           8.6  2  545.29.06    2.3.0+cu121   3.12
NVIDIA GeForce RTX 3090                    8.6  1  565.57.01    2.9.1+cu126   3.14
NVIDIA GeForce RTX 3060                    8.6  1  530.41.03    2.1.0+cu118   3.11
NVIDIA GeForce RTX 3080 Laptop GPU         8.6  1  555.58.02    2.6.0+cu126   3.12
NVIDIA GeForce RTX 4090                    8.9  8  535.104.05   2.8.0+cu129   3.12
NVIDIA GeForce RTX 4090                    8.9  1  580.95.05    2.13.0+cu130  3.14
NVIDIA GeForce RTX 4060 Laptop GPU         8.9  1  550.54.14    2.7.0+cu128   3.13
NVIDIA L4                                  8.9  1  535.216.01   2.10.0+cu126  3.10
NVIDIA L40S                                8.9  4  570.86.15    2.7.1+cu128   3.11
NVIDIA RTX 6000 Ada Generation             8.9  2  560.35.03    2.5.0+cu124   3.12
NVIDIA H100 80GB HBM3                      9.0  8  535.161.08   2.3.1+cu121   3.10
NVIDIA H100 80GB HBM3                      9.0  8  580.82.07    2.12.1+cu130  3.13
NVIDIA H100 PCIe                           9.0  2  525.147.05   2.1.2+cu118   3.11
NVIDIA H800                                9.0  8  550.127.08   2.6.0+cu126   3.12
NVIDIA H200                                9.0  8  570.124.06   2.9.1+cu128   3.12
NVIDIA H200                                9.0  8  590.44.01    2.14.1+cu132  3.14
NVIDIA H20                                 9.0  8  550.144.03   2.5.1+cu121   3.10
NVIDIA B200                                10.0 8  570.133.20   2.7.1+cu128   3.12
NVIDIA B200                                10.0 8  580.95.05    2.14.0+cu130  3.13
NVIDIA B300 SXM6 AC                        10.3 8  580.95.05    2.12.0+cu130  3.14
NVIDIA GeForce RTX 5090                    12.0 1  570.124.06   2.7.0+cu128   3.12
NVIDIA GeForce RTX 5090                    12.0 2  615.71.09    2.14.1+cu132  3.14
NVIDIA GeForce RTX 5060 Ti                 12.0 1  575.57.08    2.8.0+cu129   3.9
NVIDIA RTX PRO 6000 Blackwell Workstation Edition 12.0 4 580.95.05 2.13.0+cu132 3.13
"""
AARCH64 = """
NVIDIA GH200 480GB                         9.0  1  550.127.05   2.5.1+cu124   3.12
NVIDIA GH200 480GB                         9.0  1  580.82.07    2.13.0+cu130  3.11
NVIDIA GB200                               10.0 4  580.95.05    2.12.0+cu130  3.12
NVIDIA GB10                                12.1 1  580.95.05    2.13.0+cu130  3.13
"""


def build(label: str, machine_name: str) -> dict[str, Any]:
    """An official build with its own architectures and the partners that were released for it."""
    version = Version.parse(label)
    release, variant = builds.release_row(version, tables()), builds.variant_row(version, version.local, tables())
    assert release is not None, label
    assert variant is not None, label
    codes = rows.versions(variant, "sm_aarch64" if machine_name == "aarch64" else "sm_x86_64")
    partners = {
        f"{name}.version": f"{found}{'+' + version.local if name != 'triton' else ''}"
        for name in ("torchvision", "torchaudio", "triton")
        if (found := rows.version(release, name))
    }
    known = {"torch.arch_list": [f"sm_{code.major}{code.minor}" for code in codes]} if codes else {}
    return {
        "torch.version": label,
        "torch.metadata_version": label,
        "torch.build": "cuda",
        "torch.cuda_version": str(rows.version(variant, "cuda")),
        "torch.cuda_available": True,
        "numpy.version": "2.1.3" if rows.flag(release, "numpy2_linux") else "1.26.4",
        "compiler.c_path": "/usr/bin/gcc",
        **known,
        **partners,
    }


def composed(text: str, machine_name: str) -> dict[str, dict[str, Any]]:
    """The lines of a table above as whole machines."""
    found = {}
    for line in text.strip().splitlines():
        *words, capability, count, driver, label, python = line.split()
        name, number = " ".join(words), int(count)
        base = machine(driver, DRIVER_CUDA[driver.split(".")[0]], [name] * number, capability)
        found[f"{number}x {name}, {driver}, {label}, {machine_name}"] = {
            **base,
            "kernel.machine": machine_name,
            "python.version": f"{python}.4",
            "torch.device_count": number,
            **build(label, machine_name),
        }
    return found


def others() -> dict[str, dict[str, Any]]:
    """What is not an ordinary GPU server."""
    h100 = composed(LINUX, "x86_64")["8x NVIDIA H100 80GB HBM3, 580.82.07, 2.12.1+cu130, x86_64"]
    found = {
        "WSL2": wsl(),
        "WSL2 with a new torch": {**wsl(), **build("2.14.1+cu126", "x86_64")},
        "Jetson": JETSON,
        "without CUDA on purpose": {**h100, **CPU_TORCH, "torch.version": "2.12.1+cpu", "expect.gpus": "none"},
        "a container of eight": {
            **h100,
            "container.kind": "docker",
            "shm.size_bytes": 64 << 30,
            "init.name": "tini",
            "init.reaps_children": True,
        },
        "a Kubernetes pod with limits": {
            **h100,
            "container.kind": "kubernetes",
            "cgroup.memory_limit_bytes": 512 << 30,
            "cgroup.memory_used_bytes": 90 << 30,
            "cgroup.pids_limit": 100_000,
            "cgroup.pids_used": 900,
        },
        "InfiniBand with everything allowed": {
            **h100, "rdma.device_nodes": ["uverbs0"], "limits.memlock_bytes": UNSET, "limits.nofile": 1_048_576
        },
        "Slurm on two nodes": {
            **h100,
            "job.scheduler": "slurm",
            "job.node_count": 2,
            "network.host_name_is_loopback": False,
            "env.nccl_socket_ifname": "eth0",
            "network.nccl_interfaces": ["eth0"],
        },
        "no torch yet": {
            **h100, "torch.installed": False, "torch.import_outcome": "not_installed", "torch.version": ABSENT,
            "torch.build": ABSENT, "torch.cuda_version": ABSENT, "torch.cuda_available": ABSENT,
            "torch.runtime_outcome": ABSENT, "torch.metadata_version": ABSENT, "torch.arch_list": ABSENT,
        },
    }  # fmt: skip
    for rocm in ("2.9.1+rocm6.4", "2.6.0+rocm6.2.4"):
        found[f"ROCm, {rocm}"] = {**BARE, "torch.version": rocm, "torch.build": "rocm", "torch.cuda_available": True}
    for python, torch in (
        ("3.9", "2.8.0"),
        ("3.10", "2.9.1"),
        ("3.11", "2.15.0"),
        ("3.13", "2.14.1"),
        ("3.14", "2.13.0"),
    ):
        found[f"CPU only, Python {python}"] = {
            **BARE,
            **UNAVAILABLE,
            "torch.version": f"{torch}+cpu",
            "torch.build": "cpu",
            "torch.cuda_version": UNSET,
            "python.version": f"{python}.1",
        }
    return found


ENVIRONMENTS = {**composed(LINUX, "x86_64"), **composed(AARCH64, "aarch64"), **others()}


def test_there_are_enough_of_them() -> None:
    assert len(ENVIRONMENTS) >= 60
    capabilities = {line.split()[-5].split(".")[0] for line in LINUX.strip().splitlines()}
    assert capabilities == {"3", "5", "6", "7", "8", "9", "10", "12"}
    pythons = {facts["python.version"].rpartition(".")[0] for facts in ENVIRONMENTS.values()}
    assert {"3.9", "3.10", "3.11", "3.12", "3.13", "3.14"} <= pythons


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_healthy_environment_gets_neither_error_nor_warning(name: str) -> None:
    judgement = judged(ENVIRONMENTS[name])
    loud = (Severity.ERROR, Severity.WARNING)
    shouted = [
        f"{one.severity.value} {one.check}: {one.message}"
        for one in judgement.findings
        if one.kind is Kind.FAIL and one.severity in loud
    ]
    assert shouted == []
    assert judgement.health is Health.HEALTHY
