"""Environment variables that do nothing any more, contradict each other, or cost speed while they are set."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown, Value
from gpudoctor.model.version import Version

FACTS = (
    FactSpec("env.outdated", FactType.TEXT_LIST, "Variables that were replaced, as `OLD (now NEW)`."),
    FactSpec("env.contradicting", FactType.TEXT_LIST, "Pairs of variables that ask for opposite things."),
    FactSpec("env.slowing", FactType.TEXT_LIST, "Variables for finding faults that cost speed in ordinary runs."),
)
# Replaced variable, its successor, the torch from which on that is so (empty: in every torch that is in use).
_REPLACED = (
    ("NCCL_ASYNC_ERROR_HANDLING", "TORCH_NCCL_ASYNC_ERROR_HANDLING", "2.2"),
    ("NCCL_BLOCKING_WAIT", "TORCH_NCCL_BLOCKING_WAIT", "2.2"),
    ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "2.9"),
    ("TRANSFORMERS_CACHE", "HF_HOME", ""),
)
_SLOWING = {
    "CUDA_LAUNCH_BLOCKING": "every kernel is waited for",
    "PYTORCH_NO_CUDA_MEMORY_CACHING": "every tensor costs a call to the driver",
    "TORCH_NCCL_BLOCKING_WAIT": "every collective is waited for",
    "CUDA_CACHE_DISABLE": "compiled PTX is thrown away",
}
_OFF = ("", "0", "false", "off", "no")
INPUTS = (
    "torch.version",
    "env.pytorch_alloc_conf",
    "env.torch_nccl_async_error_handling",
    "env.cuda_force_ptx_jit",
    "env.cuda_disable_ptx_jit",
    *(f"env.{old.lower()}" for old, _, _ in _REPLACED),
    *(f"env.{name.lower()}" for name in _SLOWING),
)
NOT_READ = Unknown(Reason.NO_DATA, "the environment is not known")


def derive(facts: Facts, tables: Tables) -> Iterable[Fact]:
    """Where the environment was not read at all nothing is said about it."""
    if not any(_is_told(facts, key) for key in INPUTS if key.startswith("env.")):
        yield from (Fact(spec.key, NOT_READ) for spec in FACTS)
        return
    yield Fact("env.outdated", tuple(_outdated(facts)))
    yield Fact("env.contradicting", tuple(_contradicting(facts)))
    yield Fact("env.slowing", tuple(f"{name} ({cost})" for name, cost in _SLOWING.items() if _is_on(facts, name)))


def _is_told(facts: Facts, key: str) -> bool:
    value = facts[key]
    return not isinstance(value, Unknown) or value.reason is Reason.NOT_APPLICABLE


def _text(facts: Facts, name: str) -> str | None:
    return facts.text(f"env.{name.lower()}")


def _is_on(facts: Facts, name: str) -> bool:
    value: Value | None = _text(facts, name)
    return isinstance(value, str) and value.strip().lower() not in _OFF


def _outdated(facts: Facts) -> Iterable[str]:
    torch = facts.version("torch.version")
    for old, new, since in _REPLACED:
        if not _text(facts, old) or (since and (torch is None or torch < Version.parse(since))):
            continue
        if old == "PYTORCH_CUDA_ALLOC_CONF" and _text(facts, new):
            continue  # both are set for images that serve several releases; whether they differ is another question
        yield f"{old} (now {new})"


def _contradicting(facts: Facts) -> Iterable[str]:
    if _is_on(facts, "CUDA_FORCE_PTX_JIT") and _is_on(facts, "CUDA_DISABLE_PTX_JIT"):
        yield "CUDA_FORCE_PTX_JIT and CUDA_DISABLE_PTX_JIT"
    old, new = _text(facts, "PYTORCH_CUDA_ALLOC_CONF"), _text(facts, "PYTORCH_ALLOC_CONF")
    if old and new and _settings(old) != _settings(new):
        yield "PYTORCH_CUDA_ALLOC_CONF and PYTORCH_ALLOC_CONF"
    if _is_on(facts, "TORCH_NCCL_BLOCKING_WAIT") and _is_on(facts, "TORCH_NCCL_ASYNC_ERROR_HANDLING"):
        yield "TORCH_NCCL_BLOCKING_WAIT and TORCH_NCCL_ASYNC_ERROR_HANDLING"


def _settings(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
