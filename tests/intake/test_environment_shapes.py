"""Reports in other shapes than `label: value`: tables, forms, banners, prefixed, translated and doubled ones."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from gpudoctor.intake import environment
from stated_facts import stated


class Shape(NamedTuple):
    text: str
    facts: dict[str, object]


SHAPES = {
    "detectron2": Shape(
        """\
----------------------  ---------------------------------------------------
sys.platform            linux
Python                  3.10.12 (main, Nov 20 2023, 15:14:05) [GCC 11.4.0]
numpy                   1.24.4
detectron2              0.6 @/opt/env/lib/python3.10/site-packages/detectron2
Compiler                GCC 11.4
CUDA compiler           CUDA 11.7
PyTorch                 2.0.1+cu118 @/opt/env/lib/python3.10/site-packages/torch
PyTorch debug build     False
GPU available           Yes
GPU 0,1                 NVIDIA A10G (arch=8.6)
Driver version          525.105.17
CUDA_HOME               /usr/local/cuda
torchvision             0.15.2+cu118 @/opt/env/lib/python3.10/site-packages/torchvision
cv2                     4.8.0
----------------------  ---------------------------------------------------
""",
        {
            "python.version": "3.10.12",
            "numpy.version": "1.24.4",
            "torch.version": "2.0.1+cu118",
            "torch.cuda_version": "11.8",
            "torch.cuda_available": True,
            "gpu.names": ["NVIDIA A10G", "NVIDIA A10G"],
            "gpu.count": 2,
            "gpu.compute_capabilities": ["8.6", "8.6"],
            "driver.version": "525.105.17",
            "torchvision.version": "0.15.2+cu118",
            "cuda_toolkit.home": "/usr/local/cuda",
        },
    ),
    "yolo checks": Shape(
        """\
Ultralytics 8.3.9 Python-3.11.9 torch-2.4.1+cu121 CUDA:0 (NVIDIA L4, 22491MiB)
OS                  Linux-6.1.0-18-amd64-x86_64-with-glibc2.36
Environment         Docker
Python              3.11.9
Install             pip
RAM                 62.76 GB
GPU                 NVIDIA L4, 22491MiB
GPU count           2
CUDA                12.1

numpy               \u2705 2.1.1<=2.1.1,>=1.23.0
torchvision         \u2705 0.19.1+cu121>=0.9.0
""",
        {
            "python.version": "3.11.9",
            "torch.version": "2.4.1+cu121",
            "torch.cuda_available": True,
            "gpu.names": ["NVIDIA L4"],
            "gpu.count": 2,
            "glibc.version": "2.36",
            "kernel.name": "Linux",
            "numpy.version": "2.1.1",
            "torchvision.version": "0.19.1+cu121",
        },
    ),
    "YOLOv5 on the CPU": Shape(
        "YOLOv5 v4.0-14-g0123456 torch 1.7.1 CPU\n",
        {"torch.version": "1.7.1", "torch.cuda_available": None, "torch.build": None},
    ),
    "YOLOv8 on two GPUs": Shape(
        "Ultralytics YOLOv8.0.20 Python-3.8.10 torch-1.13.1+cu116 CUDA:0 (Tesla T4, 15110MiB)\n"
        "                                          CUDA:1 (Tesla T4, 15110MiB)\n",
        {"torch.version": "1.13.1+cu116", "torch.cuda_available": True, "gpu.names": ["Tesla T4"] * 2},
    ),
    "Unsloth": Shape(
        """\
==((====))==  Unsloth 2025.1.5: Fast Llama patching. Transformers: 4.48.0.
   \\\\   /|    GPU: NVIDIA L40S. Max memory: 44.418 GB. Platform: Linux.
O^O/ \\_/ \\    Torch: 2.5.1+cu124. CUDA: 8.9. CUDA Toolkit: 12.4. Triton: 3.1.0
""",
        {
            "torch.version": "2.5.1+cu124",
            "torch.cuda_version": "12.4",
            "triton.version": "3.1.0",
            "gpu.names": ["NVIDIA L40S"],
            "torch.cuda_available": True,
        },
    ),
    "Unsloth, several GPUs": Shape(
        """\
   \\\\   /|    NVIDIA L40S. Num GPUs = 4. Max memory: 44.418 GB. Platform: Linux.
O^O/ \\_/ \\    Torch: 2.6.0+cu124. CUDA: 8.9. CUDA Toolkit: 12.4. Triton: 3.2.0
""",
        {"gpu.names": ["NVIDIA L40S"], "gpu.count": 4, "torch.version": "2.6.0+cu124"},
    ),
    "kohya_ss": Shape(
        "17:22:49-350014 INFO     Torch 2.0.1+cu118      \n"
        "17:22:50-122539 INFO     Torch detected GPU: NVIDIA L4 VRAM 22491 Arch (8, 9) Cores 60\n",
        {"torch.version": "2.0.1+cu118", "gpu.names": ["NVIDIA L4"], "torch.cuda_available": True},
    ),
    "a conda list as a Markdown table": Shape(
        " Name | Version | Build | Channel\n --- | --- | --- | ---\n"
        "numpy | 1.18.1 | py38h93ca92e_0 | defaults\npytorch | 1.12.1 | py3.8_cuda11.3_cudnn8.3.2_0 | pytorch |\n",
        {"numpy.version": "1.18.1", "torch.version": "1.12.1", "torch.cuda_version": "11.3"},
    ),
    "names and versions, typed": Shape(
        "python 3.12.7+gc\n- torch 2.6.0\nflash-attn 2.6.3\ncuda 12.8\n",
        {
            "python.version": "3.12.7+gc",
            "torch.version": "2.6.0",
            "flash_attn.version": "2.6.3",
            "torch.cuda_version": None,
        },
    ),
    "a Jetson": Shape("GPU models and configuration: GPU 0: Orin (nvgpu)\n", {"gpu.names": ["Orin (nvgpu)"]}),
    "a list with its identifiers taken out": Shape("GPU 0: NVIDIA H200 (...)\n", {"gpu.names": ["NVIDIA H200"]}),
    "ComfyUI at its start": Shape(
        """\
Total VRAM 24564 MB, total RAM 65336 MB
pytorch version: 2.6.0+cu124
Device: cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync
** Platform: Windows
** Python version: 3.12.8 (tags/v3.12.8:2dc476b, Dec  3 2024, 19:30:04) [MSC v.1942 64 bit (AMD64)]
""",
        {
            "torch.version": "2.6.0+cu124",
            "gpu.names": ["NVIDIA GeForce RTX 4090"],
            "gpu.count": None,
            "python.version": "3.12.8",
            "kernel.name": "Windows",
        },
    ),
    "ComfyUI on one line": Shape(
        "** Platform: Windows ** Python version: 3.12.8 (tags/v3.12.8:2dc476b) [MSC v.1942 64 bit (AMD64)] ** Python "
        "executable: C:\\c\\python.exe Total VRAM 16303 MB, total RAM 97386 MB pytorch version: 2.6.0+cu124 xformers "
        "version: 0.0.29.post3 Device: cuda:0 NVIDIA GeForce RTX 3060 : native Using xformers attention\n",
        {
            "torch.version": "2.6.0+cu124",
            "gpu.names": ["NVIDIA GeForce RTX 3060"],
            "python.version": "3.12.8",
            "xformers.version": "0.0.29.post3",
        },
    ),
    "ComfyUI's report, quoted": Shape(
        """\
> - **OS:** nt
> - **Python Version:** 3.11.9 (tags/v3.11.9:de54cf5) [MSC v.1938 64 bit (AMD64)]
> - **PyTorch Version:** 2.4.1+cu124
> - **Name:** cuda:0 NVIDIA GeForce RTX 2060 : cudaMallocAsync
""",
        {
            "kernel.name": "Windows",
            "os.name": None,
            "torch.version": "2.4.1+cu124",
            "gpu.names": ["NVIDIA GeForce RTX 2060"],
            "python.version": "3.11.9",
        },
    ),
    "LlamaFactory": Shape(
        """\
- `llamafactory` version: 0.9.3
- Platform: Linux-6.8.0-60-generic-x86_64-with-glibc2.35
- PyTorch version: 2.6.0+cu124 (GPU)
- GPU type: NVIDIA H800
- GPU number: 8
- GPU memory: 79.11GB
""",
        {"torch.cuda_available": True, "gpu.count": 8, "gpu.names": ["NVIDIA H800"], "torch.version": "2.6.0+cu124"},
    ),
    "a form's headings": Shape(
        """\
### Operating system

Windows 11

### GPU model

RTX 3060

### PyTorch version
2.1.2+cu121

### Python version

_No response_

### GPU driver

### What happened
driver 999.99 is what I read about.
""",
        {
            "os.name": "Windows 11",
            "gpu.names": ["RTX 3060"],
            "torch.version": "2.1.2+cu121",
            "python.version": None,
            "driver.version": None,
        },
    ),
    "a Markdown table": Shape(
        """\
| Item | Value |
|------|-------|
| PyTorch version | `2.3.1+cu118` |
| **GPU** | 2x RTX 3090 |
| Nvidia driver version | 545.23.08 |
""",
        {"torch.version": "2.3.1+cu118", "gpu.names": ["RTX 3090"] * 2, "driver.version": "545.23.08"},
    ),
    "a table of two machines": Shape(
        "| | works | fails |\n|---|---|---|\n| PyTorch version | 2.3.1 | 2.4.0 |\n| driver | 550.54.15 | 470.82.01 |\n",
        {"torch.version": None, "driver.version": None},
    ),
    "Chinese labels": Shape(
        "操作系统：Ubuntu 20.04\n"
        "显卡：RTX 4090\n"
        "驱动版本：535.129.03，CUDA 12.2\n"
        "Python版本：3.10.13\n"
        "PyTorch版本：2.1.0+cu121\n",
        {
            "os.name": "Ubuntu 20.04",
            "gpu.names": ["RTX 4090"],
            "driver.version": "535.129.03",
            "python.version": "3.10.13",
            "torch.version": "2.1.0+cu121",
        },
    ),
    "the journal of a service": Shape(
        "Oct 04 13:19:39 llm webui[394]: PyTorch version: 2.5.1+cu124\n"
        "Oct 04 13:19:39 llm webui[394]: Is CUDA available: True\n",
        {"torch.version": "2.5.1+cu124", "torch.cuda_available": True},
    ),
    "HTML": Shape(
        "<details><summary>env</summary>\n"
        "<pre>PyTorch version: 2.5.1+cu124<br>\n"
        "OS: Fedora Linux 40 &amp; KDE<br/>\n"
        "</pre></details>\n",
        {"torch.version": "2.5.1+cu124", "os.name": "Fedora Linux 40 & KDE"},
    ),
    "what pip installed": Shape(
        "Successfully installed numpy-2.0.1 nvidia-cudnn-cu12-9.1.0.70 nvidia-nccl-cu12-2.20.5 torch-2.4.0+cu121 "
        "triton-3.0.0\n",
        {
            "numpy.version": "2.0.1",
            "nccl.version": "2.20.5",
            "cudnn.version": "9.1.0.70",
            "torch.version": "2.4.0+cu121",
            "triton.version": "3.0.0",
        },
    ),
    "a list with lines left out": Shape(
        "GPU 0: NVIDIA H100 80GB HBM3 ...\nGPU 7: NVIDIA H100 80GB HBM3 ...\n",
        {"gpu.names": ["NVIDIA H100 80GB HBM3"], "gpu.count": None},
    ),
    "an RPM package of the driver": Shape(
        "* nvidia driver: nvidia-driver-latest-dkms-545.23.08-1.el7.x86_64\n", {"driver.version": "545.23.08"}
    ),
    "an answer below the question": Shape("`torch.cuda.is_available() `\nfalse\n", {"torch.cuda_available": False}),
    "an old report of a build without CUDA": Shape(
        "PyTorch version: 1.3.1\n"
        "Is debug build: No\n"
        "CUDA used to build PyTorch: Could not collect\n"
        "Is CUDA available: No\n",
        {"torch.build": "cpu", "torch.cuda_available": False},
    ),
    "an old report of a build for ROCm": Shape(
        "PyTorch version: 1.5.0a0\n"
        "Is debug build: No\n"
        "CUDA used to build PyTorch: Could not collect\n"
        "Is CUDA available: Yes\n",
        {"torch.build": None, "torch.cuda_available": True},
    ),
    "two cuDNN libraries": Shape(
        "cuDNN version: Probably one of the following:\n/usr/lib/libcudnn.so.8.9.7\n/usr/lib/libcudnn.so.9.0.0\n",
        {"cudnn.version": None},
    ),
    "the writer's own versions": Shape(
        "My environment is `torch==1.7.1+cu110` and `numpy==1.19.5`\n",
        {"torch.version": "1.7.1+cu110", "numpy.version": "1.19.5"},
    ),
    "what others recommend": Shape(
        "For me it works with `torch==2.1.0`.\nI tried `torch==2.2.0` too.\nplease `pip install torch==2.4.0`\n",
        {"torch.version": None},
    ),
    "the message of NumPy": Shape(
        "A module that was compiled using NumPy 1.x cannot be run in\nNumPy 2.1.2 as it may crash.\n",
        {"numpy.version": "2.1.2"},
    ),
    "the source of collect_env": Shape(
        """\
env_info_fmt = \"\"\"
PyTorch version: {torch_version}
Is debug build: {is_debug_build}
CUDA used to build PyTorch: {cuda_compiled_version}
Is CUDA available: {is_cuda_available}
GPU models and configuration: {nvidia_gpu_models}
Nvidia driver version: {nvidia_driver_version}
\"\"\"
""",
        {"torch.version": None, "torch.cuda_available": None, "torch.build": None, "driver.version": None},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_states_its_facts(name: str) -> None:
    found = stated(SHAPES[name].text)
    assert {key: found.get(key) for key in SHAPES[name].facts} == SHAPES[name].facts


REPORT = """\
Collecting environment information...
PyTorch version: {torch}
Is debug build: False
CUDA used to build PyTorch: {cuda}
OS: {os}
Is CUDA available: {works}
GPU models and configuration: GPU 0: {gpu}
Nvidia driver version: {driver}
"""
FIRST = {"torch": "2.4.0+cu121", "cuda": "12.1", "os": "Ubuntu 22.04", "works": True, "gpu": "NVIDIA L4"}
SECOND = {"torch": "2.3.0+cu118", "cuda": "11.8", "os": "Debian 12", "works": False, "gpu": "NVIDIA A40"}


def test_two_machines_are_not_mixed() -> None:
    text = REPORT.format(driver="Could not collect", **FIRST) + "and B:\n" + REPORT.format(driver="470.82.01", **SECOND)
    found = stated(text)
    assert found["torch.version"] == "2.4.0+cu121"
    assert found["gpu.names"] == ["NVIDIA L4"]
    assert "driver.version" not in found
    assert environment.read(text).notes[-1] == "from line 10 on it describes another environment, which was not judged"


TABLE = """\
| NVIDIA-SMI 535.104.05   Driver Version: 535.104.05   CUDA Version: 12.2     |
|   0  NVIDIA A40                     Off | 00000000:01:00.0 Off |                    0 |
|  0%   40C    P0              70W / 300W |  {used}MiB / 46068MiB |      0%      Default |
"""


def test_a_table_printed_twice_is_one_machine() -> None:
    found = stated(TABLE.format(used="  100") + "\n" + TABLE.format(used="40000"))
    assert found["gpu.count"] == 1
    assert found["gpu.memory_used_bytes"] == [100 << 20]


def test_a_sentence_that_was_broken_is_handed_on_whole() -> None:
    text = "NVIDIA H100 PCIe with CUDA capability\nsm_90 is not compatible with the current PyTorch installation.\n"
    assert environment.read(text).messages == (" ".join(text.strip().split("\n")),)
