"""Probe: torch.compile of a small function, its result against the one without compiling."""

from __future__ import annotations

import os
import shutil
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def probe(bench: Any) -> None:
    """Compile in a folder of our own, so that neither an old cache helps nor anything is left: whoever started the
    child takes it away, also when the child was killed."""
    torch = bench.torch
    if not hasattr(torch, "compile"):
        bench.not_applicable("this torch has no torch.compile (2.0 brought it)")
    for name in ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"):
        if os.environ.get(name) == "1":
            bench.not_applicable("%s=1 switches torch.compile off" % name)
    os.environ.pop("TORCHDYNAMO_SUPPRESS_ERRORS", None)  # it would pass what cannot be compiled, uncompiled
    wanted = os.environ.get("CXX" if not bench.on_gpu else "CC", "")
    names = [wanted] if wanted else (["gcc", "cc", "clang"] if bench.on_gpu else ["g++", "clang++"])
    compiler = next((found for found in map(shutil.which, names) if found), None)
    if compiler is None:
        bench.not_applicable("no C%s compiler is installed (%s)" % ("" if bench.on_gpu else "++", ", ".join(names)))
    bench.emit({"compiler": compiler})
    if bench.on_gpu and not triton_is_there():
        bench.not_applicable("triton, which compiles for the GPU, is not installed")
    folder = bench.own_folder()
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    try:
        attempt(bench)
    except Exception as error:
        text = "%s: %s" % (type(error).__name__, error)
        if ("Python" in text and "not supported" in text) or "too old to be supported" in text:
            bench.not_applicable(text)  # of this Python, or of a GPU before triton's first
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def triton_is_there() -> bool:
    """Whether triton can be found, without importing it."""
    from importlib.util import find_spec

    return "triton" in sys.modules or find_spec("triton") is not None


def attempt(bench: Any) -> None:
    """The first call compiles; its result is held against the plain one."""
    torch = bench.torch

    def work(left: Any, right: Any) -> Any:
        return torch.relu(left * 2.0 + right).sum(dim=1) / torch.exp(-right).mean()

    left, right = (bench.random(64, 64).to(bench.device), bench.random(64, 65)[:, 1:].contiguous().to(bench.device))
    plain = work(left, right)
    began = time.monotonic()
    got = torch.compile(work)(left, right)
    bench.wait()
    bench.emit({"first_call_seconds": round(time.monotonic() - began, 2)})
    bench.emit({"relative_error": bench.hold("the compiled function", got, plain, 1e-4)})
