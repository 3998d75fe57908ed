"""Step: what the libraries inside torch say about themselves, asked without starting CUDA on purpose."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Load = Callable[[str], Any]


def run(torch: Any, options: dict[str, Any], emit: Callable[[dict[str, Any]], None], load: Load) -> None:
    """Emit build text, cuDNN's and NCCL's versions and the distributed backends, each as soon as it is known."""
    import importlib
    from functools import partial

    errors: dict[str, str] = {}

    def read(name: str, get: Callable[[], Any]) -> None:
        try:
            value = get()
        except Exception as error:
            errors[name] = "%s: %s" % (type(error).__name__, str(error)[:2000])
            emit({"errors": dict(errors)})
            return
        emit({name: value})

    read("config", lambda: str(torch.__config__.show())[:20_000])
    read("distributed", lambda: bool(torch.distributed.is_available()))
    for backend in ("nccl", "gloo", "mpi"):
        read("has_" + backend, partial(has_backend, torch, backend))
    read("cudnn", lambda: torch.backends.cudnn.version())
    if getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None):
        read("nccl", lambda: version_of(importlib.import_module("torch.cuda.nccl").version()))


def has_backend(torch: Any, backend: str) -> bool:
    """Whether torch was built with a backend."""
    return bool(getattr(torch.distributed, "is_%s_available" % backend)())


def version_of(value: Any) -> Any:
    """NCCL's version as torch gives it: a tuple, whose last part may be a text, or one number in older releases."""
    return [str(part) for part in value] if isinstance(value, (tuple, list)) else int(value)
