"""Step: does torch get at the GPU, and with what words does it refuse? This starts CUDA."""

from __future__ import annotations

import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Load = Callable[[str], Any]

DEVICES_LIMIT = 64


def run(torch: Any, options: dict[str, Any], emit: Callable[[dict[str, Any]], None], load: Load) -> None:
    """Emit availability, torch's own words about it, and the devices."""
    found = listen("available", lambda: bool(torch.cuda.is_available()), emit)
    count = listen("count", lambda: int(torch.cuda.device_count()), emit)
    built = bool(getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None))
    if built and not found:
        listen("init", lambda: torch.cuda.init() or True, emit)  # is_available swallows the reason; this tells it
    if not found or not count:
        return
    devices = []
    for index in range(min(count, DEVICES_LIMIT)):
        try:
            devices.append(describe(torch.cuda.get_device_properties(index)))
        except Exception as error:
            devices.append({"error": "%s: %s" % (type(error).__name__, str(error)[:2000])})
        emit({"devices": devices})


def listen(name: str, get: Callable[[], Any], emit: Callable[[dict[str, Any]], None]) -> Any:
    """Ask one thing with the warnings it causes; emits the value or the error."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            value = get()
            line = {name: value}
        except Exception as error:
            value = None
            line = {name + "_error": "%s: %s" % (type(error).__name__, str(error)[:8000])}
    if heard:
        line[name + "_warnings"] = [str(warning.message)[:4000] for warning in heard[:20]]
    emit(line)
    return value


def describe(properties: Any) -> dict[str, Any]:
    """A device's properties as plain data; older releases lack some."""
    names = ("name", "major", "minor", "total_memory", "multi_processor_count", "is_integrated", "warp_size")
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(properties, name, None)
        if isinstance(value, (str, int, float, bool)):
            found[name] = value
    found["uuid"] = str(getattr(properties, "uuid", ""))
    return found
