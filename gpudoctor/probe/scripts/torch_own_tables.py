"""What an installed torch itself knows of GPUs and builds, for whoever maintains tables about the same.

Run by the target interpreter. It imports torch and reads constants; CUDA is not started.
"""

from __future__ import annotations

import json
import os
import platform
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def verdicts(cuda: Any, devices: list[int]) -> list[Any]:
    """Torch's own answer for every release in its table and every GPU that it names."""
    found: list[Any] = []
    for release, machines in cuda.PYTORCH_RELEASES_CODE_CC.items():
        for machine, codes in machines.items():
            for device in devices:
                runs = any(cuda._code_compatible_with_device(device, code) for code in codes)
                found.append([str(release), str(machine), sorted(int(code) for code in codes), int(device), bool(runs)])
    return found


def look() -> dict[str, Any]:
    """Everything; what this torch does not have is left out."""
    import torch

    found: dict[str, Any] = {
        "step": "own_tables",
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "machine": platform.machine(),
    }
    if torch.version.cuda:
        found["arch_list"] = (torch._C._cuda_getArchFlags() or "").split()
    if hasattr(torch.cuda, "PYTORCH_RELEASES_CODE_CC") and hasattr(torch.cuda, "_code_compatible_with_device"):
        devices = sorted(int(device) for device in getattr(torch.cuda, "DEVICE_REQUIREMENT", {}))
        found["devices"] = devices
        found["verdicts"] = verdicts(torch.cuda, devices)
    return found


def main() -> None:
    """Write one line and leave."""
    try:
        line = look()
    except BaseException as error:
        line = {"step": "error", "error": "%s: %s" % (type(error).__name__, error)}
    os.write(int(sys.argv[1]), (json.dumps(line) + "\n").encode("utf-8"))
    os._exit(0)


if __name__ == "__main__":
    main()
