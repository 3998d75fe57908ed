"""Probe: matrix products for some seconds: does the rate hold, and does the driver slow the GPU down meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GPU_SECONDS = 6.0
CPU_SECONDS = 2.0
PERIOD = 0.5
QUERIES = "clocks.sm,temperature.gpu,clocks_throttle_reasons.active"


def probe(bench: Any) -> None:
    """Count products in periods; the first period warms up and is left out."""
    torch = bench.torch
    size = 4096 if bench.on_gpu and bench.room() > 200 << 20 else 512
    dtype = torch.float16 if bench.on_gpu else torch.float32
    left = torch.ones(size, size, device=bench.device).uniform_(-1.0, 1.0).to(dtype)
    out = left @ left
    bench.wait()
    rates, readings = [], []
    until = time.monotonic() + (GPU_SECONDS if bench.on_gpu else CPU_SECONDS)
    while time.monotonic() < until:
        began, count = time.monotonic(), 0
        watcher = reading(bench)
        while time.monotonic() - began < PERIOD:
            for _ in range(4):
                out = torch.matmul(left, left, out=out)
            bench.wait()
            count += 4
        rates.append(count * 2.0 * size**3 / (time.monotonic() - began))
        readings += read(watcher)
    rates = rates[1:] or rates
    median = sorted(rates)[len(rates) // 2]
    bench.emit({"flops_per_second": float("%.4g" % median), "lowest_share": round(min(rates) / median, 3)})
    if readings:
        bench.emit({"clocks_mhz": [int(one[0]) for one in readings]})
        bench.emit({"temperatures_celsius": [int(one[1]) for one in readings]})
        bench.emit({"throttle_reasons": sorted({one[2] for one in readings})})
    if not float(out.float().abs().sum()) < float("inf"):
        bench.wrong("the product is not finite after %.0f s of work" % (len(rates) * PERIOD))


def reading(bench: Any) -> Any:
    """nvidia-smi, started now and read later; None where it is not there."""
    program = shutil.which("nvidia-smi")
    uuid = str(getattr(bench.torch.cuda.get_device_properties(bench.device), "uuid", "")) if bench.on_gpu else ""
    if not program or not uuid:
        return None
    uuid = uuid if uuid.startswith("GPU-") else "GPU-" + uuid
    command = [program, "-i", uuid, "--query-gpu=" + QUERIES, "--format=csv,noheader,nounits"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)


def read(watcher: Any) -> list[list[str]]:
    """What it printed, where that is three values."""
    if watcher is None:
        return []
    try:
        text = watcher.communicate(timeout=5)[0]
    except subprocess.TimeoutExpired:
        watcher.kill()
        watcher.communicate()
        return []
    parts = [part.strip() for part in text.split(",")]
    return [parts] if len(parts) == 3 and parts[0].isdigit() and parts[1].isdigit() else []
