"""Packages called torch that behave as broken ones do, written into a folder for PYTHONPATH.

The healthy one has the attributes that the real one has for a CUDA build, in plain Python. `on_import` is source that
runs at the start of the import, `is_available` the body of torch.cuda.is_available; BEHAVIOURS holds the ways to die.
"""

from __future__ import annotations

from pathlib import Path

MISSING_CUDART = "libcudart.so.12: cannot open shared object file: No such file or directory"
NVJITLINK = (
    "/opt/venv/lib/python3.11/site-packages/torch/lib/../../nvidia/cusparse/lib/libcusparse.so.12: undefined symbol: "
    "__nvJitLinkComplete_12_4, version libnvJitLink.so.12"
)
NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from "
    "http://www.nvidia.com/Download/index.aspx"
)
OLD_DRIVER = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
    "driver. (Triggered internally at /pytorch/c10/cuda/CUDAFunctions.cpp:109.)"
)
BEHAVIOURS = {
    "segfault": "import ctypes; ctypes.string_at(0)",
    "abort": "import os, sys; sys.stderr.write('terminate called\\n'); sys.stderr.flush(); os.abort()",
    "sys_exit": "import sys; sys.exit(3)",
    "os_exit": "import os; os._exit(3)",
    "hang": "import time; time.sleep(600)",
    "hang_with_child": "import os, time\nif os.fork() == 0:\n    os.setsid()\ntime.sleep(600)",
    "missing_cudart": f"raise ImportError({MISSING_CUDART!r})",
    "nvjitlink": f"raise ImportError({NVJITLINK!r})",
    "numpy": "raise ImportError(\"numpy.core.multiarray failed to import\", name='numpy.core.multiarray')",
    "no_module": "import a_module_that_nobody_has",
    "binary_noise": "import os; os.write(1, bytes(range(256)) * 8); os.write(2, b'\\xff\\xfe from a library\\n')",
    "flood": "import os\nfor _ in range(160): os.write(1, b'x' * 65535 + b'\\n')",
    "warns": "import warnings; warnings.warn('Failed to initialize NumPy: _ARRAY_API not found')",
    "circular": "from torch.cuda import is_available_too",
    "recursion": "def again(): again()\nagain()",
    "huge_error": "raise RuntimeError('y' * 5_000_000)",
    "error_without_text": "class Bad(Exception):\n    def __str__(self): raise ValueError('no')\nraise Bad()",
    "closes_files": "import os; os.closerange(3, 4096)",
}
METADATA = """Metadata-Version: 2.1
Name: torch
Version: {version}
Summary: Tensors
Requires-Python: >=3.8
Requires-Dist: filelock
Requires-Dist: nvidia-cudnn-cu12==9.1.0.70 ; platform_system == "Linux"

A description with a header: of its own
"""
INIT = """{on_import}
from torch.version import __version__
from torch import _C, cuda, version, backends, distributed, __config__
"""
C_MODULE = """
_GLIBCXX_USE_CXX11_ABI = True
{arch_flags}
class _cudnn:
    @staticmethod
    def getCompileVersion(): return (9, 13, 0)
"""
CUDA = """
class _Properties:
    name = "NVIDIA H100 80GB HBM3"
    major, minor = 9, 0
    total_memory = 85_000_000_000
    multi_processor_count = 132
    uuid = "c3a1f0de-0000-0000-0000-000000000000"
def is_available():
{is_available}
def device_count(): return {count}
def is_initialized(): return False
def get_device_properties(index): return _Properties()
def init(): {init}
"""


def write(
    folder: Path,
    on_import: str = "",
    *,
    version: str = "2.9.1+cu130",
    cuda: str | None = "13.0",
    hip: str | None = None,
    is_available: str = "return False",
    count: int = 0,
    init: str = f"raise RuntimeError({NO_DRIVER!r})",
    arch_list: str | None = "sm_80 sm_90 compute_90",
    cudnn: str = "return 91300",
    metadata: bool = True,
) -> Path:
    """Write one package; gives back the folder, which belongs on PYTHONPATH."""
    torch = folder / "torch"
    flags = f"def _cuda_getArchFlags(): return {arch_list!r}" if arch_list is not None else ""
    body = "\n".join("    " + line for line in is_available.splitlines())
    files = {
        "__init__.py": INIT.format(on_import=BEHAVIOURS.get(on_import, on_import)),
        "version.py": version_file(version, cuda, hip),
        "_C.py": C_MODULE.format(arch_flags=flags),
        "cuda/__init__.py": CUDA.format(is_available=body, count=count, init=init),
        "cuda/nccl.py": "def version(): return (2, 27, 5)\n",
        "backends/__init__.py": "from . import cudnn\n",
        "backends/cudnn.py": f"def version(): {cudnn}\n",
        "distributed.py": "def is_available(): return True\nis_nccl_available = is_gloo_available = is_available\n"
        "def is_mpi_available(): return False\n",
        "__config__.py": "def show(): return 'PyTorch built with:\\n  - CUDA Runtime 13.0'\n",
    }
    for name, text in files.items():
        path = torch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if metadata:
        write_metadata(folder, "torch", version, METADATA.format(version=version))
    return folder


def version_file(version: str, cuda: str | None, hip: str | None) -> str:
    """The text of torch/version.py, in the shape that releases have."""
    return (
        "from typing import Optional\n\n"
        f"__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']\n__version__ = {version!r}\n"
        f"debug = False\ncuda: Optional[str] = {cuda!r}\n"
        f"git_version = '0123456789abcdef0123456789abcdef01234567'\nhip: Optional[str] = {hip!r}\n"
    )


def write_metadata(folder: Path, name: str, version: str, text: str = "", installer: str = "pip") -> Path:
    """Write one distribution's metadata folder as installers do."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(text or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "INSTALLER").write_text(f"{installer}\n")
    return info
