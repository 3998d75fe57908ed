"""A real torch in which one function is replaced, through a sitecustomize on PYTHONPATH that waits for the import."""

from __future__ import annotations

from pathlib import Path

WAYS = {
    "raises": "raise RuntimeError('CUDNN_STATUS_EXECUTION_FAILED')",
    "segfaults": "import ctypes; ctypes.string_at(0)",
    "exits": "import os; os._exit(7)",
    "wrong": "return real(*given, **named) * 1.01",
    "nan": "return real(*given, **named) * float('nan')",
    "second": (
        "import torch.distributed as d\n    if d.is_initialized() and d.get_rank(): raise OSError('only this rank')"
        "\n    return real(*given, **named)"
    ),
    "hangs": "import time, os\n    if os.fork() == 0: time.sleep(600)\n    time.sleep(600)",
}
HOOK = """
import importlib.abc, sys
class Hook(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != {module!r}:
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            real = getattr(module, {function!r})
            def broken(*given, **named):
                {body}
            setattr(module, {function!r}, broken)
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Hook())
"""


def write(folder: Path, way: str, module: str = "torch.nn.functional", function: str = "conv2d") -> Path:
    """Write the hook; gives back the folder, which belongs on PYTHONPATH."""
    folder.mkdir(parents=True, exist_ok=True)
    body = WAYS[way].replace("\n    ", "\n" + " " * 16)
    (folder / "sitecustomize.py").write_text(HOOK.format(module=module, function=function, body=body))
    return folder
