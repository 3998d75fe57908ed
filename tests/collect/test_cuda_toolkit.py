"""Holds which toolkit is found, by which of its files its version is told, and how nvcc is asked."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import cuda_toolkit
from gpudoctor.host.base import FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason
from gpudoctor.model.version import Version
from memory_host import MemoryHost

NVCC = """nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2024 NVIDIA Corporation
Cuda compilation tools, release 12.4, V12.4.131
Build cuda_12.4.r12.4/compiler.34097967_0
"""
HOME = "/usr/local/cuda-12.4"
FILES = {
    f"{HOME}/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}',
    f"{HOME}/compat/libcuda.so.550.54.15": "",
    f"{HOME}/compat/libcuda.so.1": "",
    "/usr/local/cuda-11.0/version.txt": "CUDA Version 11.0.228\n",
}
LINKS = {"/usr/local/cuda": HOME}
NODES = {f"{HOME}/bin/nvcc": FileInfo("file", mode=0o100755)}


def toolkit(nvcc: ChildEnd | None = None, **env: str):
    end = nvcc or ChildEnd(End.EXITED, 0, stdout=NVCC)
    commands = {f"{HOME}/bin/nvcc --version": end, "/usr/local/cuda/bin/nvcc --version": end}
    return collected(cuda_toolkit, MemoryHost(FILES, env=env, links=LINKS, nodes=NODES, commands=commands))


def test_an_image_with_toolkits():
    facts = toolkit(PATH=f"/usr/bin:{HOME}/bin", LD_LIBRARY_PATH="/usr/local/cuda/compat:/x")
    assert facts["cuda_toolkit.home"] == HOME
    assert facts["cuda_toolkit.version"] == Version.parse("12.4.1")
    assert facts["cuda_toolkit.paths"] == ("/usr/local/cuda", "/usr/local/cuda-11.0", HOME)
    assert facts["cuda_toolkit.versions"] == tuple(map(Version.parse, ("12.4.1", "11.0.228", "12.4.1")))
    assert facts["cuda_toolkit.nvcc_path"] == f"{HOME}/bin/nvcc"
    assert facts["cuda_toolkit.nvcc_version"] == Version.parse("12.4.131")
    assert facts["cuda_toolkit.compat_paths"] == (f"{HOME}/compat",)
    assert facts["cuda_toolkit.compat_versions"] == (Version.parse("550.54.15"),)
    assert facts["cuda_toolkit.compat_in_library_path"] is True


def test_a_home_that_does_not_exist():
    facts = toolkit(CUDA_HOME="/opt/cuda")
    assert facts["cuda_toolkit.home"] == "/opt/cuda"
    assert facts["cuda_toolkit.home_exists"] is False
    assert facts["cuda_toolkit.version"].reason is Reason.NO_DATA
    assert facts["cuda_toolkit.nvcc_path"] == "/usr/local/cuda/bin/nvcc"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ChildEnd(End.TIMED_OUT), Reason.TIMED_OUT),
        (ChildEnd(End.SIGNALLED, signal="SIGSEGV"), Reason.CRASHED),
        (ChildEnd(End.EXITED, 127, stderr="not found"), Reason.NO_DATA),
        (ChildEnd(End.EXITED, 0, stdout="hello"), Reason.UNPARSEABLE),
    ],
)
def test_an_nvcc_that_does_not_answer(end, reason):
    assert toolkit(nvcc=end)["cuda_toolkit.nvcc_version"].reason is reason


def test_debians_toolkit_tells_its_version_in_a_header():
    files = {"/usr/include/cuda.h": "#define CUDA_VERSION 11080\n"}
    nodes = {"/usr/bin/nvcc": FileInfo("file", mode=0o100755)}
    facts = collected(cuda_toolkit, MemoryHost(files, env={"PATH": "/usr/bin"}, nodes=nodes))
    assert facts["cuda_toolkit.home"] == "/usr"
    assert facts["cuda_toolkit.version"] == Version.parse("11.8")


def test_no_toolkit():
    facts = collected(cuda_toolkit, MemoryHost(env={"PATH": "/usr/bin:relative"}))
    for key in ("home", "version", "nvcc_path", "nvcc_version"):
        assert facts[f"cuda_toolkit.{key}"].reason is Reason.NOT_INSTALLED
    assert facts["cuda_toolkit.paths"] == ()
