"""The fake NVIDIA driver: builds our stand-ins for libnvidia-ml and libcuda once a session and hands out environments.

A test asks for the fixture `fake_driver` and starts a process with `fake_driver.env(gpus=2, ...)`. Keys that are no
Python names go into the dictionary: `fake_driver.env({"gpu1.fail.nvmlDeviceGetName": 15}, gpus=2)`.
The settings are described in tests/rigs/fake_driver/fk.h and nvml.c.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[1] / "rigs" / "fake_driver"
DRIVER = "535.104.05"
LIBRARIES = {"nvml": "libnvidia-ml", "cuda": "libcuda"}
FLAGS = ("-fPIC", "-O1", "-Wall", "-Wextra", "-Wno-unused-function", "-fvisibility=hidden")


@dataclass(frozen=True)
class FakeDriver:
    """A folder that looks like a driver's: versioned libraries, with links of the names that loaders ask for."""

    folder: Path
    compiler: str

    def env(self, settings: Mapping[str, object] | None = None, /, **more: object) -> dict[str, str]:
        """What to add to a process's environment. `_` in a keyword stands for `.` (mem_used=1 is mem.used=1)."""
        pairs = {**(settings or {}), **{key.replace("_", "."): value for key, value in more.items()}}
        text = ";".join(f"{key}={value}" for key, value in pairs.items())
        inherited = os.environ.get("LD_LIBRARY_PATH", "")
        path = f"{self.folder}:{inherited}" if inherited else str(self.folder)
        return {"LD_LIBRARY_PATH": path, "FAKE_NV": text}

    def without(self, *symbols: str) -> FakeDriver:
        """The same driver, older: these functions are not there."""
        variant = self.folder / ("without-" + "-".join(symbols))[:200]
        if not variant.exists():
            variant.mkdir()
            script = variant / "symbols.map"
            script.write_text("{ local: " + " ".join(f"{name};" for name in symbols) + " };\n")
            for source in LIBRARIES:
                _link(self.compiler, self.folder, variant, source, f"-Wl,--version-script={script}")
        return FakeDriver(variant, self.compiler)

    def only(self, *libraries: str, into: Path) -> FakeDriver:
        """A folder with some of the libraries (`nvml`, `cuda`) and without the others."""
        for source in libraries:
            for path in self.folder.glob(LIBRARIES[source] + ".so*"):
                shutil.copy2(path, into / path.name, follow_symlinks=False)
        return FakeDriver(into, self.compiler)


def _link(compiler: str, objects: Path, folder: Path, source: str, *flags: str) -> None:
    name = LIBRARIES[source]
    target = folder / f"{name}.so.{DRIVER}"
    command = [compiler, "-shared", *flags, f"-Wl,-soname,{name}.so.1", "-o", str(target), str(objects / f"{source}.o")]
    subprocess.run(command, check=True, timeout=60)
    (folder / f"{name}.so.1").symlink_to(target.name)


def build(folder: Path, compiler: str) -> FakeDriver:
    """Compile both libraries into an empty folder."""
    for source in LIBRARIES:
        command = [compiler, *FLAGS, "-c", str(SOURCES / f"{source}.c"), "-o", str(folder / f"{source}.o")]
        subprocess.run(command, check=True, timeout=120)
        _link(compiler, folder, folder, source)
    return FakeDriver(folder, compiler)


@pytest.fixture(scope="session")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> FakeDriver:
    """The fake driver, built once. Skips where no C compiler is, or fails there when the rigs are required."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        reason = "no C compiler is installed"
        if os.environ.get("GPUDOCTOR_REQUIRE_RIGS") == "1":
            pytest.fail(f"GPUDOCTOR_REQUIRE_RIGS=1, but {reason}")
        pytest.skip(reason)
    return build(tmp_path_factory.mktemp("driver"), compiler)
