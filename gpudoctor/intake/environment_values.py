"""The values behind the labels of an environment report: what each of them states, in which of its spellings."""

from __future__ import annotations

import re

from gpudoctor.intake.crash_facts import bytes_of
from gpudoctor.intake.statements import INFERRED, Statements, bounded, is_nothing, version_in
from gpudoctor.model.fact import Element
from gpudoctor.model.version import Version

_PLATFORM = re.compile(
    r"Linux-(?P<release>\d[\w.+~-]{0,100}?)(?:-(?P<machine>x86_64|aarch64|arm64|ppc64le|s390x|armv7l|riscv64))?"
    r"(?:-with-(?P<rest>[\w.-]{1,60}))?$"
)
_MACHINE = re.compile(r"\s{0,4}\((?P<machine>x86_64|aarch64|arm64|ppc64le|amd64|AMD64|s390x|riscv64)\)$")
_LIBCUDNN = re.compile(r"libcudnn\.so\.(\d{1,3}(?:\.\d{1,4}){1,3})$")
_OF_GPUS = re.compile(
    r"^(?P<count>\d{1,3})\s{0,3}(?:x|X|\*|\u00d7)\s{0,3}(?P<name>\S.*)$"
    r"|^(?P<name2>\S.*?)\s{1,3}[xX*\u00d7]\s?(?P<count2>\d{1,3})$"
)
_GPU_WORD = re.compile(
    r"(?i)\b(?:nvidia|geforce|gtx|rtx|tesla|quadro|titan|jetson|orin|[ahblvptk]\d{1,4}0?[a-z]{0,2}|gh200|gb\d{2,3}|mx\d{3})\b"
)
MOST_TOLD_GPUS = 1_024
# What Python's os.name and sys.platform print where the name of the system is asked for.
_KERNELS = {"nt": "Windows", "win32": "Windows", "linux": "Linux", "darwin": "Darwin"}


def torch_version(stated: Statements, value: str, trust: int) -> bool:
    """`2.7.0+cu128`, `PyTorch 2.0.1`, `1.12.1+cu116 (False)`, `2.6.0 (CUDA)`."""
    value = re.sub(r"^(?i:pytorch|torch)[\s=-]{0,4}v?(?=\d)", "", value.strip("'\" "))
    version = version_in(value)
    if version is None:
        return is_nothing(value)
    if stated.add("torch.version", version, trust):
        build_of(stated, version, trust)
    stated.add("torch.installed", True, trust)
    if not trust:
        stated.add("torch.import_outcome", "imported", trust)
    told = re.search(r"\((?P<word>True|False|CUDA|GPU|NA|XPU|NPU|HPU|MPS)\)\s*$", value)
    if told:
        word = told["word"]
        stated.add("torch.cuda_available", word in ("True", "CUDA", "GPU"), trust)
    vision = re.search(r"\(torchvision: (?P<version>\d\S{0,30})\)$", value)
    if vision:
        stated.say("torchvision.version", vision["version"], trust)
    return True


def build_of(stated: Statements, version: Version, trust: int) -> None:
    """What the local part of a wheel's version tells: `+cu128`, `+cpu`, `+rocm6.2`, `+xpu`."""
    local = version.local.lower()
    cuda = re.match(r"cu(\d{2,3})(?![0-9a-z])", local)
    if cuda:
        stated.add("torch.build", "cuda", max(trust, INFERRED))
        stated.say("torch.cuda_version", f"{cuda[1][:-1]}.{cuda[1][-1]}", max(trust, INFERRED))
    elif re.match(r"cpu\b", local):
        stated.add("torch.build", "cpu", max(trust, INFERRED))
    elif local.startswith("rocm"):
        stated.add("torch.build", "rocm", max(trust, INFERRED))
    elif local.startswith("xpu"):
        stated.add("torch.build", "xpu", max(trust, INFERRED))


def built_cuda(stated: Statements, value: str, trust: int) -> bool:
    """The CUDA version that torch was built with; `None` stands for a build without."""
    value = value.strip("'\" ")
    if value.lower() in ("none", "could not collect"):
        if stated.known("torch.build") in ("xpu", "rocm"):
            return True  # which has no CUDA either
        # Up to torch 1.8 the report writes nothing but this where torch.version.cuda is None.
        stated.add("torch.build", "cpu", trust if value.lower() == "none" else INFERRED)
        return True
    version = version_in(value)
    if version is None or version.major == 0:
        return is_nothing(value)
    stated.add("torch.cuda_version", version, trust)
    stated.add("torch.build", "cuda", trust)
    return True


def printed_cuda(stated: Statements, value: str, trust: int) -> bool:
    """What `torch.version.cuda` printed; a statement about the build only where there is a value at all."""
    return bool(value) and built_cuda(stated, value, trust)


def built_rocm(stated: Statements, value: str, trust: int) -> bool:
    """The HIP version that torch was built with."""
    if not stated.say("torch.hip_version", value, trust):
        return is_nothing(value)
    stated.add("torch.build", "rocm", trust)
    return True


def built_xpu(stated: Statements, value: str, trust: int) -> bool:
    """The version of oneAPI that torch was built with."""
    if version_in(value) is not None:
        if stated.known("torch.build") == "cpu":
            stated.withdraw("torch.build")
        stated.add("torch.build", "xpu", trust)
    return True


def built_rocm_sdk(stated: Statements, value: str, trust: int) -> bool:
    """The version of ROCm, which is another one than HIP's; that of HIP is told beside it."""
    if version_in(value) is not None:
        stated.add("torch.build", "rocm", trust)
    return True


def gpu_listing(stated: Statements, value: str, trust: int) -> bool:
    """`GPU 0: NVIDIA A30\\nGPU 1: NVIDIA A30`: the list of collect_env inside JSON."""
    names: list[Element] = [name.strip() for name in re.findall(r"GPU \d{1,3}: ([^\\\n(]{3,80})", value)]
    if names:
        stated.add("gpu.names", bounded(names), trust)
        stated.add("gpu.count", len(bounded(names)), trust)
    return bool(names)


def os_name(stated: Statements, value: str, trust: int) -> bool:
    """`Ubuntu 22.04.5 LTS (x86_64)`: the name, and the machine in parentheses."""
    value = value.strip("'\" ")
    kernel = _KERNELS.get(value.lower())
    if kernel:
        stated.say("kernel.name", kernel, trust)
        return True
    machine_word = _MACHINE.search(value)
    name = value[: machine_word.start()].strip() if machine_word else value
    if not name or not re.search(r"[A-Za-z]{2}", name):
        return False
    stated.say("os.name", name[:200], trust)
    if machine_word:
        stated.say("kernel.machine", machine_word["machine"], trust)
    if re.search(r"\bWSL ?[12]?\b", name):
        stated.add("os.is_wsl", True, trust)
    return True


def machine(stated: Statements, value: str, trust: int) -> bool:
    """`x86_64`; Windows writes a number here."""
    return re.fullmatch(r"\d{1,3}", value) is not None or stated.say("kernel.machine", value, trust)


def libc(stated: Statements, value: str, trust: int) -> bool:
    """`glibc-2.35`, `2.35`; another libc is no glibc."""
    found = re.match(r"(?:g?libc[- ]?)?(?:glibc[- ]?)?(\d{1,2}\.[\d.]{1,10})", value)
    return stated.say("glibc.version", found[1], trust) if found else True


def python(stated: Statements, value: str, trust: int) -> bool:
    """`3.11.9 (main, ...) [GCC 11.2.0] (64-bit runtime)`, `Python 3.8`."""
    return stated.say("python.version", re.sub(r"^(?i:python)\s{1,4}", "", value.strip("'\" ")), trust)


def platform(stated: Statements, value: str, trust: int) -> bool:
    """`Linux-5.15.0-91-generic-x86_64-with-glibc2.35`, as Python's platform module puts it."""
    found = _PLATFORM.match(value.strip("'\" "))
    if found is None:
        if value.lower().startswith(("windows", "macos", "darwin")):
            stated.say("kernel.name", "Windows" if value.lower().startswith("windows") else "Darwin", trust)
            return True
        return False
    stated.say("kernel.name", "Linux", trust)
    stated.say("kernel.release", found["release"], trust)
    if found["machine"]:
        stated.say("kernel.machine", found["machine"], trust)
    # The same number stands in the line of the libc, which goes first.
    if (found["rest"] or "").startswith("glibc"):
        stated.say("glibc.version", found["rest"][5:], INFERRED)
    if "microsoft" in found["release"].lower():
        stated.add("os.is_wsl", True, trust)
    return True


def cuda_available(stated: Statements, value: str, trust: int) -> bool:
    """`True`, `False`, and `Yes` or `No` of the older releases."""
    return stated.say("torch.cuda_available", re.sub(r"[^A-Za-z].*$", "", value.strip("'\" ")), trust)


def accelerator(stated: Statements, value: str, trust: int) -> bool:
    """accelerate's name for what torch uses: `CUDA`, another one, or `N/A` where torch has none at all."""
    if not re.fullmatch(r"N/A|[A-Z]{2,8}", value):
        return False
    stated.add("torch.cuda_available", value == "CUDA", trust)
    return True


def pytorch_cuda(stated: Statements, value: str, trust: int) -> bool:
    """xformers' `available` and `not available`."""
    if value in ("available", "not available"):
        stated.add("torch.cuda_available", value == "available", trust)
    return True


def driver(stated: Statements, value: str, trust: int) -> bool:
    """A driver's version; of several in a row the first. Numbers of CUDA or of other vendors' drivers are none."""
    value = value.strip("'\" ")
    found = re.match(r"(?:nvidia[- ]?(?:driver)?[- ]?v?)?(\d{3}\.[\d.]{2,12})", value, re.IGNORECASE)
    found = found or re.match(r"nvidia-driver-[a-z-]{1,40}(\d{3}\.\d{2,3}(?:\.\d{2,3})?)-\d", value)  # a package of RPM
    return stated.say("driver.version", found[1].rstrip("."), trust) if found else is_nothing(value)


def kernel_module(stated: Statements, value: str, trust: int) -> bool:
    """The first line of /proc/driver/nvidia/version."""
    found = re.search(r"Kernel Module(?: for \w{1,20})?\s{1,8}(\d{3}\.[\d.]{2,12})", value)
    return stated.say("driver.version", found[1], trust) if found else False


def cudnn(stated: Statements, value: str, trust: int) -> bool:
    """A version, or the path of a library that ends in one; a list of paths follows on lines of its own."""
    path = _LIBCUDNN.search(value)
    if path:
        return stated.say("cudnn.version", path[1], trust)
    found = re.match(r"(?:cudnn)?[ _-]?v?(\d{1,2}\.\d{1,2}(?:\.\d{1,4}){0,2})", value, re.IGNORECASE)
    if found:
        return stated.say("cudnn.version", found[1], trust)
    return cudnn_number(stated, value, trust) or "robably" in value


def cudnn_path(line: str) -> str:
    """The version in a line that is the path of a cuDNN library and nothing else; empty for any other line."""
    found = _LIBCUDNN.search(line.strip()) if line.strip().startswith("/") else None
    return found[1] if found else ""


def cudnn_number(stated: Statements, value: str, trust: int) -> bool:
    """`90100` of torch.backends.cudnn.version(): 9.1.0; before cuDNN 9 it was 8902 for 8.9.2."""
    if not re.fullmatch(r"\d{4,6}", value):
        return False
    number = int(value)
    scale = 10_000 if number >= 90_000 else 1_000
    return stated.say("cudnn.version", f"{number // scale}.{number % scale // 100}.{number % 100}", trust)


def nvcc(stated: Statements, value: str, trust: int) -> bool:
    """`Cuda compilation tools, release 12.1, V12.1.105`, `Build cuda_11.8.r11.8/...`."""
    found = re.search(r"\bV(\d{1,2}\.\d{1,2}\.\d{1,4})\b", value) or re.search(
        r"(?:release |cuda_)(\d{1,2}\.\d)", value
    )
    return stated.say("cuda_toolkit.nvcc_version", found[1], trust) if found else is_nothing(value)


def shm_size(stated: Statements, value: str, trust: int) -> bool:
    """`125.77 GB`, which ds_report counts in units of 1024."""
    size = bytes_of(re.sub(r"\s", "", value))
    return size is not None and stated.say("shm.size_bytes", str(size), trust)


def gpu_type(stated: Statements, value: str, trust: int) -> bool:
    """The name of the first GPU; more of them are not told, so neither is their number."""
    names = [part for part in re.split(r"\s{0,2}(?:\r|,? VRAM)", value) if part.strip()]
    if not names or not _GPU_WORD.search(names[0]):
        return is_nothing(value)
    name = re.sub(r"[,\s]{1,4}\d{1,6} ?Mi?B$", "", names[0].strip("'\" "))
    return stated.add("gpu.names", (name,), max(trust, INFERRED)) or True


def gpu_models(stated: Statements, value: str, trust: int) -> bool:
    """The rest of the line that begins collect_env's list: one GPU, or under ROCm the name of the first one."""
    amd = re.match(r"(?P<name>AMD [^\n(]{3,60}?)\s{0,2}(?:\(gfx\w{1,8}.{0,40})?$", value)
    if amd:
        return stated.add("gpu.names", (amd["name"].strip(),), max(trust, INFERRED)) or True
    return not value or value.startswith("GPU ") or gpu_type(stated, value, trust)


def gpu_number(stated: Statements, value: str, trust: int) -> bool:
    """How many GPUs there are; none is a statement as well, but one of torch's view only."""
    if not re.fullmatch(r"\d{1,3}", value) or int(value) > MOST_TOLD_GPUS:
        return False
    return stated.add("gpu.count" if int(value) else "torch.device_count", int(value), trust) or True


def gpu_told(stated: Statements, value: str, trust: int) -> bool:
    """What a person wrote: `GTX 1050Ti`, `2x RTX 3090`, `4 * A100`."""
    value = value.strip("'\" ")
    if not _GPU_WORD.search(value) or len(value) > 80 or "=" in value:
        return False
    several = _OF_GPUS.match(value)
    name = (several["name"] or several["name2"]) if several else value
    count = int((several["count"] or several["count2"]) if several else 1)
    if 1 <= count <= MOST_TOLD_GPUS:
        names: list[Element] = [name.strip()] * count
        stated.add("gpu.names", bounded(names), trust)
    return True
