"""What an environment dump states: each piece with the trust that it deserves, brought down to one fact for each key.

A dump of one machine says the same thing in several places, and not always the same thing. What a program measured
goes before a list of packages, and that before what a person wrote; among equals the first one stands.
"""

from __future__ import annotations

import re

from gpudoctor.model.fact import Element, Fact, FactType, Value
from gpudoctor.model.version import Version

MEASURED, LISTED, TOLD, INFERRED = range(4)
LONGEST_TEXT = 4_000
MOST_ELEMENTS = 1_024

_VERSIONS = (
    "accelerate apex bitsandbytes cudnn cupy deepspeed flash_attn glibc jax lightning mpi4py nccl numpy nvidia_ml_py "
    "onnxruntime_gpu peft protobuf pynvml python ray sglang tensorflow torch torchao torchaudio torchtext torchvision "
    "transformer_engine transformers triton trl vllm xformers driver"
).split()
# Variables that vLLM's report and people's own listings give, as `env.<name>`.
SETTINGS = (
    "CUDA_HOME CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING CUDA_VISIBLE_DEVICES LD_LIBRARY_PATH LD_PRELOAD NCCL_ALGO "
    "NCCL_CUMEM_ENABLE NCCL_DEBUG NCCL_IB_DISABLE NCCL_IB_HCA NCCL_NVLS_ENABLE NCCL_P2P_DISABLE NCCL_PROTO "
    "NCCL_SHM_DISABLE NCCL_SOCKET_IFNAME OMP_NUM_THREADS PYTORCH_CUDA_ALLOC_CONF TORCHINDUCTOR_CACHE_DIR "
    "TORCH_CUDA_ARCH_LIST VLLM_ATTENTION_BACKEND VLLM_WORKER_MULTIPROC_METHOD"
).split()
# What dumps state, by key; each is declared by whoever reads it on a live machine, in the same type.
STATED: dict[str, FactType] = {
    **{f"{name}.version": FactType.VERSION for name in _VERSIONS},
    **{f"env.{name.lower()}": FactType.TEXT for name in SETTINGS},
    "container.nvidia_driver_capabilities": FactType.TEXT,
    "container.nvidia_require_cuda": FactType.TEXT,
    "container.nvidia_visible_devices": FactType.TEXT,
    "cpu.count": FactType.INTEGER,
    "cpu.model": FactType.TEXT,
    "cpu.socket_count": FactType.INTEGER,
    "crash.nvidia_smi_error": FactType.TEXT,
    "cuda_toolkit.home": FactType.TEXT,
    "cuda_toolkit.nvcc_version": FactType.VERSION,
    "driver.cuda_version": FactType.VERSION,
    "gpu.compute_capabilities": FactType.VERSION_LIST,
    "gpu.compute_modes": FactType.TEXT_LIST,
    "gpu.count": FactType.INTEGER,
    "gpu.ecc_volatile_uncorrected": FactType.INTEGER_LIST,
    "gpu.memory_total_bytes": FactType.INTEGER_LIST,
    "gpu.memory_used_bytes": FactType.INTEGER_LIST,
    "gpu.mig_enabled": FactType.BOOLEAN_LIST,
    "gpu.names": FactType.TEXT_LIST,
    "gpu.utilisation_percent": FactType.INTEGER_LIST,
    "kernel.machine": FactType.TEXT,
    "kernel.name": FactType.TEXT,
    "kernel.release": FactType.TEXT,
    "limits.nofile": FactType.INTEGER,
    "nvml.init_text": FactType.TEXT,
    "os.is_wsl": FactType.BOOLEAN,
    "os.name": FactType.TEXT,
    "packages.names_versions": FactType.TEXT_LIST,
    "shm.size_bytes": FactType.INTEGER,
    "torch.arch_list": FactType.TEXT_LIST,
    "torch.build": FactType.TEXT,
    "torch.cuda_available": FactType.BOOLEAN,
    "torch.cuda_version": FactType.VERSION,
    "torch.cuda_warning": FactType.TEXT,
    "torch.device_count": FactType.INTEGER,
    "torch.hip_version": FactType.VERSION,
    "torch.import_error": FactType.TEXT,
    "torch.import_outcome": FactType.TEXT,
    "torch.installed": FactType.BOOLEAN,
    "torch.metadata_version": FactType.VERSION,
}
_VERSION = re.compile(r"v?(\d[\w.+!-]{0,60})")


class Statements:
    """The statements of one document, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Value]] = {}

    def add(self, key: str, value: Value, trust: int = MEASURED) -> bool:
        """Take a statement in unless one that deserves as much trust came before; says whether it counted."""
        seen = self._found.get(key)
        if seen is not None and seen[0] <= trust:
            return False
        self._found[key] = (trust, value)
        return True

    def say(self, key: str, text: str, trust: int = MEASURED) -> bool:
        """The same from the text of a value; False where the text is no such value."""
        value = value_of(STATED.get(key, FactType.TEXT), text)
        if value is None:
            return False
        self.add(key, value, trust)
        return True

    def known(self, key: str) -> Value | None:
        """What stands for a key so far."""
        return self._found[key][1] if key in self._found else None

    def withdraw(self, key: str) -> None:
        """Take a statement back that another one refutes."""
        self._found.pop(key, None)

    def facts(self) -> tuple[Fact, ...]:
        """One fact for each key, sorted."""
        return tuple(Fact(key, self._found[key][1]) for key in sorted(self._found))

    def __len__(self) -> int:
        return len(self._found)


def value_of(kind: FactType, text: str) -> Value | None:
    """The value that a text holds; None where it holds none of this kind."""
    text = text.strip()[:LONGEST_TEXT]
    if not text or is_nothing(text):
        return None
    if kind is FactType.VERSION:
        return version_in(text)
    if kind is FactType.INTEGER:
        return int(text) if re.fullmatch(r"\d{1,15}", text) else None
    if kind is FactType.BOOLEAN:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower())
    return text if kind is FactType.TEXT else None


def version_in(text: str) -> Version | None:
    """The version that a text begins with."""
    found = _VERSION.match(text.strip())
    for piece in (found[1].rstrip(".-"), found[1].partition("-")[0]) if found else ():
        try:
            return Version.parse(piece)
        except ValueError:
            continue
    return None


def is_nothing(text: str) -> bool:
    """Whether a value says in one of the usual ways that there is none."""
    return text.strip().strip("[]()<>'\"").strip().lower() in _NOTHING


_NOTHING = {
    "",
    "-",
    "?",
    "n/a",
    "na",
    "none",
    "null",
    "no cuda",
    "no relevant packages",
    "could not collect",
    "not available",
    "not installed",
    "not found",
    "module not found",
    "unknown",
    "unspecified",
    "fill in",
}


def bounded(values: list[Element]) -> tuple[Element, ...]:
    """A list as a fact holds it; no machine has more than a thousand GPUs."""
    return tuple(values[:MOST_ELEMENTS])
