"""Probe: a mixed precision step with a scaled loss; no optimizer, whose import costs as much as torch itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCALE = 1024.0


def probe(bench: Any) -> None:
    """Each autocast precision that the device has."""
    torch = bench.torch
    if not hasattr(torch, "autocast"):
        bench.not_applicable("this torch has no torch.autocast")
    names = ["fp16"] if bench.on_gpu else []
    if not bench.on_gpu or bench.capability >= (8, 0) or not bench.capability[0]:
        names.append("bf16")
    data = [bench.random(16, 32), bench.random(32, 48) / 6, bench.random(48, 8) / 7]
    exact = gradients(torch, *(one.double() for one in data))
    passed, worst = [], 0.0
    for name in names:
        dtype = torch.float16 if name == "fp16" else torch.bfloat16
        with torch.autocast(device_type=bench.device.type, dtype=dtype):
            loss, weights = forward(torch, *(one.to(bench.device) for one in data))
        scaled = torch.autograd.grad(loss.float() * SCALE, weights)
        for gradient, reference in zip(scaled, exact):
            worst = max(worst, bench.hold("a gradient under %s autocast" % name, gradient / SCALE, reference, 6e-2))
        passed.append(name)
        bench.emit({"precisions": list(passed), "gradient_relative_error": worst})


def forward(torch: Any, image: Any, first: Any, second: Any) -> tuple[Any, list[Any]]:
    """The loss of a small network, and its weights."""
    weights = [first.clone().requires_grad_(True), second.clone().requires_grad_(True)]
    hidden = torch.tanh(image @ weights[0])
    return ((hidden @ weights[1]) ** 2).mean(), weights


def gradients(torch: Any, *data: Any) -> Any:
    """The same in the precision of the data."""
    loss, weights = forward(torch, *data)
    return torch.autograd.grad(loss, weights)
