"""One error number for NVML and one for CUDA, from the call's own code or from the words that programs print.

Documents rarely hold the number; they hold the sentence. Both lead to the same facts, so that one check serves both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value

FACTS = (
    FactSpec("nvml.failure_code", FactType.INTEGER, "Why NVML does not start, as NVML's number; 0 where it does."),
    FactSpec("cuda.failure_code", FactType.INTEGER, "Why CUDA does not start, as CUDA's number; 0 where it does."),
    FactSpec("torch.reports_missing_kernels", FactType.BOOLEAN, "Whether torch says that it has no code for a GPU."),
)
INPUTS = (
    "nvml.init_code",
    "nvml.init_text",
    "cuda.init_code",
    "torch.cuda_warning",
    "torch.cuda_init_error",
    "torch.cuda_available",
)

_NVML_WORDS = (
    (r"driver/library version mismatch", 18),
    (r"driver not loaded|couldn't communicate with the nvidia driver", 9),
    (r"insufficient permissions", 4),
    (r"library not found|couldn't find libnvidia-ml", 12),
    (r"gpu is lost", 15),
    (r"unknown error", 999),
)
_CUDA_WORDS = (
    (r"driver on your system is too old|driver version is insufficient", 35),
    (r"found no nvidia driver", 100),
    (r"no cuda-capable device is detected|no cuda gpus are available", 100),
    (r"forward compatibility was attempted on non supported", 804),
    (r"unsupported display driver / cuda driver combination", 803),
    (r"system not yet initialized", 802),
    (r"cuda driver is a stub library", 34),
    (r"devices? (is/are|are) busy or unavailable|devices\(s\) is/are busy", 46),
    (r"cuda unknown error|unknown error", 999),
)
_NO_KERNELS = (
    r"(?i)is not compatible with the current PyTorch installation|does not include kernels for this GPU|"
    r"no kernel image is available for execution"
)
_NUMBER = r"(?i)\berror (\d{1,3})\b"


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """A call's own code goes first; for CUDA a warning of torch does, since torch is the one that has to work."""
    nvml: Value | Unknown = facts["nvml.init_code"]
    if isinstance(nvml, Unknown):
        nvml = _by_words(facts.text("nvml.init_text"), _NVML_WORDS) or nvml
    yield Fact("nvml.failure_code", nvml)
    cuda: Value | Unknown = facts["cuda.init_code"]
    working = facts.flag("torch.cuda_available")
    if working:
        cuda = 0
    elif not isinstance(cuda, int) or cuda == 0:
        warning = f"{facts.text('torch.cuda_warning') or ''}\n{facts.text('torch.cuda_init_error') or ''}".strip()
        number = re.search(_NUMBER, warning) if warning else None
        cuda = (int(number[1]) if number else _by_words(warning, _CUDA_WORDS)) or cuda
    yield Fact("cuda.failure_code", cuda if not isinstance(cuda, Unknown) else _why(cuda))
    said = facts.text("torch.cuda_warning")
    quiet: Value | Unknown = facts["torch.cuda_available"] if working is None else False
    yield Fact("torch.reports_missing_kernels", quiet if said is None else bool(re.search(_NO_KERNELS, said)))


def _by_words(text: str | None, words: tuple[tuple[str, int], ...]) -> int | None:
    lowered = (text or "").strip().lower()
    if not lowered:  # as nearly always, and then no pattern need be compiled
        return None
    return next((code for pattern, code in words if re.search(pattern, lowered)), None)


def _why(unknown: Unknown) -> Unknown:
    return unknown if unknown.detail else Unknown(unknown.reason or Reason.NO_DATA, "CUDA was not started")
