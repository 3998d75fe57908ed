"""The child that loads libcuda by ctypes and asks the driver API what it makes of this machine; no torch is needed.

It runs alone, with nothing of gpudoctor but its neighbour `driver_steps`. No context is created and no memory taken.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # PYTHONSAFEPATH leaves it out

from driver_steps import MACHINE, RefusedError, Steps, loaded_path  # type: ignore[import-not-found]

SONAME = "libcuda.so.1"
NAME_ROOM = 256


class DriverApi:
    """The loaded library. Every call that does not give 0 raises RefusedError with CUDA's number."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        announce("dlopen")
        self._library = ctypes.CDLL(SONAME)

    def call(self, name: str, *arguments: Any) -> None:
        """One function of the driver API; AttributeError, in the loader's words, where the library lacks it."""
        self._announce(name)
        code = int(getattr(self._library, name)(*arguments))
        if code:
            raise RefusedError(code)

    def checked(self, name: str, *arguments: Any) -> int:
        """The same where success is all that is asked for: 0."""
        self.call(name, *arguments)
        return 0

    def number(self, name: str, *arguments: Any) -> int:
        """A function that puts one int at its first argument."""
        out = ctypes.c_int(0)
        self.call(name, ctypes.byref(out), *arguments)
        return out.value

    def text(self, name: str, device: int) -> str:
        """A function that fills a buffer for a device."""
        buffer = ctypes.create_string_buffer(NAME_ROOM)
        self.call(name, buffer, NAME_ROOM - 1, device)
        return buffer.value.decode("utf-8", "replace")

    def capability(self, device: int) -> list[int]:
        """Major and minor number: attributes 75 and 76, which every driver since CUDA 5 answers."""
        return [self.number("cuDeviceGetAttribute", attribute, device) for attribute in (75, 76)]

    def memory(self, device: int) -> int:
        """The device's memory in bytes."""
        out = ctypes.c_size_t(0)
        self.call("cuDeviceTotalMem_v2", ctypes.byref(out), device)
        return out.value

    def error_words(self, name: str, code: int) -> str:
        """What cuGetErrorName or cuGetErrorString says of a code; empty when the library does not know it."""
        out = ctypes.c_char_p()
        try:
            self.call(name, code, ctypes.byref(out))
        except (RefusedError, AttributeError):
            return ""
        return (out.value or b"").decode("utf-8", "replace")


def read_devices(steps: Any, api: DriverApi, count: int) -> None:
    """What the API says of each device that it lets this process see."""
    ways: tuple[tuple[str, Callable[[int], Any]], ...] = (
        ("name", lambda device: api.text("cuDeviceGetName", device)),
        ("compute_capability", api.capability),
        ("memory", api.memory),
        ("bus_id", lambda device: api.text("cuDeviceGetPCIBusId", device)),
    )
    devices = {}
    for ordinal in range(count):
        device = steps.take("device", ordinal, lambda o=ordinal: api.number("cuDeviceGet", o))
        if device is not None:
            devices[ordinal] = device
    for step, read in ways:
        for ordinal, device in devices.items():
            steps.take(step, ordinal, lambda read=read, device=device: read(device))


def examine(steps: Any) -> None:
    """The whole read-out, as far as the library goes along."""
    held: list[DriverApi] = []

    def load() -> str:
        held.append(DriverApi(steps.announce))
        return str(loaded_path(SONAME))

    if steps.take("load", MACHINE, load) is None:
        return
    api = held[0]
    steps.take("api_version", MACHINE, lambda: api.number("cuDriverGetVersion"))
    if steps.take("init", MACHINE, lambda: api.checked("cuInit", 0)) is not None:
        count = steps.take("count", MACHINE, lambda: api.number("cuDeviceGetCount"))
        read_devices(steps, api, count or 0)
    for code in [0, *steps.codes]:
        for step, name in (("error_name", "cuGetErrorName"), ("error_text", "cuGetErrorString")):
            steps.take(f"{step}.{code}", MACHINE, lambda n=name, code=code: api.error_words(n, code))


def main() -> None:
    """Read, tell, and leave without running the library's own destructors, which may hang."""
    steps = Steps(sys.argv)
    examine(steps)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
