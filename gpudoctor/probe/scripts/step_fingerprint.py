"""Probe: digests of seeded results, for comparing two machines that run one image."""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def probe(bench: Any) -> None:
    """Each operation twice: a result that differs from itself says nothing about another machine."""
    torch = bench.torch
    left, right = bench.random(128, 96).to(bench.device), bench.random(96, 64).to(bench.device)
    image, weight = bench.random(2, 4, 16, 16).to(bench.device), bench.random(8, 4, 3, 3).to(bench.device)
    if bench.on_gpu:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
    operations: dict[str, Callable[[], Any]] = {
        "random": lambda: torch.randn(
            1000, generator=torch.Generator(bench.device).manual_seed(7), device=bench.device
        ),
        "matmul": lambda: left @ right,
        "softmax": lambda: torch.softmax(left, dim=1),
        "sum": lambda: left.sum(dim=0),
        "conv2d": lambda: torch.nn.functional.conv2d(image, weight),
        "exp": lambda: torch.exp(left),
    }
    digests: list[str] = []
    unstable: list[str] = []
    for name, work in operations.items():
        first, second = digest(work()), digest(work())
        if first == second:
            digests.append("%s %s" % (name, first))
        else:
            unstable.append(name)
        bench.emit({"digests": list(digests), "unstable": list(unstable)})


def digest(value: Any) -> str:
    """The first digits of the SHA-256 of a tensor's bits."""
    numbers = value.detach().to("cpu").contiguous().view(-1).view(dtype=_bits(value)).tolist()
    return hashlib.sha256(repr(numbers).encode("ascii")).hexdigest()[:16]


def _bits(value: Any) -> Any:
    import importlib

    torch = importlib.import_module("torch")
    return torch.int32 if value.element_size() == 4 else torch.int16
