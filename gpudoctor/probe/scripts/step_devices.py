"""Probe: every device that torch sees is set up, allocates and runs a first kernel."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def probe(bench: Any) -> None:
    """All GPUs, or the one that was asked for, or the CPU."""
    torch = bench.torch
    devices = [bench.device]
    if bench.on_gpu and not bench.options.get("device"):
        devices = [torch.device("cuda", index) for index in range(min(64, torch.cuda.device_count()))]
    tried: list[str] = []
    broken: list[str] = []
    busy: list[str] = []
    wrong: list[str] = []
    for device in devices:
        try:
            total = float((torch.ones(1000, device=device) * 2).sum())
        except (RuntimeError, MemoryError) as error:
            text = "%s: %s" % (device, str(error)[:500])
            (busy if bench.says_busy(error) else broken).append(text)
        else:
            (tried if total == 2000.0 else wrong).append(str(device) if total == 2000.0 else "%s: wrong sum" % device)
        bench.emit({"tried": list(tried), "broken": broken + wrong + busy})
    if wrong:
        bench.wrong("; ".join(wrong + broken))
    if broken:
        raise RuntimeError("; ".join(broken))
    if busy:
        bench.not_applicable("busy: " + "; ".join(busy))
