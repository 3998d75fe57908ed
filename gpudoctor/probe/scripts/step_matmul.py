"""Probe: the matrix product against float64, in each precision that the device has, and its rate."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SIZE = 256
TOLERANCES = {"fp32": 1e-5, "tf32": 2e-3, "fp16": 2e-3, "bf16": 1e-2, "fp8": 1e-2}
# Variables that let float32 products be computed with fewer bits, by the user's own wish.
SHORTENED = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "DNNL_DEFAULT_FPMATH_MODE")


def probe(bench: Any) -> None:
    """Each precision in turn: first whether it is right, then how fast it is."""
    left, right = bench.random(SIZE, SIZE), bench.random(SIZE, SIZE + 1)[:, 1:]
    passed = []
    for name in precisions(bench):
        product, types = product_of(bench, name)
        a, b = types(left), types(right)
        reference = a.to("cpu").double() @ b.to("cpu").double()
        shortened = name == "fp32" and any(os.environ.get(one, "0") != "0" for one in SHORTENED)
        tolerance = TOLERANCES["bf16" if shortened else name]
        try:
            got = product(a, b)
        except (RuntimeError, TypeError, AttributeError) as error:
            if refused(name, error):
                continue
            raise
        bench.emit({name + "_relative_error": bench.hold("the %s matrix product" % name, got, reference, tolerance)})
        passed.append(name)
        bench.emit({"precisions": list(passed)})
        bench.emit({name + "_flops_per_second": rate(bench, product, types)})


def precisions(bench: Any) -> list[str]:
    """What is worth trying here."""
    if not bench.on_gpu:
        return ["fp32", "bf16"]
    found = ["fp32"]
    if bench.capability >= (8, 0):
        found.append("tf32")
    found.append("fp16")
    if bench.capability >= (8, 0) or not bench.capability[0]:
        found.append("bf16")
    if bench.capability >= (8, 9) and hasattr(bench.torch, "_scaled_mm") and hasattr(bench.torch, "float8_e4m3fn"):
        found.append("fp8")
    return found


def refused(name: str, error: Exception) -> bool:
    """Whether this release just has no such product: an unimplemented type, or fp8, whose call is not settled."""
    text = str(error).lower()
    told = "not implemented" in text or "not supported" in text or "unsupported" in text
    return told or (name == "fp8" and not isinstance(error, RuntimeError))


def product_of(bench: Any, name: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]:
    """The product and what makes its operands."""
    torch = bench.torch
    if name == "fp8":
        one = torch.ones((), device=bench.device)

        def scaled(a: Any, b: Any) -> Any:
            got = torch._scaled_mm(
                a, columns(b), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=False
            )
            return got[0] if isinstance(got, tuple) else got

        return scaled, lambda value: value.to(bench.device).to(torch.float8_e4m3fn)
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(name, torch.float32)
    if bench.on_gpu and name in ("fp32", "tf32"):
        torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
    return torch.matmul, lambda value: value.to(bench.device, dtype)


def columns(value: Any) -> Any:
    """The same matrix, its columns one after the other, which is how fp8 wants the second one."""
    return value if value.stride(0) == 1 else value.t().contiguous().t()


def rate(bench: Any, product: Callable[[Any, Any], Any], types: Callable[[Any], Any]) -> float:
    """Floating point operations a second, at a size that fills a GPU and fits the room."""
    size = SIZE
    if bench.on_gpu:
        size = 4096
        while 5 * 4 * size * size > bench.room() and size > SIZE:
            size //= 2
    a = types(bench.torch.ones(size, size, device=bench.device).uniform_(-1.0, 1.0))
    b = types(bench.torch.ones(size, size, device=bench.device).uniform_(-1.0, 1.0))
    if "float8" in str(b.dtype):
        b = columns(b)  # else each call would do it anew
    product(a, b)
    seconds = bench.seconds(lambda: product(a, b), at_least=0.02 if bench.on_gpu else 0.002)
    return float("%.4g" % (2.0 * size**3 / seconds))
