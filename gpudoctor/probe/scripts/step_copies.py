"""Probe: copies from the host to the device and back, with ordinary and with pinned memory."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOST_BYTES = 4 << 20
GPU_BYTES = 64 << 20


def probe(bench: Any) -> None:
    """Each way: first whether everything arrives, then how fast."""
    torch = bench.torch
    size = HOST_BYTES
    if bench.on_gpu:
        size = max(HOST_BYTES, min(GPU_BYTES, bench.room() // 4))
    bench.emit({"bytes": size})
    here = torch.arange(size // 4, dtype=torch.int32)
    there = torch.zeros_like(here, device=bench.device)
    back = torch.zeros_like(here)
    ways = [("to_device", here, there), ("to_host", there, back)]
    if bench.on_gpu:
        pinned = here.pin_memory()
        back_pinned = torch.empty_like(here).pin_memory()
        ways += [("pinned_to_device", pinned, there), ("device_to_pinned", there, back_pinned)]
    for name, source, target in ways:
        target.zero_()
        target.copy_(source, non_blocking=True)
        bench.wait()
        if not torch.equal(target.cpu(), here):
            bench.wrong("what was copied (%s) did not arrive as it left" % name)
        seconds = bench.seconds(lambda s=source, t=target: t.copy_(s, non_blocking=True), at_least=0.003)
        bench.emit({name + "_bytes_per_second": float("%.4g" % (size / seconds))})
