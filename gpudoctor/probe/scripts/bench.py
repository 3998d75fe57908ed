"""What the scripts of probes share: the device, a fixed seed, how far a result is off, clocks, and verdicts.

A script has one function, `probe(bench)`. It emits figures as it gets them; returning means that it passed.
"""

from __future__ import annotations

import os
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

SEED = 20_240_601
MOST_BYTES = 512 << 20
BUSY = ("out of memory", "busy or unavailable", "cublas_status_alloc_failed", "cudnn_status_alloc_failed")


class VerdictError(Exception):
    """The end of a probe that neither passed nor raised: `wrong_result` or `not_applicable`, with the reason."""

    def __init__(self, verdict: str, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict


class Bench:
    """One probe at work. `torch` is the imported library, `options` what the probe's declaration holds."""

    def __init__(
        self,
        torch: Any,
        options: dict[str, Any],
        emit: Callable[[dict[str, Any]], None],
        load: Callable[[str], Any],
    ) -> None:
        self.torch = torch
        self.options = options
        self.emit = emit
        self.load = load
        self.device = torch.device("cpu")

    def run(self, probe: Callable[[Bench], None]) -> None:
        """Choose the device, run the probe and emit its verdict; what else it raises is for the caller."""
        try:
            self.device = self.choose(str(self.options.get("device", "")))
            self.emit({"device": str(self.device)})
            probe(self)
            self.emit({"verdict": "passed"})
        except VerdictError as end:
            self.emit({"verdict": end.verdict, "reason": str(end)[:4000]})
        except (RuntimeError, MemoryError) as error:
            if not self.says_busy(error):
                raise
            reason = "the GPU is busy (%s): %s" % (self.free_text(), str(error)[:2000])
            self.emit({"verdict": "not_applicable", "reason": reason})

    def says_busy(self, error: Exception) -> bool:
        """Whether an error only says that others have the GPU, or its memory."""
        return self.on_gpu and any(words in str(error).lower() for words in BUSY)

    def choose(self, wanted: str) -> Any:
        """The device that was asked for, else the first GPU that torch can use, else the CPU."""
        torch = self.torch
        if wanted == "cpu":
            return torch.device("cpu")
        count = int(torch.cuda.device_count()) if torch.cuda.is_available() else 0
        index = int(wanted.partition(":")[2] or 0)
        if index < count:
            device = torch.device("cuda", index)
            torch.cuda.set_device(device)
            return device
        if wanted:
            self.not_applicable("torch sees %d GPUs, so there is no %s" % (count, wanted))
        return torch.device("cpu")

    @property
    def on_gpu(self) -> bool:
        """Whether the probe runs on a GPU."""
        return bool(self.device.type == "cuda")

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability; (0, 0) for the CPU, and for AMD's GPUs, which count otherwise."""
        if not self.on_gpu or getattr(self.torch.version, "hip", None):
            return (0, 0)
        major, minor = self.torch.cuda.get_device_capability(self.device)
        return (int(major), int(minor))

    def not_applicable(self, reason: str) -> NoReturn:
        """End the probe: it says nothing about this machine, and why."""
        raise VerdictError("not_applicable", reason)

    def wrong(self, reason: str) -> NoReturn:
        """End the probe: the device computed something wrong."""
        raise VerdictError("wrong_result", reason)

    def room(self) -> int:
        """How many bytes of GPU memory the probe may take: a quarter of what is free, at most 512 MiB."""
        if not self.on_gpu:
            return MOST_BYTES
        return int(min(MOST_BYTES, self.torch.cuda.mem_get_info(self.device)[0] // 4))

    def free_text(self) -> str:
        """How much GPU memory is free, in words."""
        try:
            free, total = self.torch.cuda.mem_get_info(self.device)
            return "%d of %d MiB free" % (free >> 20, total >> 20)
        except Exception:
            return "its free memory cannot be asked for"

    def own_folder(self) -> str:
        """An empty folder in which everything that torch writes goes from now on; whoever started the child takes it
        away, also where the child was killed. Only without such an owner is it left to the script."""
        folder = str(self.options.get("folder", "")) or tempfile.mkdtemp(prefix="gpudoctor-")
        os.makedirs(folder, exist_ok=True)
        inner = os.path.join(folder, "triton")
        os.environ.update(TORCHINDUCTOR_CACHE_DIR=folder, TRITON_CACHE_DIR=inner, TMPDIR=folder)
        tempfile.tempdir = folder  # what was asked for before is remembered, whatever the variable says by now
        return folder

    def random(self, *shape: int) -> Any:
        """Normal random numbers, float32 on the CPU, the same on every machine and in every run."""
        generator = self.torch.Generator().manual_seed(SEED + len(shape) + sum(shape))
        return self.torch.randn(*shape, generator=generator)

    def distance(self, got: Any, reference: Any) -> float:
        """How far a result is off, relative to the reference (norms, float64 on the CPU); infinite where not finite."""
        got = got.detach().to("cpu", self.torch.float64)
        reference = reference.detach().to("cpu", self.torch.float64)
        off = float((got - reference).norm()) / max(float(reference.norm()), 1e-300)
        return off if off < 1e30 else 1e30  # NaN compares as false, so that it is never near

    def hold(self, what: str, got: Any, reference: Any, tolerance: float) -> float:
        """The distance; ends the probe as wrong where it is above the tolerance."""
        off = self.distance(got, reference)
        if off > tolerance:
            off_text = "not finite" if off >= 1e30 else "off by %.3g" % off
            self.wrong("%s on %s is %s (relative; allowed %.0e)" % (what, self.device, off_text, tolerance))
        return off

    def wait(self) -> None:
        """Until the GPU has done everything that it was given."""
        if self.on_gpu:
            self.torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], Any], at_least: float = 0.01, repeats: int = 3) -> float:
        """The best time of one call, from series that each last `at_least` seconds. The work has been run before."""
        self.wait()
        count, best = 1, float("inf")
        while repeats > 0:
            began = time.perf_counter()
            for _ in range(count):
                work()
            self.wait()
            took = time.perf_counter() - began
            if took < at_least and count < 100_000:
                count = max(count * 2, int(count * at_least / max(took, 1e-9) * 1.2))
                continue
            best = min(best, took / count)
            repeats -= 1
        return best
