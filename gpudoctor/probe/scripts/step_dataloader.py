"""Probe: a DataLoader with workers, whose batches travel through /dev/shm."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WORKERS = 2
BATCHES = 8
NUMBERS = 1 << 20  # 8 MiB a batch in int64: with two batches ahead for each worker 32 MiB lie in /dev/shm


class Batches:
    """A data set whose items are batches that tell their own number."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, index: int) -> Any:
        return self.torch.arange(NUMBERS, dtype=self.torch.int64) + index


def probe(bench: Any) -> None:
    """Fetch all batches, holding each long enough that the workers run ahead, and check what is in them."""
    import importlib

    data = importlib.import_module("torch.utils.data")
    if not os.path.isdir("/dev/shm"):
        bench.not_applicable("there is no /dev/shm")
    bench.emit({"workers": WORKERS, "bytes": BATCHES * NUMBERS * 8})
    began = time.monotonic()
    loader = data.DataLoader(
        Batches(bench.torch), batch_size=None, num_workers=WORKERS, multiprocessing_context="fork", timeout=30
    )
    for index, batch in enumerate(loader):
        time.sleep(0.05)
        if int(batch[0]) != index or int(batch[-1]) != NUMBERS - 1 + index:
            bench.wrong("batch %d did not arrive as it left the worker" % index)
    seconds = max(1e-3, time.monotonic() - began - 0.05 * BATCHES)
    bench.emit({"bytes_per_second": float("%.4g" % (BATCHES * NUMBERS * 8 / seconds))})
