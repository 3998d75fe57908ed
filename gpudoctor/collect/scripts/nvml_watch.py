"""The child that watches the GPUs while somebody's command runs: peaks, counters and the driver's own events.

It writes one JSON line after each look, and ends when its standard input does. It runs alone; a crash or hang inside
the library costs what would have come after it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import sys
import time
from typing import Any

XID_EVENT = 8
# So often is looked whether we are wanted any more.
SLICE_MILLISECONDS = 250
MOST_EVENTS = 64

try:
    import pynvml
except Exception:  # noqa: BLE001 - without it there is nothing to watch
    pynvml = None


def ask(name: str, *arguments: Any) -> Any:
    """One function of pynvml; None where the library refuses or does not know it."""
    try:
        return getattr(pynvml, name)(*arguments)
    except Exception:  # noqa: BLE001 - each refusal costs its own figure
        return None


def larger(one: Any, other: Any) -> Any:
    """The larger of two, as far as they are known."""
    return max((value for value in (one, other) if value is not None), default=None)


class Gpu:
    """What was seen of one GPU."""

    def __init__(self, index: int, handle: Any) -> None:
        self.handle = handle
        pci = ask("nvmlDeviceGetPciInfo", handle)
        self.seen = {
            "index": index,
            "name": text(ask("nvmlDeviceGetName", handle)),
            "pci": text(getattr(pci, "busId", "")),
            "memory_total": None,
            "memory_peak": None,
            "utilisation_peak": None,
            "temperature_peak": None,
            "throttle_reasons": 0,
            "ecc_uncorrected_before": ask("nvmlDeviceGetTotalEccErrors", handle, 1, 0),
            "ecc_uncorrected": None,
        }

    def look(self) -> None:
        """Once more."""
        seen: dict[str, Any] = self.seen
        memory = ask("nvmlDeviceGetMemoryInfo", self.handle)
        if memory is not None:
            seen["memory_total"] = int(memory.total)
            seen["memory_peak"] = larger(seen["memory_peak"], int(memory.used))
        rates = ask("nvmlDeviceGetUtilizationRates", self.handle)
        seen["utilisation_peak"] = larger(seen["utilisation_peak"], getattr(rates, "gpu", None))
        seen["temperature_peak"] = larger(seen["temperature_peak"], ask("nvmlDeviceGetTemperature", self.handle, 0))
        reasons = ask("nvmlDeviceGetCurrentClocksThrottleReasons", self.handle)
        seen["throttle_reasons"] |= int(reasons or 0)
        seen["ecc_uncorrected"] = ask("nvmlDeviceGetTotalEccErrors", self.handle, 1, 0)


def text(value: Any) -> str:
    """Text, whatever the library's age makes of it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


class Events:
    """The Xid errors that the driver tells of, where it lets us listen."""

    def __init__(self, gpus: list[Gpu]) -> None:
        self.found: list[dict[str, Any]] = []
        self._gpus = gpus
        self._set = ask("nvmlEventSetCreate")
        self.listening = False
        for gpu in gpus if self._set is not None else ():
            try:
                pynvml.nvmlDeviceRegisterEvents(gpu.handle, XID_EVENT, self._set)
                self.listening = True
            except Exception:  # noqa: BLE001 - MIG, containers and virtual machines may refuse it
                continue

    def wait(self, milliseconds: int) -> bool:
        """Wait for an event at most so long; whether one came."""
        if not self.listening:
            time.sleep(milliseconds / 1000)
            return False
        try:
            event = pynvml.nvmlEventSetWait_v2(self._set, milliseconds)
        except Exception as error:  # noqa: BLE001 - mostly that the time is up
            if getattr(error, "value", None) != 10:  # NVML_ERROR_TIMEOUT
                self.listening = False
            return False
        place = _address(event.device)
        gpu = next((one for one in self._gpus if _address(one.handle) == place), None)
        entry = {"gpu": gpu.seen["index"] if gpu else -1, "pci": gpu.seen["pci"] if gpu else "", "xid": event.eventData}
        new = entry not in self.found and len(self.found) < MOST_EVENTS
        if new:
            self.found.append(entry)
        time.sleep(0.02)  # a driver in a storm of errors must not make us spin
        return new


def _address(handle: Any) -> Any:
    return ctypes.cast(handle, ctypes.c_void_p).value


def main() -> None:
    """Look, tell, wait, until nobody listens."""
    interval = float(sys.argv[1])
    if pynvml is None:
        os._exit(1)
    try:
        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no driver here
        os._exit(1)
    handles = [ask("nvmlDeviceGetHandleByIndex", index) for index in range(ask("nvmlDeviceGetCount") or 0)]
    gpus = [Gpu(index, handle) for index, handle in enumerate(handles) if handle is not None]
    events = Events(gpus)
    wanted = True
    while True:
        for gpu in gpus:
            gpu.look()
        line = json.dumps({"gpus": [gpu.seen for gpu in gpus], "events": events.found, "listening": events.listening})
        try:
            os.write(1, line.encode() + b"\n")
        except OSError:
            os._exit(0)
        if not wanted:
            os._exit(0)
        next_look = time.monotonic() + interval
        while wanted and time.monotonic() < next_look:
            came = events.wait(SLICE_MILLISECONDS if interval > 1 else 50)
            wanted = not select.select([0], [], [], 0)[0]
            if came:
                break


if __name__ == "__main__":
    main()
