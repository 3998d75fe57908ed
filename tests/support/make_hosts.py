"""Writes the recorded machines under tests/hosts anew: `python tests/support/make_hosts.py [name ...]`.

Each function is one machine. It needs a C compiler, because NVML's and libcuda's lines come from the fake driver.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import fake_driver  # noqa: E402
from compose_children import WHEELS, Cuda, ask_driver, give_torch, not_loaded, settings_for  # noqa: E402
from compose_host import Gpu, Machine, give_driver, give_libraries  # noqa: E402

HOSTS = HERE.parent / "hosts"
MIB = 1024**2
H100 = Gpu("NVIDIA H100 80GB HBM3", 90, 81559 * MIB)
A100 = Gpu("NVIDIA A100-SXM4-80GB", 80, 81920 * MIB, "0x20b2")
RTX4090 = Gpu("NVIDIA GeForce RTX 4090", 89, 24564 * MIB, "0x2684", geforce=True)
RTX3090 = Gpu("NVIDIA GeForce RTX 3090", 86, 24576 * MIB, "0x2204", geforce=True)
L4 = Gpu("NVIDIA L4", 89, 23034 * MIB, "0x27b8")
B300 = Gpu("NVIDIA B300 SXM6 AC", 103, 275040 * MIB, "0x3182")
GB10 = Gpu("NVIDIA GB10", 121, 122_570 * MIB, "0x2e12", geforce=True)
GH200 = Gpu("NVIDIA GH200 480GB", 90, 97871 * MIB, "0x2342")
ORIN = Gpu("Orin", 87, 30_697 * MIB, geforce=True)

TRIGGERED = " (Triggered internally at /pytorch/c10/cuda/CUDAFunctions.cpp:119.)"
NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from "
    "http://www.nvidia.com/Download/index.aspx"
)
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version {}). Please update your GPU driver by downloading and "
    "installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: "
    "https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)
UNEXPECTED = (
    "Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that "
    "might have already set an error? Error {}"
)
SMI = "| NVIDIA-SMI {0}    Driver Version: {0}    CUDA Version: {1} |\n"
Maker = Callable[[fake_driver.FakeDriver], Machine]


def refused(words: str) -> Cuda:
    """Torch where CUDA refuses: a warning from is_available(), the same as an error from init()."""
    return Cuda(False, f"CUDA initialization: {words}{TRIGGERED}", f"RuntimeError: {words}")


def seen(
    driver: fake_driver.FakeDriver,
    machine: Machine,
    version: str,
    cuda: str,
    gpus: list[Gpu],
    *,
    kind: str = "proprietary",
    errno: str = "",
    more: str = "",
    library: str = "",
) -> Machine:
    """A machine whose driver is there as kernel module, libraries and answers; `more` are settings that win."""
    give_driver(machine, version, gpus, kind=kind, errno=errno)
    give_libraries(machine, library or version)
    folder = f"/usr/lib/{machine.triple}"
    settings = settings_for(library or version, cuda, gpus, more)
    ask_driver(machine, driver, "nvml", settings, f"{folder}/libnvidia-ml.so.{library or version}")
    ask_driver(machine, driver, "libcuda", settings, f"{folder}/libcuda.so.{library or version}")
    return machine


def without_dmi(machine: Machine) -> None:
    """Take the firmware's tables away, which virtual machines of Windows and boards with a device tree lack."""
    for name in ("sys_vendor", "product_name"):
        del machine.files[f"/sys/class/dmi/id/{name}"]


def working(gpus: list[Gpu]) -> Cuda:
    """Torch where CUDA works."""
    return Cuda(gpus=gpus)


def docker(**more: object) -> Machine:
    """A container that the NVIDIA runtime gave all GPUs."""
    env = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    return Machine(**{"env": env, **more})  # type: ignore[arg-type]


def h100x2_driver580_cu130(driver: fake_driver.FakeDriver) -> Machine:
    machine = seen(driver, docker(shm_gib=64), "580.82.07", "13.0", [H100] * 2, kind="open", more="nvlinks=18")
    machine.add_nvidia_smi(SMI.format("580.82.07", "13.0"))
    machine.add_program("/usr/bin/gcc")
    give_torch(machine, WHEELS["2.9.1+cu130"], working([H100] * 2))
    return machine


def rtx4090_driver535_cu128(driver: fake_driver.FakeDriver) -> Machine:
    machine = Machine(container="none", cpus=24, memory_gib=64, shm_gib=32, python="/home/ada/venv/bin/python")
    machine.add_nvidia_smi(SMI.format("535.183.01", "12.2"))
    seen(driver, machine, "535.183.01", "12.2", [RTX4090])
    give_torch(machine, WHEELS["2.8.0+cu128"], working([RTX4090]), "3.12.3")
    return machine


def driver470_cu128(driver: fake_driver.FakeDriver) -> Machine:
    machine = seen(driver, docker(), "470.256.02", "11.4", [A100])
    give_torch(machine, WHEELS["2.8.0+cu128"], refused(TOO_OLD.format("11040")))
    return machine


def hgx_cuinit_802(driver: fake_driver.FakeDriver) -> Machine:
    more = "fail.cuInit=802;nvlinks=18;fabric.state=na"
    machine = seen(driver, docker(cpus=192, memory_gib=2000, shm_gib=64), "570.133.20", "12.8", [H100] * 8, more=more)
    for switch in range(4):
        folder = f"/sys/bus/pci/devices/0000:8{switch}:00.0"
        machine.files[f"{folder}/class"] = "0x068000\n"
        machine.files[f"{folder}/vendor"] = "0x10de\n"
    give_torch(machine, WHEELS["2.8.0+cu128"], refused(UNEXPECTED.format("802: system not yet initialized")))
    return machine


def container_without_gpus(driver: fake_driver.FakeDriver) -> Machine:
    machine = docker()
    for name in ("nvml", "libcuda"):
        not_loaded(machine, name)
    give_torch(machine, WHEELS["2.9.1+cu128"], Cuda(False, "", f"RuntimeError: {NO_DRIVER}"))
    return machine


def node_eperm(driver: fake_driver.FakeDriver) -> Machine:
    more = "fail.nvmlInitWithFlags=999;fail.nvmlInit_v2=999;fail.cuInit=304"
    machine = seen(driver, docker(), "550.127.05", "12.4", [A100], errno="EPERM", more=more)
    words = UNEXPECTED.format("304: OS call failed or operation not supported on this OS")
    give_torch(machine, WHEELS["2.8.0+cu128"], refused(words))
    return machine


def module580_library570(driver: fake_driver.FakeDriver) -> Machine:
    more = "fail.nvmlInitWithFlags=18;fail.nvmlInit_v2=18;fail.cuInit=803"
    machine = Machine(container="none", cpus=32, memory_gib=128, python="/home/ada/venv/bin/python")
    seen(driver, machine, "580.82.07", "12.8", [L4], more=more, library="570.172.08")
    machine.add_nvidia_smi(
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.172\n", status=18
    )
    words = UNEXPECTED.format("803: system has unsupported display driver / cuda driver combination")
    give_torch(machine, WHEELS["2.8.0+cu128"], refused(words))
    return machine


def stub_libcuda(driver: fake_driver.FakeDriver) -> Machine:
    stubs = "/usr/local/cuda-12.8/targets/x86_64-linux/lib/stubs"
    machine = docker()
    machine.env["LD_LIBRARY_PATH"] = f"{stubs}:/usr/local/cuda-12.8/lib64"
    give_driver(machine, "570.172.08", [L4])
    give_libraries(machine, "570.172.08")
    machine.add_library(f"{stubs}/libcuda.so", 74_384, (f"{stubs}/libcuda.so.1",))
    settings = settings_for("570.172.08", "12.8", [L4], "fail.cuInit=34")
    ask_driver(machine, driver, "nvml", settings, "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.172.08")
    ask_driver(machine, driver, "libcuda", settings, f"{stubs}/libcuda.so")
    give_torch(machine, WHEELS["2.8.0+cu128"], refused(UNEXPECTED.format("34: CUDA driver is a stub library")))
    return machine


def zero_byte_libcuda(driver: fake_driver.FakeDriver) -> Machine:
    machine = docker()
    folder = f"/usr/lib/{machine.triple}"
    give_driver(machine, "550.127.05", [L4])
    for name, version in (("libcuda", "470.57.02"), ("libnvidia-ml", "470.57.02")):
        machine.files[f"{folder}/{name}.so.{version}"] = ""
        machine.links[f"{folder}/{name}.so.1"] = f"{folder}/{name}.so.{version}"
        machine.libraries[f"{name}.so.1"] = f"{folder}/{name}.so.1"
    not_loaded(machine, "nvml", f"{folder}/libnvidia-ml.so.1: file too short")
    not_loaded(machine, "libcuda", f"{folder}/libcuda.so.1: file too short")
    give_torch(machine, WHEELS["2.8.0+cu128"], Cuda(False, "", f"RuntimeError: {NO_DRIVER}"))
    return machine


def wsl2(driver: fake_driver.FakeDriver) -> Machine:
    machine = Machine(
        container="none",
        os_version="24.04",
        kernel="5.15.167.4-microsoft-standard-WSL2",
        kernel_build="#1 SMP Tue Nov 5 00:21:55 UTC 2024",
        cpus=16,
        memory_gib=32,
        hypervisor=True,
        python="/home/ada/venv/bin/python",
    )
    folder = "/usr/lib/wsl/lib"
    machine.dirs["/sys/module"].append("dxgkrnl")
    machine.files["/proc/sys/fs/binfmt_misc/WSLInterop"] = "enabled\n"
    machine.add_node("/dev/dxg", 10, 125)
    machine.add_library(f"{folder}/libcuda.so.1", 170_000)
    machine.add_library(f"{folder}/libnvidia-ml.so.1", 240_000)
    machine.add_nvidia_smi(SMI.format("566.36", "12.7"), path=f"{folder}/nvidia-smi")
    without_dmi(machine)
    settings = settings_for("566.36", "12.7", [RTX4090], "minor=na;computemode=na")
    ask_driver(machine, driver, "nvml", settings, f"{folder}/libnvidia-ml.so.1")
    ask_driver(machine, driver, "libcuda", settings, f"{folder}/libcuda.so.1")
    give_torch(machine, WHEELS["2.8.0+cu128"], working([RTX4090]), "3.12.3")
    return machine


def jetson(driver: fake_driver.FakeDriver) -> Machine:
    machine = Machine(
        container="none",
        processor="aarch64",
        kernel="5.15.148-tegra",
        kernel_build="#1 SMP PREEMPT Tue Jan 7 17:14:38 PST 2025",
        cpus=12,
        memory_gib=30,
        shm_gib=15,
        python="/home/ada/venv/bin/python",
    )
    folder = "/usr/lib/aarch64-linux-gnu/nvidia"
    machine.files["/etc/nv_tegra_release"] = (
        "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"
    )
    machine.files["/proc/device-tree/model"] = "NVIDIA Jetson AGX Orin Developer Kit\0"
    machine.files["/proc/device-tree/compatible"] = "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0"
    machine.dirs["/sys/module"] += ["nvgpu", "nvmap", "host1x"]
    without_dmi(machine)
    for number, node in enumerate(("nvmap", "nvhost-ctrl-gpu", "nvhost-gpu", "nvhost-as-gpu", "nvhost-prof-gpu")):
        machine.add_node(f"/dev/{node}", 501, number)
    machine.add_library(f"{folder}/libcuda.so.1.1", 41_000_000, (f"{folder}/libcuda.so.1",))
    machine.add_library(f"{folder}/libnvidia-ml.so.1", 1_900_000)
    unsupported = "mem.total=na;temp=na;util.gpu=na;power=na;fan=na"
    settings = settings_for("540.4.0", "12.6", [ORIN], unsupported)
    ask_driver(machine, driver, "nvml", settings, f"{folder}/libnvidia-ml.so.1")
    settings = settings_for("540.4.0", "12.6", [ORIN])
    ask_driver(machine, driver, "libcuda", settings, f"{folder}/libcuda.so.1.1")
    from compose_children import Wheel

    wheel = Wheel("2.5.0a0+872d972e41.nv24.08", "12.6", "sm_87", "9.3.0.75", "2.22.3", "", "3.1.0")
    give_torch(machine, wheel, working([ORIN]), "3.10.12")
    packages = machine.children["target"]["lines"][1]
    packages["packages"] = [one for one in packages["packages"] if one[0] in ("torch", "numpy")]
    packages["details"] = [dict(one, requires=[]) for one in packages["details"] if one["name"] in ("torch", "numpy")]
    return machine


def mig(driver: fake_driver.FakeDriver) -> Machine:
    more = "mig=1;mig.devices=2;nvlinks=0;util.gpu=na;cuda.gpus=1"
    machine = docker(env={"NVIDIA_VISIBLE_DEVICES": "MIG-fa4e0000-0000-0000-0000-000000000001"})
    seen(driver, machine, "570.172.08", "12.8", [A100], more=more)
    machine.add_node("/dev/nvidia-caps/nvidia-cap21", 237, 21)
    machine.add_node("/dev/nvidia-caps/nvidia-cap22", 237, 22)
    part = Gpu("NVIDIA A100-SXM4-80GB MIG 3g.40gb", 80, 40192 * MIB)
    settings = settings_for("570.172.08", "12.8", [part])
    folder = f"/usr/lib/{machine.triple}"
    ask_driver(machine, driver, "libcuda", settings, f"{folder}/libcuda.so.570.172.08")
    give_torch(machine, WHEELS["2.9.1+cu128"], working([part]))
    return machine


def cpu_only_by_intent(driver: fake_driver.FakeDriver) -> Machine:
    machine = Machine(cpus=8, memory_gib=32, shm_gib=2)
    for name in ("nvml", "libcuda"):
        not_loaded(machine, name)
    give_torch(machine, WHEELS["2.13.0+cpu"], Cuda(False))
    return machine


def gpu_with_cpu_wheel(driver: fake_driver.FakeDriver) -> Machine:
    machine = seen(driver, docker(), "580.82.07", "13.0", [H100] * 2, kind="open", more="nvlinks=18")
    give_torch(machine, WHEELS["2.9.1+cpu"], Cuda(False))
    return machine


def healthy(
    gpu: Gpu, wheel: str, version: str, cuda: str, python: str = "3.11.9", **more: object
) -> Callable[[fake_driver.FakeDriver], Machine]:
    """A container in which CUDA works, without nvidia-smi and without nvcc."""

    def make(driver: fake_driver.FakeDriver) -> Machine:
        settings = "nvlinks=0"
        machine = seen(driver, docker(**more), version, cuda, [gpu], kind="open", more=settings)
        give_torch(machine, WHEELS[wheel], working([gpu]), python)
        return machine

    return make


def gh200(driver: fake_driver.FakeDriver) -> Machine:
    machine = docker(processor="aarch64", os_version="24.04", kernel="6.8.0-1021-nvidia-64k", cpus=72)
    seen(driver, machine, "580.82.07", "13.0", [GH200], kind="open", more="nvlinks=0;c2c=1")
    give_torch(machine, WHEELS["2.13.0+cu130 aarch64"], working([GH200]), "3.12.3")
    return machine


MAKERS: dict[str, Maker] = {
    "h100x2-driver580-cu130": h100x2_driver580_cu130,
    "rtx4090-driver535-cu128": rtx4090_driver535_cu128,
    "driver470-cu128": driver470_cu128,
    "hgx-cuinit-802": hgx_cuinit_802,
    "container-without-gpus": container_without_gpus,
    "node-eperm": node_eperm,
    "module580-library570": module580_library570,
    "stub-libcuda": stub_libcuda,
    "zero-byte-libcuda": zero_byte_libcuda,
    "wsl2": wsl2,
    "jetson": jetson,
    "mig": mig,
    "cpu-only-by-intent": cpu_only_by_intent,
    "gpu-with-cpu-wheel": gpu_with_cpu_wheel,
    "sm86-rtx3090-cu128": healthy(RTX3090, "2.8.0+cu128", "570.172.08", "12.8"),
    "sm89-l4-cu130": healthy(L4, "2.13.0+cu130", "580.82.07", "13.0"),
    "sm103-b300-cu130": healthy(B300, "2.13.0+cu130", "580.82.07", "13.0", cpus=128, memory_gib=2000),
    "sm121-gb10-cu130": healthy(
        GB10, "2.13.0+cu130 aarch64", "580.95.05", "13.0", processor="aarch64", os_version="24.04", memory_gib=119
    ),
    "python313": healthy(H100, "2.9.1+cu128", "570.172.08", "12.8", "3.13.1"),
    "python314": healthy(H100, "2.13.0+cu130", "580.82.07", "13.0", "3.14.0"),
    "gh200-aarch64": gh200,
}


def main(names: list[str]) -> None:
    """Write the named machines, or all."""
    compiler = fake_driver.shutil.which("cc") or "gcc"
    with tempfile.TemporaryDirectory() as folder:
        driver = fake_driver.build(Path(folder), compiler)
        for name in names or MAKERS:
            MAKERS[name](driver).save(HOSTS / name)
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
