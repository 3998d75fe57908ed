"""The faults of the end-to-end matrix, what a report must say of each, and the table that is printed of them.

A *case* is one sick machine and one run of the command. Where a function is sick differently on each of many GPUs, one
case holds many faults, each of which must be named.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import fake_torch
import faults
from command import Ended, check
from fake_driver import FakeDriver

WORKERS = 2
# A hanging run sleeps most of its time, so those run beside the others.
SLEEPERS = 3
HANG_TIMEOUT_SECONDS = 5.0
TIMEOUT_SECONDS = 30.0
# What judging, printing and a loaded machine may add to --timeout.
GRACE_SECONDS = 45.0
TORCH_HANGS = ("hang", "hang_with_child")
LOST = 15

NVML_MACHINE = (*faults.NVML_VITAL, *faults.NVML_SYSTEM)
CUDA_MACHINE = (*faults.CUDA_VITAL, *faults.CUDA_SYSTEM)
DEVICE = (faults.NVML_HANDLE, *faults.NVML_DEVICE, faults.CUDA_HANDLE, *faults.CUDA_DEVICE)
WORDS = tuple(faults.CUDA_WORDS)
PAIR = tuple(faults.NVML_PAIR)
EVERY_FUNCTION = (*NVML_MACHINE, *CUDA_MACHINE, *DEVICE, *PAIR, *WORDS)
# A few codes stand for all where the full list is tried on another function of the same shape.
FEW_NVML_CODES = (3, 9, 999)
FEW_CUDA_CODES = (3, 100, 999)

# Not even asked where the function before them is missing.
DEPENDENT = (
    "nvmlDeviceGetNvLinkErrorCounter",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
)
# Between two parts of what must be said in one text; a version of the function's name may stand there.
AND_THEN = "\0"

# What torch's own way to die must leave in the report.
TORCH_SAID = {
    "segfault": ("SIGSEGV",),
    "abort": ("SIGABRT", "terminate called"),
    "sys_exit": ("SystemExit",),
    "os_exit": ("exited",),
    "hang": ("timed_out",),
    "hang_with_child": ("timed_out",),
    "missing_cudart": (fake_torch.MISSING_CUDART,),
    "nvjitlink": ("undefined symbol: __nvJitLinkComplete_12_4, version libnvJitLink.so.12",),
    "numpy": ("numpy.core.multiarray failed to import",),
    "no_module": ("No module named 'a_module_that_nobody_has'",),
    "binary_noise": ("2.9.1+cu130",),
    "flood": ("2.9.1+cu130",),
    "warns": ("Failed to initialize NumPy: _ARRAY_API not found",),
    "circular": ("is_available_too",),
    "recursion": ("RecursionError",),
    "huge_error": ("yyyyyyyyyyyyyyyy",),
    "error_without_text": ("Bad",),
    "closes_files": ("the file descriptor that the answers go to was closed by what was imported",),
}


@dataclass(frozen=True)
class Case:
    """One sick machine. `said` are texts that the report must hold, word for word; `count` how many faults it has."""

    id: str
    kind: str
    settings: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    torch: str = ""
    said: tuple[str, ...] = ()
    count: int = 1
    timeout: float = TIMEOUT_SECONDS

    @property
    def sleeps(self) -> bool:
        """Whether the run is mostly waiting for something that hangs."""
        return self.timeout == HANG_TIMEOUT_SECONDS


def is_said(words: str, text: str) -> bool:
    """Whether a text holds what must be said."""
    return all(part in text for part in words.split(AND_THEN))


class Tongue:
    """The words that the fake libraries have for their codes, asked of themselves."""

    def __init__(self, driver: FakeDriver) -> None:
        self._driver = driver

    @cached_property
    def _libraries(self) -> tuple[ctypes.CDLL, ctypes.CDLL]:
        nvml = ctypes.CDLL(str(self._driver.folder / "libnvidia-ml.so.1"))
        nvml.nvmlErrorString.restype = ctypes.c_char_p
        return nvml, ctypes.CDLL(str(self._driver.folder / "libcuda.so.1"))

    def nvml(self, code: int) -> str:
        words: bytes = self._libraries[0].nvmlErrorString(code)
        return words.decode()

    def cuda(self, code: int) -> tuple[str, ...]:
        """Name and text; nothing where the library knows neither."""
        found = []
        for function in ("cuGetErrorName", "cuGetErrorString"):
            answer = ctypes.c_char_p()
            if getattr(self._libraries[1], function)(code, ctypes.byref(answer)) == 0 and answer.value:
                found.append(answer.value.decode())
        return tuple(found)


def stem(function: str) -> str:
    """The name without its version: a report may name the call that it tried last."""
    return re.sub(r"(?:_v\d+|WithFlags|V)$", "", function)


def is_cuda(function: str) -> bool:
    return function.startswith("cu")


def of_gpu(function: str) -> str:
    """The prefix of settings that make the function sick where that shows best: on one GPU of two, or everywhere."""
    return "gpu1." if function in DEVICE or function in PAIR else ""


def has_another_way(function: str) -> bool:
    return function in faults.HAVE_ANOTHER_WAY or function in WORDS


def cases(tongue: Tongue) -> Iterator[Case]:
    """All of them."""
    yield from refusals(tongue)
    yield from deaths()
    yield from losses()
    yield from sick_torches()


def refusals(tongue: Tongue) -> Iterator[Case]:
    """Error codes: each one for the machine's functions, and one on each of many GPUs for the per-device functions."""
    for function in (*NVML_MACHINE, *CUDA_MACHINE):
        cuda = is_cuda(function)
        every = faults.CUDA_CODES if cuda else faults.NVML_CODES
        few = FEW_CUDA_CODES if cuda else FEW_NVML_CODES
        for code in every if function in ("nvmlInitWithFlags", "cuInit") else few:
            # Only where starting CUDA failed are both the name and the text told; elsewhere the name does.
            words = tongue.cuda(code)[: None if function == "cuInit" else 1] if cuda else (tongue.nvml(code),)
            yield Case(f"{function}-{code}", "error code", {f"fail.{function}": code}, said=words)
    for function in DEVICE:
        every = faults.CUDA_CODES if is_cuda(function) else faults.NVML_CODES
        codes = [code for code in every if not _means_nothing(function, code)]
        sick = {f"gpu{gpu}.fail.{function}": code for gpu, code in enumerate(codes, start=1)}
        said = [f"error {code}, {(tongue.cuda(code) or ('',))[0]}" for code in codes]
        if not is_cuda(function):
            said = [f"error {code}, {tongue.nvml(code)}" for code in codes]
        if function not in (faults.NVML_HANDLE, faults.CUDA_HANDLE) and not costs(function):
            # Nothing but the worst code of a GPU shows that such a call failed.
            said = [tongue.nvml(code) for code in (LOST, 999)]
        settings = {"gpus": len(codes) + 1, **faults.RICH, **sick}
        yield Case(f"{function}-all-codes", "error code", settings, said=tuple(said), count=len(codes))
    for function in PAIR:
        settings = {"gpus": 3, f"gpu1.fail.{function}": LOST}
        yield Case(f"{function}-{LOST}", "error code", settings, said=(f"error {LOST}, {tongue.nvml(LOST)}",))


def deaths() -> Iterator[Case]:
    """Every function dying, hanging and missing. What concerns single GPUs dies on three of them in one run, each in
    another function, and a driver may lack many functions at once."""
    for function in EVERY_FUNCTION:
        rich = {
            "gpus": 3 if function in PAIR else 2,
            **faults.RICH,
            **({"fail.cuInit": 999} if function in WORDS else {}),
        }
        hang = {**rich, f"{of_gpu(function)}hang.{function}": 3600}
        said = (stem(function), "had not returned")
        yield Case(f"{function}-hang", "hang", hang, said=said, timeout=HANG_TIMEOUT_SECONDS)
        if function not in DEVICE:
            sick = {**rich, f"{of_gpu(function)}segv.{function}": 1}
            yield Case(f"{function}-segv", "segfault", sick, said=(stem(function), "died of SIGSEGV"))
            lacks = () if has_another_way(function) else (_lacking(function),)
            yield Case(f"{function}-missing", "missing symbol", rich, without=(function,), said=lacks)
    for group in _groups(DEVICE, 3):
        sick = {f"gpu{gpu}.segv.{function}": 1 for gpu, function in enumerate(group, start=1)}
        said = tuple(
            f"{stem(function)}{AND_THEN} for GPU {gpu} died of SIGSEGV" for gpu, function in enumerate(group, start=1)
        )
        settings = {"gpus": 4, **faults.RICH, **sick}
        yield Case(f"{group[0]}-segv", "segfault", settings, said=said, count=len(group))
    alone = (faults.NVML_HANDLE, faults.CUDA_HANDLE, *DEPENDENT)
    for group in _groups(tuple(name for name in DEVICE if name not in alone), 8):
        lacks = tuple(_lacking(function) for function in group if not has_another_way(function) and costs(function))
        settings = {"gpus": 2, **faults.RICH}
        yield Case(f"{group[0]}-missing", "missing symbol", settings, without=group, said=lacks, count=len(group))
    for function in alone:
        settings = {"gpus": 2, **faults.RICH}
        yield Case(f"{function}-missing", "missing symbol", settings, without=(function,), said=(_lacking(function),))


def _lacking(function: str) -> str:
    if is_cuda(function):
        return f"undefined symbol: {function}"
    return f"{stem(function)}{AND_THEN}: NVML error 13, Function Not Found"


def _groups(names: tuple[str, ...], size: int) -> list[tuple[str, ...]]:
    """The names in groups, those of each library apart: a child of one knows nothing of the other."""
    found = []
    for cuda in (False, True):
        own = [name for name in names if is_cuda(name) is cuda]
        found += [tuple(own[start : start + size]) for start in range(0, len(own), size)]
    return found


def losses() -> Iterator[Case]:
    """One GPU of eight falls off the bus: this call and all that come after it say so."""
    names = [faults.NVML_HANDLE, *faults.NVML_DEVICE]
    for place, function in enumerate(names):
        lost = {f"gpu3.fail.{name}": LOST for name in names[place:]}
        said = ("GPU is lost", "gpu:3")
        yield Case(f"{function}-lost", "one GPU of eight lost", {"gpus": 8, **faults.RICH, **lost}, said=said)


def sick_torches() -> Iterator[Case]:
    """Each way in which importing torch goes wrong."""
    for name in fake_torch.BEHAVIOURS:
        hangs = name in TORCH_HANGS
        timeout = HANG_TIMEOUT_SECONDS if hangs else TIMEOUT_SECONDS
        yield Case(f"torch-{name}", "sick torch", {"gpus": 2}, torch=name, said=TORCH_SAID[name], timeout=timeout)


def costs(function: str) -> tuple[str, ...]:
    """The facts that only this function gives."""
    return {**faults.NVML_DEVICE, **faults.CUDA_DEVICE}.get(function, ())


def _means_nothing(function: str, code: int) -> bool:
    return (function in faults.HAVE_ANOTHER_WAY and code == 13) or (function, code) in faults.MEAN_NOTHING_WRONG


class Matrix:
    """Runs cases in the background, a few at a time, so that the tests only collect what came of them."""

    def __init__(self, driver: FakeDriver, python: str, scratch: Path) -> None:
        self._driver, self._python, self._scratch = driver, python, scratch
        self._busy = ThreadPoolExecutor(WORKERS)
        self._asleep = ThreadPoolExecutor(SLEEPERS)
        self._running: dict[str, Future[Ended]] = {}
        self.rows: list[tuple[Case, Ended]] = []

    def start(self, chosen: list[Case]) -> None:
        """Begin with these; whatever is asked for and not begun is begun then."""
        for case in chosen:
            if case.id not in self._running:
                pool = self._asleep if case.sleeps else self._busy
                self._running[case.id] = pool.submit(self._run, case)

    def result(self, case: Case) -> Ended:
        """What came of a case; one row of the table."""
        self.start([case])
        ended = self._running[case.id].result()
        self.rows.append((case, ended))
        return ended

    def close(self) -> None:
        for pool in (self._busy, self._asleep):
            for future in self._running.values():
                future.cancel()
            pool.shutdown()

    def _run(self, case: Case) -> Ended:
        driver = self._driver.without(*case.without) if case.without else self._driver
        env: dict[str, str | None] = dict(driver.env(case.settings))
        if case.torch:
            env["PYTHONPATH"] = str(fake_torch.write(self._scratch / case.id, case.torch))
        return check("--python", self._python, env=env, seconds=case.timeout)


def texts(part: Any) -> Iterator[str]:
    """Every text in a document, keys left out."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for one in part.values():
            yield from texts(one)
    elif isinstance(part, list):
        for one in part:
            yield from texts(one)


def table(rows: list[tuple[Case, Ended]]) -> list[str]:
    """The lines of the table: fault, how many, exit code, seconds, verdict, and the first word that was said of it."""
    lines = [f"{'fault':55} {'n':>3} {'exit':>4} {'s':>5}  {'verdict':10} said"]
    for case, ended in sorted(rows, key=lambda row: (row[0].kind, row[0].id)):
        verdict, said = _said(case, ended)
        lines.append(f"{case.id:55} {case.count:3} {ended.status:4} {ended.seconds:5.1f}  {verdict:10} {said[:110]}")
    total = sum(case.count for case, _ in rows)
    lines.append(f"{total} faults in {len(rows)} runs")
    return lines


def _said(case: Case, ended: Ended) -> tuple[str, str]:
    try:
        document = ended.document
    except AssertionError:
        return "no report", ended.errors.strip()[-110:]
    wanted: Callable[[str], bool] = lambda text: bool(case.said) and is_said(case.said[0], text)  # noqa: E731
    lines = [line for text in texts(document["facts"]) if wanted(text) for line in text.splitlines() if wanted(line)]
    return document["summary"]["verdict"], (lines or ["nothing is lost by it"])[0]
