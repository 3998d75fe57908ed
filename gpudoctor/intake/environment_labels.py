"""Lines of the form `label: value`, as every environment report prints them, each label with what it states.

One table serves them all, because the tools took their labels from one another: torch's collect_env and what vLLM
made of it, mmcv and SGLang, transformers, diffusers and accelerate, ds_report, bitsandbytes, xformers, and what people
type into issue forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gpudoctor.intake import environment_values as values
from gpudoctor.intake.statements import LISTED, MEASURED, TOLD, Statements, is_nothing

Reader = Callable[[Statements, str, int], bool]

_BULLET = re.compile(r"^\s{0,40}(?:(?:[-\u2022+]|\*{1,2})\s{1,8}|\d{1,2}[.)]\s{1,4}|[{,]\s{0,2})?")
_LINE = re.compile(
    r"(?P<label>[`'\"*]{0,3}[A-Za-z\u4e00-\u9fff][^:=\n]{0,70}?)\s{0,40}(?::(?!//|\\|:)|=(?!=)|\.{4,60})\s{0,40}(?P<value>.*)$"
)
# Interactive prints: `torch.__version__ 2.9.1`, `>>> torch.version.cuda`.
_CALLED = re.compile(
    r"^(?:>>>\s{0,4}|In \[\d{1,4}\]:\s{0,4})?(?:print\()?(?P<label>(?:torch|torchvision|torchaudio|numpy|np|triton|"
    r"transformers|vllm)\.[\w.]{1,40}(?:\(\d{0,2}\))?)\)?\s{0,8}[:=,]{0,2}\s{0,8}(?P<value>\S.{0,200})?$"
)
_ASKED_IN_PARENS = re.compile(r"\s{0,4}\((?:e\.?g\.?|gpu|accelerator|cpu|if |i\.e\.|ex)[^)]{0,60}\)?", re.IGNORECASE)
_PACKAGE = re.compile(r"[a-z_][\w.-]{0,60}=\d[\w.+!]{0,40}=[\w.]{1,80}\s*$")  # conda's name=version=build
_LONGEST_VALUE = 2_000


def split(line: str) -> tuple[str, str, bool] | None:
    """Label (lower case, bare), value, and whether a form asked for it; None for a line of another form."""
    called = _CALLED.match(line.strip()) if "." in line else None
    if called:
        return called["label"].lower(), (called["value"] or "").strip(), False
    bare = line[_BULLET.match(line).end() :]  # type: ignore[union-attr]
    match = _LINE.match(bare)
    if match is None or _PACKAGE.match(bare):
        return None
    label = match["label"]
    asked = _ASKED_IN_PARENS.search(label)
    formed = asked is not None and "e.g" in asked[0].lower()
    label = re.sub(r"[`'\"*]+", "", _ASKED_IN_PARENS.sub("", label))
    label = re.sub(r"[\s_]+", " ", label).strip().lower()
    return label, unquoted(match["value"][:_LONGEST_VALUE]), formed


def unquoted(value: str) -> str:
    """A value without the quotation marks, commas and Markdown of the place that it was copied from."""
    value = value.strip()
    if value[:1] in "'\"" and value.rstrip(",}")[-1:] == value[:1] and len(value) > 2:
        value = value.rstrip(",}")[1:-1]
    return value.strip("`* \t").rstrip("\\,").strip()


def is_label(label: str) -> bool:
    """Whether a text asks for something that the table knows."""
    parts = split(f"{label}: ")
    return parts is not None and parts[0] in _TABLE


def read_line(line: str, stated: Statements, is_told: bool = False) -> bool | None:
    """Take what a line states. True: understood; False: a known label with a value of no use; None: not ours."""
    if _IGNORED_FORMS.match(line):
        return True
    parts = split(line)
    if parts is None:
        return None
    label, value, formed = parts
    reader, trust = _TABLE.get(label, (None, MEASURED))
    if reader is None:
        return None
    if is_nothing(value) and reader not in _READ_NOTHING:
        return True
    return reader(stated, value, TOLD if formed or is_told else trust)


def _key(key: str) -> Reader:
    return lambda stated, value, trust: stated.say(key, value, trust)


def _ignored(_stated: Statements, _value: str, _trust: int) -> bool:
    return True


_READ_NOTHING: tuple[Reader, ...] = (
    values.built_cuda,
    values.torch_version,
    values.printed_cuda,
    values.accelerator,
)
_MEASURED: dict[str, Reader] = {
    # torch.utils.collect_env, and what vLLM and others made of it
    "pytorch version": values.torch_version,
    "cuda used to build pytorch": values.built_cuda,
    "rocm used to build pytorch": values.built_rocm,
    "rocm sdk used to build pytorch": values.built_rocm_sdk,
    "hip used to build pytorch": values.built_rocm,
    "xpu used to build pytorch": values.built_xpu,
    # the same inside the system information of stable-diffusion-webui
    "cuda compiled version": values.built_cuda,
    "hip compiled version": values.built_rocm,
    "nvidia gpu models": values.gpu_listing,
    "os": values.os_name,
    "libc version": values.libc,
    "python version": values.python,
    "python platform": values.platform,
    "is cuda available": values.cuda_available,
    "cuda runtime version": _key("cuda_toolkit.nvcc_version"),
    "nvidia driver version": values.driver,
    "gpu models and configuration": values.gpu_models,
    "cudnn version": values.cudnn,
    "nccl version": _key("nccl.version"),
    "vllm version": _key("vllm.version"),
    "architecture": values.machine,
    "cpu(s)": _key("cpu.count"),
    "model name": _key("cpu.model"),
    "socket(s)": _key("cpu.socket_count"),
    # SGLang, mmcv, mmengine
    "python": values.python,
    "cuda available": values.cuda_available,
    "cuda home": _key("cuda_toolkit.home"),
    "nvcc": values.nvcc,
    "cuda driver version": values.driver,
    "pytorch": values.torch_version,
    "ulimit soft": _key("limits.nofile"),
    "cuda runtime": values.built_cuda,
    # transformers, diffusers, accelerate, bitsandbytes
    "platform": values.platform,
    "gpu type": values.gpu_type,
    "accelerator": values.gpu_type,
    "pytorch accelerator": values.accelerator,
    "libc": values.libc,
    # ds_report
    "torch version": values.torch_version,
    "torch cuda version": values.built_cuda,
    "torch hip version": values.built_rocm,
    "nvcc version": _key("cuda_toolkit.nvcc_version"),
    "deepspeed info": _key("deepspeed.version"),
    "shared memory (/dev/shm) size": values.shm_size,
    # xformers.info
    "pytorch.version": values.torch_version,
    "pytorch.cuda": values.pytorch_cuda,
    "gpu.name": values.gpu_type,
    # printed at a prompt
    "torch. version": values.torch_version,
    "torch.__version__": values.torch_version,
    "torch.version.__version__": values.torch_version,
    "torch.version.cuda": values.printed_cuda,
    "torch.version.hip": values.built_rocm,
    "torch.cuda.is_available()": values.cuda_available,
    "torch.cuda.is available()": values.cuda_available,
    "torch.cuda.is_available": values.cuda_available,
    "torch.cuda.device_count()": _key("torch.device_count"),
    "torch.cuda.device count()": _key("torch.device_count"),
    "torch.cuda.get_device_name()": values.gpu_type,
    "torch.cuda.get_device_name(0)": values.gpu_type,
    "torch.backends.cudnn.version()": values.cudnn_number,
    "torchvision.__version__": _key("torchvision.version"),
    "torchaudio.__version__": _key("torchaudio.version"),
    "numpy.__version__": _key("numpy.version"),
    "np.__version__": _key("numpy.version"),
    "triton.__version__": _key("triton.version"),
    "vllm.__version__": _key("vllm.version"),
    "transformers.__version__": _key("transformers.version"),
    # /etc/os-release, /proc/driver/nvidia/version
    "pretty name": values.os_name,
    "distrib description": values.os_name,
    "nvrm version": values.kernel_module,
}
_TOLD: dict[str, Reader] = {
    "operating system": values.os_name,
    "os version": values.os_name,
    "os platform and distribution": values.os_name,
    "system": values.os_name,
    "nvidia driver": values.driver,
    "gpu driver": values.driver,
    "driver version": values.driver,
    "driver": values.driver,
    "nvidia driver version": values.driver,
    "gpu": values.gpu_told,
    "gpus": values.gpu_told,
    "gpu model": values.gpu_told,
    "gpu name": values.gpu_told,
    "graphics card": values.gpu_told,
    "torch": values.torch_version,
    "cudnn": values.cudnn,
    "nccl": _key("nccl.version"),
    "glibc": values.libc,
    "glibc version": values.libc,
    "numpy version": _key("numpy.version"),
    "is cuda available (pytorch)": values.cuda_available,
    "gpu available": values.cuda_available,
    "cuda available?": values.cuda_available,
    "is cuda available?": values.cuda_available,
    "number of gpus": values.gpu_number,
    "number of gpu": values.gpu_number,
    "gpu number": values.gpu_number,
    "gpu count": values.gpu_number,
    "device count": values.gpu_number,
    "cuda device count": values.gpu_number,
    "device name": values.gpu_told,
    "cuda device name": values.gpu_told,
    "gpu device": values.gpu_told,
    "\u64cd\u4f5c\u7cfb\u7edf": values.os_name,
    "\u7cfb\u7edf": values.os_name,
    "\u7cfb\u7edf\u7248\u672c": values.os_name,
    "\u663e\u5361": values.gpu_told,
    "\u663e\u5361\u578b\u53f7": values.gpu_told,
    "gpu\u578b\u53f7": values.gpu_told,
    "gpu \u578b\u53f7": values.gpu_told,
    "\u663e\u5361\u6570\u91cf": values.gpu_number,
    "\u9a71\u52a8": values.driver,
    "\u9a71\u52a8\u7248\u672c": values.driver,
    "\u663e\u5361\u9a71\u52a8": values.driver,
    "\u663e\u5361\u9a71\u52a8\u7248\u672c": values.driver,
    "gpu\u9a71\u52a8\u7248\u672c": values.driver,
    "nvidia\u9a71\u52a8\u7248\u672c": values.driver,
    "nvidia \u9a71\u52a8\u7248\u672c": values.driver,
    "python\u7248\u672c": values.python,
    "python \u7248\u672c": values.python,
    "pytorch\u7248\u672c": values.torch_version,
    "pytorch \u7248\u672c": values.torch_version,
    "torch\u7248\u672c": values.torch_version,
    "torch \u7248\u672c": values.torch_version,
}
_IGNORED = (
    "is debug build,gcc version,clang version,cmake version,cuda module loading set to,hip runtime version,"
    "miopen runtime version,is xnnpack available,is xpu available,caching allocator config,cpu,versions of relevant "
    "libraries,gcc,hypervisor vendor,nvidia topology,gpu topology,legend,vllm build flags,neuron sdk version,"
    "rocm version,byte order,vendor id,cpu family,thread(s) per core,core(s) per socket,stepping,bogomips,flags,"
    "numa node(s),cpu op-mode(s),address sizes,on-line cpu(s) list,model,virtualization,l1d cache,l1i cache,l2 cache,"
    "l3 cache,torch install path,deepspeed install path,deepspeed wheel compiled w.,huggingface hub version,"
    "huggingface hub,safetensors version,using gpu in script?,using distributed or parallel set-up in script?,"
    "pytorch compiling details,torchvision compiler,opencv,mmcv,mmengine,sys.platform,numpy random seed,"
    "virtualization type,system ram,accelerate bash location,accelerate config,accelerate default config"
).split(",")
# Headings, rules, lines of lscpu that each processor has its own of, and ds_report's table of what it can compile.
_IGNORED_FORMS = re.compile(
    r"\s{0,8}(?:Vulnerability [\w ]{2,40}:|NUMA node\d{1,4} CPU\(s\):|\w{2,40} \.{2,40} \[(?:OKAY|NO)\]"
    r"|\w{2,40} {1,4}\[NO\] \.{3,12} \[(?:OKAY|NO)\]|op name \.{3,20} installed |-{20,200}$"
    r"|\[(?:pip3?|conda)\] Could not collect$|DeepSpeed (?:C\+\+/CUDA extension op report|general environment info:)$"
    r"|Collecting environment information|Copy-and-paste the text below in your GitHub issue)"
)
_PACKAGES = {
    **{name: name for name in ("triton", "torchvision", "torchaudio", "torchtext", "torchao", "numpy", "xformers")},
    **{name: name for name in ("transformers", "accelerate", "deepspeed", "vllm", "sglang", "peft", "trl", "jax")},
    **{name: name for name in ("bitsandbytes", "protobuf", "ray", "tensorflow", "lightning", "pynvml", "apex")},
    "flash-attn": "flash_attn",
    "flash attn": "flash_attn",
    "transformer engine": "transformer_engine",
    "xformers version": "xformers",
    "transformers version": "transformers",
    "accelerate version": "accelerate",
    "deepspeed version": "deepspeed",
    "peft version": "peft",
    "bitsandbytes version": "bitsandbytes",
    "torchvision version": "torchvision",
    "torchaudio version": "torchaudio",
    "triton version": "triton",
    "sglang version": "sglang",
    "tensorflow version": "tensorflow",
    "jax version": "jax",
}
_TABLE: dict[str, tuple[Reader, int]] = {
    **dict.fromkeys(_IGNORED, (_ignored, MEASURED)),
    **{label: (_key(f"{name}.version"), LISTED) for label, name in _PACKAGES.items()},
    **{label: (reader, TOLD) for label, reader in _TOLD.items()},
    **{label: (reader, MEASURED) for label, reader in _MEASURED.items()},
}
