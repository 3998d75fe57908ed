"""Asks nvidia-smi, a process of its own, how the GPU fares while a probe keeps it busy.

The GPU is named by its identifier, because torch and the driver count differently. A release of torch that does not
tell it can only be used where there is one GPU.
"""

from __future__ import annotations

import shutil
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Since 535 the reasons have a new name; nvidia-smi refuses the whole question for one name that it does not know.
CLOCKS = (
    "clocks.sm,temperature.gpu,clocks_event_reasons.active",
    "clocks.sm,temperature.gpu,clocks_throttle_reasons.active",
)
LINK = ("pcie.link.gen.gpucurrent,pcie.link.width.current", "pcie.link.gen.current,pcie.link.width.current")
READ_S = 1.0


class Watch:
    """Starts questions; `clocks` and `link` come back at once with an answer that is read later."""

    def __init__(self, bench: Any) -> None:
        self.command = command_for(bench)
        self.names: dict[tuple[str, ...], int] = {CLOCKS: 0, LINK: 0}

    def nothing(self) -> Any:
        """No question."""
        return Answer(None, ())

    def clocks(self) -> Any:
        """Clock, temperature and the driver's reasons."""
        return self.ask(CLOCKS, ("clock", "temperature", "reasons"))

    def link(self) -> Any:
        """Generation and lanes of the PCIe link, as they are now."""
        return self.ask(LINK, ("generation", "width"))

    def ask(self, spellings: tuple[str, ...], keys: tuple[str, ...]) -> Any:
        """Ask by the spelling that has not been refused yet."""
        place = self.names[spellings]
        if not self.command or place >= len(spellings):
            return self.nothing()

        def refused() -> None:
            self.names[spellings] = max(place + 1, self.names[spellings])

        words = [*self.command, "--query-gpu=" + spellings[place], "--format=csv,noheader,nounits"]
        try:
            started = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True, errors="replace"
            )
        except OSError:
            return self.nothing()
        return Answer(started, keys, refused)


class Answer:
    """What one nvidia-smi will have said."""

    def __init__(self, process: Any, keys: tuple[str, ...], refused: Any = None) -> None:
        self.process = process
        self.keys = keys
        self.refused = refused

    def done(self) -> bool:
        """Whether it can be read without waiting."""
        return self.process is None or self.process.poll() is not None

    def read(self) -> list[dict[str, int]]:
        """The values by their keys, those that are numbers; empty where there is no line, or more than one GPU's."""
        if self.process is None:
            return []
        try:
            text = self.process.communicate(timeout=READ_S)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return []
        lines = [line for line in text.splitlines() if line.strip()]
        parts = lines[0].split(",") if len(lines) == 1 else []
        if self.process.returncode or len(parts) != len(self.keys):
            self.refused()
            return []
        values = {key: number(part) for key, part in zip(self.keys, parts)}
        return [{key: value for key, value in values.items() if value is not None}]


def number(text: str) -> int | None:
    """A whole number, decimal or with 0x; None for `[N/A]` and the like."""
    try:
        return int(text.strip(), 0)
    except ValueError:
        return None


def command_for(bench: Any) -> list[str]:
    """nvidia-smi about the GPU of the probe; empty where that cannot be."""
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    if not bench.on_gpu or not program:
        return []
    uuid = str(getattr(bench.torch.cuda.get_device_properties(bench.device), "uuid", ""))
    if uuid:
        return [program, "-i", uuid if uuid.startswith(("GPU-", "MIG-")) else "GPU-" + uuid]
    return [program] if bench.torch.cuda.device_count() == 1 else []
