"""Probe: copies between each pair of GPUs arrive as they left."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BYTES = 4 << 20


def probe(bench: Any) -> None:
    """Each ordered pair; with a device given, the pairs that it is part of."""
    torch = bench.torch
    count = min(16, torch.cuda.device_count()) if bench.on_gpu else 0
    if count < 2:
        bench.not_applicable("there are not two GPUs")
    pairs, direct, wrong = [], [], []
    source = torch.arange(BYTES // 4, dtype=torch.int32)
    for first in range(count):
        for second in range(count):
            if first == second or (bench.options.get("device") and bench.device.index not in (first, second)):
                continue
            name = "cuda:%d -> cuda:%d" % (first, second)
            pairs.append(name)
            if torch.cuda.can_device_access_peer(first, second):
                direct.append(name)
            sent = source.to(torch.device("cuda", first))
            arrived = sent.to(torch.device("cuda", second))
            torch.cuda.synchronize(first)
            torch.cuda.synchronize(second)
            if not torch.equal(arrived.cpu(), source):
                wrong.append(name)
            bench.emit({"pairs": list(pairs), "direct": list(direct), "wrong": list(wrong)})
    if wrong:
        bench.wrong("what was copied did not arrive as it left: " + ", ".join(wrong))
