"""The one import of torch, with everything that it says on the way kept as evidence, and the facts of its build.

Nothing here may initialise CUDA or NVML: a process that has done so cannot fork children that use the GPU.
"""

from __future__ import annotations

import faulthandler
import sys
import time
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TEXT_LIMIT = 8_000
WARNINGS_LIMIT = 40


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text of bounded length: its head and its tail."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + "\n... %d characters left out ...\n" % (len(text) - 2 * half) + text[-half:]


def text_of(error: BaseException) -> str:
    """What an exception says; exceptions of foreign code may fail even at that."""
    try:
        return cut(str(error))
    except Exception as second:
        return "<its text could not be made: %s>" % type(second).__name__


def keep_warnings(kept: list[list[str]]) -> None:
    """Keep the warnings that a user would see, instead of printing them."""

    def keep(message: Any, category: Any, filename: str, lineno: int, *rest: Any, **more: Any) -> None:
        if len(kept) < WARNINGS_LIMIT:
            kept.append(
                [getattr(category, "__name__", str(category)), cut(str(message), 4_000), str(filename), str(lineno)]
            )

    warnings.showwarning = keep


def import_torch(emit: Callable[[dict[str, Any]], None], plan: dict[str, Any]) -> Any:
    """Import torch and tell how it went; the module, or None. The caller reads SIGSEGV and the like from our end."""
    emit({"step": "torch_import", "outcome": "started"})
    kept: list[list[str]] = []
    keep_warnings(kept)
    stack_after = float(plan.get("stack_after_s", 0))
    if stack_after > 0:
        try:
            faulthandler.dump_traceback_later(stack_after, exit=False)  # a hang is killed later; its stack comes first
        except Exception:
            stack_after = 0.0
    started = time.monotonic()
    module, line = attempt()
    if stack_after > 0:
        faulthandler.cancel_dump_traceback_later()
    line.update(step="torch_import", warnings=kept, seconds=round(time.monotonic() - started, 3))
    emit(line)
    return module


def attempt() -> tuple[Any, dict[str, Any]]:
    """The import itself. A module without a version is not torch, whatever it is called."""
    try:
        import torch

        torch.__version__  # noqa: B018 - an empty folder called torch imports without complaint
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else (0 if error.code is None else 1)
        return None, dict(describe(error), outcome="exited", status=status)
    except BaseException as error:
        return None, dict(describe(error), outcome="import_error")
    return torch, {"outcome": "imported"}


def describe(error: BaseException) -> dict[str, Any]:
    """Type, text and the tail of the traceback, as Python would print them."""
    import traceback

    try:
        frames = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        frames = ""
    name = type(error).__name__
    text = text_of(error)
    return {
        "error_type": name,
        "error": "%s: %s" % (name, text) if text else name,
        "traceback": frames[-TEXT_LIMIT:],
        "missing_module": str(getattr(error, "name", "") or ""),
    }


def build_facts(torch: Any) -> dict[str, Any]:
    """What the imported torch says about its own build; each reading may fail alone."""
    from functools import partial

    found: dict[str, Any] = {"errors": {}}

    def read(name: str, get: Callable[[], Any]) -> None:
        try:
            found[name] = get()
        except Exception as error:
            found["errors"][name] = "%s: %s" % (type(error).__name__, text_of(error))

    read("version", lambda: str(torch.__version__))
    read("file", lambda: str(torch.__file__))
    for name in ("cuda", "hip", "xpu", "git_version", "debug"):
        read("version_" + name, partial(getattr_of, torch, name))
    read("arch_flags", lambda: torch._C._cuda_getArchFlags())
    read("cudnn_compiled", lambda: [int(part) for part in torch._C._cudnn.getCompileVersion()])
    read("cxx11_abi", lambda: bool(torch._C._GLIBCXX_USE_CXX11_ABI))
    read("cuda_initialised", lambda: bool(torch.cuda.is_initialized()))
    read("numpy", lambda: str(getattr(sys.modules.get("numpy"), "__version__", "")))
    return found


def getattr_of(torch: Any, name: str) -> Any:
    """One constant of torch.version."""
    return getattr(torch.version, name)
