"""Probe: a convolution, forward and backward, against float64 on the CPU."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def probe(bench: Any) -> None:
    """Single precision forward and backward, then half precision forward on a GPU."""
    torch = bench.torch
    image, weight = bench.random(2, 8, 14, 14), bench.random(16, 8, 3, 3)
    exact = both_ways(torch, unfolded, image.double(), weight.double())
    bench.emit({"engine": engine(bench)})
    if bench.on_gpu:
        torch.backends.cudnn.allow_tf32 = False  # fewer bits by default, which would hide a small error
        if torch.backends.cudnn.is_available():
            bench.emit({"cudnn_version": int(torch.backends.cudnn.version())})
    got = both_ways(torch, torch.nn.functional.conv2d, image.to(bench.device), weight.to(bench.device))
    bench.wait()
    files = bench.load("loaded_libraries.py").look()["files"]
    bench.emit({"cudnn_files": [path for path in files if "libcudnn" in path.rsplit("/", 1)[-1].lower()]})
    bench.emit({"forward_relative_error": bench.hold("the convolution", got[0], exact[0], 1e-4)})
    off = bench.hold("the gradient of a convolution by its input", got[1], exact[1], 1e-4)
    off = max(off, bench.hold("the gradient of a convolution by its weight", got[2], exact[2], 1e-4))
    bench.emit({"backward_relative_error": off})
    if bench.on_gpu:
        half = torch.nn.functional.conv2d(image.to(bench.device).half(), weight.to(bench.device).half(), padding=1)
        reference = unfolded(image.half().double(), weight.half().double(), padding=1)
        bench.emit({"half_relative_error": bench.hold("the half precision convolution", half, reference, 5e-3)})


def unfolded(image: Any, weight: Any, padding: int) -> Any:
    """The same as a matrix product of windows: a reference that owes nothing to the function that is proven."""
    height, width = image.shape[2:]
    edge = image.new_zeros(image.shape[0], image.shape[1], height + 2 * padding, width + 2 * padding)
    edge[:, :, padding : padding + height, padding : padding + width] = image
    windows = edge.unfold(2, 3, 1).unfold(3, 3, 1)
    flat = windows.permute(0, 2, 3, 1, 4, 5).reshape(image.shape[0] * height * width, -1)
    result = flat @ weight.reshape(weight.shape[0], -1).t()
    return result.reshape(image.shape[0], height, width, -1).permute(0, 3, 1, 2)


def both_ways(torch: Any, convolve: Any, image: Any, weight: Any) -> tuple[Any, Any, Any]:
    """The result, and the gradients by input and weight."""
    image, weight = image.clone().requires_grad_(True), weight.clone().requires_grad_(True)
    result = convolve(image, weight, padding=1)
    gradients = torch.autograd.grad((result * result).sum() / 2, (image, weight))
    return result, gradients[0], gradients[1]


def engine(bench: Any) -> str:
    """What torch uses for a convolution here."""
    backends = bench.torch.backends
    if bench.on_gpu:
        return "cudnn" if backends.cudnn.enabled and backends.cudnn.is_available() else "native"
    return "mkldnn" if hasattr(backends, "mkldnn") and backends.mkldnn.is_available() else "native"
