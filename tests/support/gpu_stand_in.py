"""Runs the sustained probe's work for a GPU on a machine without one, and prints what it emits.

A program of its own, started as `gpu_stand_in.py SCRIPTS SECONDS`: the device, its events and pinned memory are
stand-ins on the CPU, so that everything but CUDA itself is the probe's own.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


def load(name: str) -> ModuleType:
    """One of the scripts, as the harness loads it."""
    module = ModuleType("script_" + name)
    SourceFileLoader(module.__name__, str(Path(sys.argv[1]) / name)).exec_module(module)
    return module


class Event:
    """In the place of torch.cuda.Event, on the processor's clock; with its signature."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self.timed, self.at = enable_timing, 0.0

    def record(self, stream: Any = None) -> None:
        self.at = time.perf_counter()

    def synchronize(self) -> None:
        self.at = max(self.at, 1e-9)

    def elapsed_time(self, end_event: Event) -> float:
        assert self.timed
        assert end_event.timed
        return (end_event.at - self.at) * 1000.0


def main() -> None:
    import torch

    step = load("step_sustained.py")
    small = {"LARGE": 128, "GPU_SECONDS": float(sys.argv[2]), "PERIOD": 0.3, "COPY_SECONDS": 0.1}
    step.__dict__.update(small, size_for=lambda _: 128)
    shown = SimpleNamespace(uuid="4d4d6b9e-0000-0000-0000-000000000000")
    cuda = SimpleNamespace(Event=Event, get_device_properties=lambda _: shown, device_count=lambda: 2)
    library = SimpleNamespace(**{name: getattr(torch, name) for name in dir(torch) if not name.startswith("_")})
    # Half precision is slow to multiply on some processors, and nothing here depends on it.
    library.__dict__.update(cuda=cuda, float16=torch.float32)
    torch.Tensor.pin_memory = lambda self: self
    found: dict[str, Any] = {}
    base = load("bench.py").Bench

    class Bench(base):  # type: ignore[misc, valid-type]
        on_gpu = True

        def wait(self) -> None:
            pass

        def room(self) -> int:
            return 512 << 20

    step.probe(Bench(library, {}, found.update, load))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
