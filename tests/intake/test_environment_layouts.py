"""What each layout states that tools print or once printed: nvidia-smi, package managers, collect_env and others."""

from __future__ import annotations

import pytest

from stated_facts import stated

# layout -> its text and what it must state; None: must not be stated
LAYOUTS: dict[str, tuple[str, dict[str, object]]] = {
    "nvidia-smi --query-gpu as CSV": (
        """\
$ nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv
name, driver_version, memory.total [MiB], compute_cap
NVIDIA A100-SXM4-80GB, 535.104.05, 81920 MiB, 8.0
NVIDIA A100-SXM4-80GB, 535.104.05, 81920 MiB, 8.0
""",
        {
            "driver.version": "535.104.05",
            "gpu.names": ["NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"],
            "gpu.count": 2,
            "gpu.compute_capabilities": ["8.0", "8.0"],
            "gpu.memory_total_bytes": [85899345920, 85899345920],
        },
    ),
    "nvidia-smi --query-gpu with other columns": (
        """\
index, name, uuid, driver_version
0, Tesla T4, GPU-1b1e, 470.82.01
""",
        {"driver.version": "470.82.01", "gpu.names": ["Tesla T4"], "gpu.count": 1},
    ),
    "nvidia-smi of branch 390": (
        """\
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 390.116                Driver Version: 390.116                   |
|-------------------------------+----------------------+----------------------+
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |
|===============================+======================+======================|
|   0  Quadro K2000        Off  | 00000000:01:00.0 Off |                  N/A |
| 30%   40C    P8    N/A /  N/A |     10MiB /  1999MiB |      0%      Default |
+-------------------------------+----------------------+----------------------+
""",
        {"driver.version": "390.116", "driver.cuda_version": None, "gpu.names": ["Quadro K2000"]},
    ),
    "nvidia-smi of branch 610": (
        """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 610.24.01              KMD Version: 610.24.01      CUDA UMD Version: 13.3     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA B200                    On  |   00000000:1B:00.0 Off |                    0 |
| N/A   33C    P0            143W / 1000W |       0MiB / 183359MiB |      0%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
""",
        {
            "driver.version": "610.24.01",
            "driver.cuda_version": "13.3",
            "gpu.names": ["NVIDIA B200"],
            "gpu.mig_enabled": [False],
        },
    ),
    "nvidia-smi -L with MIG": (
        """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-7089d0f3-293f-58c9-8f8c-5ea666eedbde)
  MIG 3g.20gb     Device  1: (UUID: MIG-56c30729-347f-5dd6-8da0-c3cc59e969e0)
""",
        {"gpu.names": ["NVIDIA A100-SXM4-40GB"], "gpu.count": 1},
    ),
    "the table with MIG instances": (
        """\
| NVIDIA-SMI 525.85.12    Driver Version: 525.85.12    CUDA Version: 12.0     |
|   0  NVIDIA A100-SXM...  On   | 00000000:07:00.0 Off |                   On |
| N/A   30C    P0    45W / 400W |     24MiB / 40960MiB |     N/A      Default |
|                               |                      |              Enabled |
+-----------------------------------------------------------------------------+
| MIG devices:                                                                |
|  GPU  GI  CI  MIG |         Memory-Usage |        Vol|         Shared        |
|  0    3   0   0  |     13MiB / 19968MiB | 28      0 |  2   0    1    0    0 |
|                  |      4MiB / 32767MiB |           |                       |
""",
        {"gpu.count": 1, "gpu.mig_enabled": [True], "gpu.memory_used_bytes": [25165824]},
    ),
    "rocm-smi": (
        """\
======================= ROCm System Management Interface =======================
GPU  Temp (DieEdge)  AvgPwr  SCLK    MCLK     Fan  Perf  PwrCap  VRAM%  GPU%
0    35.0c           34.0W   132Mhz  900Mhz   0%   auto  300.0W    0%   0%
GPU[0]		: Card series: 		AMD Instinct MI250X
""",
        {"gpu.names": None, "driver.version": None, "gpu.count": None},
    ),
    "pip list --format=json": (
        """\
[{"name": "numpy", "version": "1.26.4"},
{"name": "torch", "version": "2.1.0+cu118"}, {"name": "triton", "version": "2.1.0"}]
""",
        {
            "torch.version": "2.1.0+cu118",
            "torch.cuda_version": "11.8",
            "numpy.version": "1.26.4",
            "triton.version": "2.1.0",
        },
    ),
    "pip list with editable projects": (
        """\
Package      Version      Editable project location
------------ ------------ -------------------------
torch        2.4.0a0+git1 /home/u/pytorch
numpy        1.26.4
vllm         0.6.0+cu124  /home/u/vllm
""",
        {"torch.version": "2.4.0a0+git1", "vllm.version": "0.6.0+cu124", "numpy.version": "1.26.4"},
    ),
    "uv pip list": (
        """\
Package           Version
----------------- -----------
numpy             2.1.3
torch             2.6.0+cu124
torchvision       0.21.0+cu124
""",
        {"torch.version": "2.6.0+cu124", "torchvision.version": "0.21.0+cu124", "numpy.version": "2.1.3"},
    ),
    "poetry show": (
        """\
certifi          2024.2.2    Python package for providing Mozilla's CA Bundle.
numpy            1.26.4      Fundamental package for array computing in Python
torch            2.2.1+cu121 Tensors and Dynamic neural networks in Python with strong GPU acceleration
triton           2.2.0       A language and compiler for custom Deep Learning operations
""",
        {"torch.version": "2.2.1+cu121", "triton.version": "2.2.0", "numpy.version": "1.26.4"},
    ),
    "conda env export": (
        """\
name: x
channels:
  - pytorch
dependencies:
  - numpy=1.22.3=py39h7a5d4dd_0
  - python=3.9.12=h12debd9_1
  - pytorch=1.12.1=py3.9_cuda11.3_cudnn8.3.2_0
  - pytorch-mutex=1.0=cuda
  - torchvision=0.13.1=py39_cu113
  - pip:
    - deepspeed==0.7.0
prefix: /home/u/x
""",
        {
            "torch.version": "1.12.1",
            "torch.cuda_version": "11.3",
            "numpy.version": "1.22.3",
            "python.version": "3.9.12",
            "deepspeed.version": "0.7.0",
            "torch.import_outcome": None,
        },
    ),
    "conda list --export": (
        """\
# platform: linux-64
pytorch=1.12.1=py3.9_cuda11.3_cudnn8.3.2_0
numpy=1.22.3=py39h_0
""",
        {"torch.version": "1.12.1", "torch.cuda_version": "11.3", "torch.build": "cuda"},
    ),
    "collect_env inside JSON": (
        """\
{
 "Torch env info": {
  "torch_version": "2.1.2+cu121",
  "cuda_compiled_version": "12.1",
  "os": "Microsoft Windows 11 Pro",
  "libc_version": "N/A",
  "python_version": "3.10.6 (tags) (64-bit runtime)",
  "python_platform": "Windows-10-10.0.22631-SP0",
  "is_cuda_available": "True",
  "nvidia_driver_version": "546.33",
  "nvidia_gpu_models": "GPU 0: NVIDIA GeForce RTX 3060",
  "cudnn_version": null,
  "pip_packages": [
   "numpy==1.26.2",
   "torch==2.1.2+cu121",
   "torchvision==0.16.2+cu121"
  ]
 }
}
""",
        {
            "torch.version": "2.1.2+cu121",
            "torch.cuda_version": "12.1",
            "torch.cuda_available": True,
            "driver.version": "546.33",
            "gpu.names": ["NVIDIA GeForce RTX 3060"],
            "numpy.version": "1.26.2",
            "torchvision.version": "0.16.2+cu121",
            "python.version": "3.10.6",
        },
    ),
    "small programs": (
        """\
Python 3.11.4
ldd (Ubuntu GLIBC 2.35-0ubuntu3.4) 2.35
Linux box 6.2.0-39-generic #40 SMP PREEMPT_DYNAMIC Thu Nov 16 10:53:04 UTC 2 x86_64 x86_64 x86_64 GNU/Linux
PRETTY_NAME="Ubuntu 22.04.3 LTS"
nvcc: NVIDIA (R) Cuda compiler driver
Cuda compilation tools, release 12.1, V12.1.105
Docker version 24.0.7, build afdd53b
""",
        {
            "python.version": "3.11.4",
            "glibc.version": "2.35",
            "kernel.release": "6.2.0-39-generic",
            "os.name": "Ubuntu 22.04.3 LTS",
            "cuda_toolkit.nvcc_version": "12.1.105",
        },
    ),
    "a script of somebody": (
        """\
PyTorch version: 2.4.0+cu121
CUDA available: True
CUDA version: 12.1
cuDNN version: 90100
GPU Name: NVIDIA GeForce RTX 3090
Device 0: NVIDIA GeForce RTX 3090
Number of GPUs: 2
""",
        {
            "torch.version": "2.4.0+cu121",
            "torch.cuda_available": True,
            "cudnn.version": "9.1.0",
            "gpu.names": ["NVIDIA GeForce RTX 3090"],
            "gpu.count": 2,
        },
    ),
    "collect_env of a ROCm build since 2.10": (
        """\
PyTorch version: 2.10.0+rocm7.1
Is debug build: False
CUDA used to build PyTorch: N/A
ROCm SDK used to build PyTorch: 7.1.0
HIP used to build PyTorch: 7.1.25424
Is CUDA available: True
GPU models and configuration: AMD Instinct MI300X (gfx942:sramecc+:xnack-)
""",
        {
            "torch.build": "rocm",
            "torch.hip_version": "7.1.25424",
            "torch.cuda_available": True,
            "gpu.names": ["AMD Instinct MI300X"],
            "gpu.count": None,
        },
    ),
    "collect_env of an XPU build": (
        """\
PyTorch version: 2.6.0+xpu
Is debug build: False
CUDA used to build PyTorch: None
ROCM used to build PyTorch: N/A
OS: Ubuntu 24.04 LTS (x86_64)
Is CUDA available: False
Is XPU available: True
XPU used to build PyTorch: 20250000
Intel GPU models onboard: * Intel Arc B580
""",
        {"torch.build": "xpu", "torch.cuda_available": False, "torch.cuda_version": None},
    ),
    "accelerate env of the newest form": (
        """\
- `Accelerate` version: 1.10.0
- Platform: Linux-6.8.0-60-generic-x86_64-with-glibc2.39
- Python version: 3.12.3
- Numpy version: 2.2.6
- PyTorch version: 2.7.1+cu126
- PyTorch accelerator: CUDA
- System RAM: 125.6 GB
- GPU type: NVIDIA RTX 6000 Ada Generation
""",
        {
            "torch.version": "2.7.1+cu126",
            "torch.cuda_available": True,
            "gpu.names": ["NVIDIA RTX 6000 Ada Generation"],
            "gpu.count": None,
        },
    ),
    "lines with the prefixes of loggers": (
        """\
10/07 17:11:55 - mmengine - INFO - PyTorch: 1.12.1+cu116
2024-01-02 03:04:05.678 | INFO     | app:main:12 - Is CUDA available: True
[rank0]: GPU 0: NVIDIA L4
""",
        {"torch.version": "1.12.1+cu116", "torch.cuda_available": True, "gpu.names": ["NVIDIA L4"]},
    ),
    "Lightning on a CPU, indented": (
        """\
    * CUDA:
        - GPU:               None
        - available:         False
        - version:           None
    * Packages:
        - torch:             2.1.0+cpu
""",
        {"torch.version": "2.1.0+cpu", "torch.cuda_available": False, "torch.build": "cpu", "gpu.names": None},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_states_its_facts(name: str) -> None:
    text, facts = LAYOUTS[name]
    found = stated(text)
    assert {key: found.get(key) for key in facts} == facts


@pytest.mark.parametrize("name", LAYOUTS)
def test_windows_line_ends_and_quotation_change_nothing(name: str) -> None:
    text = LAYOUTS[name][0]
    assert stated("\r\n".join(text.split("\n"))) == stated(text)
    assert stated("\n".join(f"> {line}" for line in text.split("\n"))) == stated(text)
