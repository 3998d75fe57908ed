"""Probe: one training step with parameters sharded over processes, against the same step in one piece.

It forks its own ranks before anything touches CUDA, and is the first of them itself.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RANKS = 2
RATE = 0.1


def probe(bench: Any) -> None:
    """Fork the other rank, take the step, and compare."""
    torch = bench.torch
    distributed = torch.distributed
    if not distributed.is_available():
        bench.not_applicable("this torch was built without torch.distributed")
    folder = bench.own_folder()  # importing it makes a folder for a compiler that it does not use
    try:
        sharder(bench)  # first, because releases without it lack more of what follows
        ranks(bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ranks(bench: Any) -> None:
    """One rank on a GPU, else two."""
    torch = bench.torch
    distributed = torch.distributed
    if bench.on_gpu:
        # With CUDA started, ranks cannot be forked any more: one rank alone, over NCCL.
        if not distributed.is_nccl_available():
            bench.not_applicable("this torch was built without NCCL")
        return step(bench, 0, 1, "nccl", "")
    if not distributed.is_gloo_available():
        bench.not_applicable("this torch was built without gloo")
    path = "/proc/self/fd/%d" % os.memfd_create("ranks")  # the ranks meet in a file without a name
    # Nothing of this shall depend on what the name of this host means; an interface that the user names counts.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            step(bench, 1, RANKS, "gloo", path)
            status = 0
        except BaseException:
            # What stopped it is what matters; the first rank only hears that its neighbour is gone.
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    try:
        return step(bench, 0, RANKS, "gloo", path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def step(bench: Any, rank: int, ranks: int, backend: str, path: str) -> None:
    """Shard, forward, backward, and a plain step of gradient descent; the whole parameter is compared."""
    torch = bench.torch
    distributed = torch.distributed
    shard = sharder(bench)
    store = distributed.FileStore(path, ranks) if path else distributed.HashStore()
    distributed.init_process_group(backend, store=store, rank=rank, world_size=ranks)
    if rank == 0:
        bench.emit({"backend": backend, "ranks": ranks})
    data, weight = bench.random(8, 16), bench.random(4, 16) / 4
    model = torch.nn.Linear(16, 4, bias=False).to(bench.device)
    with torch.no_grad():
        model.weight.copy_(weight)
    mesh = importlib.import_module("torch.distributed.device_mesh").init_device_mesh(bench.device.type, (ranks,))
    shard(model, mesh=mesh)
    (model(data.to(bench.device)) ** 2).mean().backward()
    parameter = model.weight
    with torch.no_grad():
        stepped = (parameter - RATE * parameter.grad).full_tensor()
    exact = weight.double().requires_grad_(True)
    (gradient,) = torch.autograd.grad(((data.double() @ exact.t()) ** 2).mean(), (exact,))
    # Without a device NCCL guesses one by the rank, which may be another GPU than the one that was asked for.
    distributed.barrier(**({"device_ids": [bench.device.index]} if bench.on_gpu else {}))
    if rank == 0:
        off = bench.hold("a sharded training step", stepped, exact.detach() - RATE * gradient, 1e-4)
        bench.emit({"relative_error": off})


def sharder(bench: Any) -> Any:
    """FSDP2's function, wherever this release keeps it."""
    for place in ("torch.distributed.fsdp", "torch.distributed._composable.fsdp"):
        try:
            return importlib.import_module(place).fully_shard
        except (ImportError, AttributeError):
            continue
    bench.not_applicable("this torch has no fully_shard (FSDP2; 2.4 brought it)")
    return None
