"""Probe: matrix products for some seconds, then copies: which rates hold, and does the driver slow the GPU down.

What is timed on a GPU is timed by the GPU's own clock, between events, so that a process that is given little of a
processor does not make the GPU look slow.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GPU_SECONDS = 6.0
CPU_SECONDS = 2.0
COPY_SECONDS = 0.6
PERIOD = 0.5
# What is given to the GPU at a time: enough that giving it costs nothing beside it.
BATCH = 0.05
# Two buffers of this size are beyond every cache, so that copying one to the other tells of the memory.
LARGE = 8192
SMALL = 4096
HOST_BYTES = 64 << 20
# Where less memory than for these is free, nothing would be measured but how copies start.
LEAST_ELEMENTS = 1 << 20
# A GPU that is asked while it works must go on working until it has answered, however slow the asking is.
ANSWER_S = 5.0


def probe(bench: Any) -> None:
    """Products first, which bring the clocks up, then memory, then the way to the host."""
    torch = bench.torch
    dtype = torch.float16 if bench.on_gpu else torch.float32
    size = size_for(bench)
    left = torch.empty(size, size, device=bench.device, dtype=dtype).uniform_(-1.0, 1.0)
    out = torch.matmul(left, left)
    watch = bench.load("gpu_watch.py").Watch(bench)
    bench.emit({"precision": "fp16" if bench.on_gpu else "fp32", "size": size})
    calls_a_second: list[float] = []
    readings: list[Any] = []
    batch = batch_for(bench, lambda: torch.matmul(left, left, out=out))
    until = time.monotonic() + (GPU_SECONDS if bench.on_gpu else CPU_SECONDS)
    while time.monotonic() < until:
        rate, told = period(bench, lambda: torch.matmul(left, left, out=out), batch, watch.clocks)
        readings += told if calls_a_second else []  # in the first period the clocks may still be on their way up
        calls_a_second.append(rate)
    tell_products(bench, calls_a_second[1:] or calls_a_second, 2.0 * size**3)
    tell_clocks(bench, readings)
    if not bool(torch.isfinite(out).all()):
        bench.wrong("the product is not finite after %.0f s of work" % (len(calls_a_second) * PERIOD))
    if bench.on_gpu:
        memory_and_link(bench, left, out, watch)


def size_for(bench: Any) -> int:
    """The side of the matrices: two in half precision, and what cuBLAS takes besides, must fit the room."""
    if not bench.on_gpu:
        return 512
    return next((side for side in (LARGE, SMALL) if 2 * 2 * side * side + (96 << 20) <= bench.room()), 512)


def batch_for(bench: Any, work: Callable[[], Any]) -> int:
    """How many calls last about BATCH seconds."""
    return max(1, min(2000, int(BATCH / max(bench.seconds(work, repeats=1), 1e-7))))


def period(
    bench: Any, work: Callable[[], Any], batch: int, ask: Callable[[], Any], seconds: float = PERIOD
) -> tuple[float, list[Any]]:
    """Calls a second over one period, and what the GPU says of itself meanwhile, once it has said it."""
    asked = ask()
    began, count, worked = time.monotonic(), 0, 0.0
    while True:
        worked += timed(bench, work, batch)
        count += batch
        took = time.monotonic() - began
        if took >= seconds and (asked.done() or took >= ANSWER_S):
            return count / worked, asked.read()


def timed(bench: Any, work: Callable[[], Any], batch: int) -> float:
    """Seconds that a batch took, by the clock of the device that it ran on."""
    if not bench.on_gpu:
        began = time.perf_counter()
        for _ in range(batch):
            work()
        return time.perf_counter() - began
    # Blocking events let the waiting process sleep: spinning would use up the share of a processor that it is given.
    event = bench.torch.cuda.Event
    start, end = event(enable_timing=True), event(enable_timing=True, blocking=True)
    start.record()
    for _ in range(batch):
        work()
    end.record()
    end.synchronize()
    return max(1e-9, float(start.elapsed_time(end)) / 1000.0)


def tell_products(bench: Any, calls_a_second: list[float], operations: float) -> None:
    """The median of the periods, the best, and how far the slowest fell behind the median."""
    rates = sorted(one * operations for one in calls_a_second)
    median = rates[len(rates) // 2]
    bench.emit({"flops_per_second": float("%.4g" % median), "best_flops_per_second": float("%.4g" % rates[-1])})
    bench.emit({"lowest_share": round(rates[0] / median, 3)})


def tell_clocks(bench: Any, readings: list[Any]) -> None:
    """Clocks, temperatures and reasons; nothing where nobody could be asked."""
    for name, values in (
        ("clocks_mhz", [one["clock"] for one in readings if "clock" in one]),
        ("temperatures_celsius", [one["temperature"] for one in readings if "temperature" in one]),
        ("throttle_bits", [one["reasons"] for one in readings if "reasons" in one]),
    ):
        if values:
            bench.emit({name: values})


def memory_and_link(bench: Any, left: Any, out: Any, watch: Any) -> None:
    """Copies within the GPU's memory, and from and to pinned memory of the host, while the GPU is awake."""
    torch = bench.torch
    if left.shape[0] >= LARGE:
        batch = batch_for(bench, lambda: out.copy_(left))
        rate, _ = period(bench, lambda: out.copy_(left), batch, watch.nothing, COPY_SECONDS)
        moved = 2.0 * left.numel() * left.element_size()  # each byte is read and written
        bench.emit({"memory_bytes_per_second": float("%.4g" % (moved * rate))})
    elements = min(HOST_BYTES, bench.room() // 4) // 4
    if elements < LEAST_ELEMENTS:
        return
    here = torch.zeros(elements, dtype=torch.int32).pin_memory()
    there = torch.zeros(elements, dtype=torch.int32, device=bench.device)
    links = []
    for name, target, source in (("pinned_to_device", there, here), ("device_to_pinned", here, there)):
        work = copier(target, source)
        batch = batch_for(bench, work)
        period(bench, work, batch, watch.nothing, 0.1)  # a link that slept wakes up
        rate, told = period(bench, work, batch, watch.link, COPY_SECONDS)
        links += told
        bench.emit({name + "_bytes_per_second": float("%.4g" % (elements * 4 * rate))})
    bench.emit({"link_copy_bytes": elements * 4})
    found = {(one["generation"], one["width"]) for one in links if "generation" in one and "width" in one}
    if len(found) == 1:  # one that changed meanwhile is no measure
        generation, width = found.pop()
        bench.emit({"pcie_generation": generation, "pcie_width": width})


def copier(target: Any, source: Any) -> Callable[[], Any]:
    """Copying from one to the other, without waiting."""
    return lambda: target.copy_(source, non_blocking=True)
