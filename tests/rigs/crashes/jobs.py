"""What the jobs of these tests run: one small training job per way to fail. `jobs.py WAY [rank that fails]`."""

from __future__ import annotations

import ctypes
import datetime
import os
import signal
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, Dataset

MEBIBYTE = 1 << 20


class Batches(Dataset):
    """Samples that are large, that take shared memory behind torch's back, or that eat memory."""

    def __init__(self, way: str) -> None:
        self.way = way

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.way == "large":
            return torch.zeros(8 * MEBIBYTE)
        if self.way == "mapped":
            from multiprocessing import shared_memory

            piece = shared_memory.SharedMemory(create=True, size=64 * MEBIBYTE)
            piece.buf[:] = bytes(64 * MEBIBYTE)
        if self.way == "hungry":
            bytearray(os.urandom(MEBIBYTE)) * 2048
        return torch.zeros(1)


def load(way: str) -> None:
    for step, batch in enumerate(DataLoader(Batches(way), batch_size=2, num_workers=1)):
        print(f"step {step} {tuple(batch.shape)}", flush=True)


def fail(way: str) -> None:
    if way == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "segv":
        ctypes.string_at(0)
    if way == "raises":
        raise ValueError("expected 3 channels, got 4")
    if way == "hangs":
        time.sleep(7)
    if way == "hungry":
        bytearray(os.urandom(MEBIBYTE)) * 2048


def train(way: str, failing: int, seconds: float = 3.0) -> None:
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=seconds))
    rank = dist.get_rank()
    for step in range(3):
        if step == 1 and rank == failing:
            fail(way)
        dist.all_reduce(torch.ones(1))
        print(f"[rank{rank}] step {step}", flush=True)
    dist.destroy_process_group()


def spawned(rank: int, way: str) -> None:
    if rank == 1:
        fail(way)
    time.sleep(0.2)


if __name__ == "__main__":
    kind, the_way = sys.argv[1], sys.argv[2]
    if kind == "load":
        load(the_way)
    elif kind == "spawn":
        mp.spawn(spawned, args=(the_way,), nprocs=2)
    else:
        train(the_way, int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 3.0)
