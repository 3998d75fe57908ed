"""What the children said on a composed machine: driver children run for real against the fake driver, torch by form.

The lines of NVML and libcuda are those that our own scripts write when the fake driver answers them; only the path of
the library is changed. The target's lines follow the scripts under `gpudoctor/probe/scripts`; a test holds their keys
against a real run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compose_host import Gpu, Machine
from fake_driver import FakeDriver
from gpudoctor.collect import libcuda, nvml
from gpudoctor.host.local import LocalHost
from gpudoctor.model.child import ChildEnd
from gpudoctor.model.record import as_dict

SETTINGS = "serial=na;vbios=96.00.74.00.01;fan=na"
GEFORCE = "ecc=na;retired=na;remap=na;nvlinks=0;mig=na;fabric.state=na;serial=na;gsp=na;sram=na;repair=na;c2c=na;fan=31"
COLLECTORS = {"nvml": nvml, "libcuda": libcuda}
SONAMES = {"nvml": "libnvidia-ml.so.1", "libcuda": "libcuda.so.1"}


class _Asking:
    """The one question that the driver collectors put to a host, with the fake driver in the child's environment."""

    def __init__(self, host: LocalHost, env: Mapping[str, str]) -> None:
        self._host = host
        self._env = env
        self.ends: dict[str, ChildEnd] = {}

    def remaining(self) -> float:
        return self._host.remaining()

    def run_script(self, name: str, interpreter: str, script: str, plan: Mapping[str, Any], limit: float) -> ChildEnd:
        end = self._host.run_script(name, interpreter, script, plan, limit, self._env)
        self.ends[name] = end
        return end


def plain(end: ChildEnd, changes: Mapping[str, str]) -> dict[str, Any]:
    """A child's end as a recording keeps it, without its duration; `changes` replace pieces of text."""

    def changed(value: Any) -> Any:
        if isinstance(value, str):
            for old, new in changes.items():
                value = value.replace(old, new)
            return value
        if isinstance(value, Mapping):
            return {key: changed(one) for key, one in value.items()}
        return [changed(one) for one in value] if isinstance(value, (list, tuple)) else value

    kept: dict[str, Any] = {"end": end.end.value}
    for name, value in as_dict(end).items():
        if name not in ("end", "seconds") and value:
            kept[name] = changed(list(value) if name == "lines" else value)
    return kept


def ask_driver(machine: Machine, driver: FakeDriver, name: str, settings: str, loaded: str = "") -> None:
    """Run the real child `nvml` or `libcuda` against the fake driver and keep what it said."""
    env = {**driver.env(), "FAKE_NV": settings}
    with LocalHost(60.0) as host:
        asking = _Asking(host, env)
        list(COLLECTORS[name].collect(asking))  # type: ignore[arg-type]
    library = "libnvidia-ml" if name == "nvml" else "libcuda"
    own = {f"{driver.folder}/{library}.so.535.104.05": loaded} if loaded else {}
    for child, end in asking.ends.items():
        machine.children[child] = plain(end, own)


def settings_for(version: str, cuda: str, gpus: list[Gpu], more: str = "") -> str:
    """The settings of the fake driver for these GPUs; `more` wins, since the first pair counts."""
    major, minor = cuda.split(".")
    pairs = [more, f"gpus={len(gpus)};driver={version};nvml=13.{version};cuda={int(major) * 1000 + int(minor) * 10}"]
    for number, gpu in enumerate(gpus):
        one = f"name={gpu.name};cc={gpu.capability};mem.total={gpu.memory}"
        pairs += [f"gpu{number}.{pair}" for pair in one.split(";")]
    pairs += [GEFORCE] if gpus and gpus[0].geforce else []
    pairs += [f"gsp={version}", SETTINGS]
    return ";".join(pair for pair in pairs if pair)


def not_loaded(
    machine: Machine, name: str, why: str = "cannot open shared object file: No such file or directory"
) -> None:
    """The driver child whose library the loader did not take."""
    error = f"OSError: {SONAMES[name]}: {why}" if not why.startswith("/") else f"OSError: {why}"
    lines = [
        {"step": "load", "gpu": -1, "begin": "dlopen"},
        {"step": "load", "gpu": -1, "call": "dlopen", "error": error},
    ]
    machine.children[name] = {"end": "exited", "lines": lines}


@dataclass(frozen=True)
class Wheel:
    """One build of torch as it was released: `cuda` empty for a CPU build, `arch` as torch compiles it in."""

    version: str
    cuda: str = ""
    arch: str = ""
    cudnn: str = ""
    nccl: str = ""
    vision: str = ""
    triton: str = ""

    def packages(self) -> dict[str, str]:
        """The distributions that come with it."""
        local = self.version.partition("+")[2]
        found = {"torch": self.version, "numpy": "2.2.6"}
        if self.vision:
            found["torchvision"] = f"{self.vision}+{local}" if local else self.vision
        if self.cuda:
            major = self.cuda.split(".")[0]
            end = "-cu12" if major == "12" else ""
            found |= {"triton": self.triton, f"nvidia-cudnn-cu{major}": self.cudnn, f"nvidia-nccl-cu{major}": self.nccl}
            found[f"nvidia-cuda-runtime{end}"] = f"{self.cuda}.90"
            found[f"nvidia-cublas{end}"] = f"{self.cuda}.4.1"
        return found

    def requirements(self) -> list[str]:
        """What its metadata demands of the packages that come with it."""
        pinned = {name: number for name, number in self.packages().items() if name.startswith(("nvidia", "triton"))}
        return ["filelock", "typing-extensions>=4.10.0", *(f"{name}=={number}" for name, number in pinned.items())]


CU12 = "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120"
CU13 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"
WHEELS = {
    one.version: one
    for one in (
        Wheel("2.8.0+cu128", "12.8", CU12, "9.10.2.21", "2.27.3", "0.23.0", "3.4.0"),
        Wheel("2.9.1+cu128", "12.8", CU12, "9.10.2.21", "2.27.5", "0.24.1", "3.5.1"),
        Wheel("2.9.1+cu130", "13.0", CU13, "9.13.0.50", "2.27.7", "0.24.1", "3.5.1"),
        Wheel("2.13.0+cu130", "13.0", CU13, "9.20.0.48", "2.29.7", "0.28.0", "3.7.1"),
        Wheel(
            "2.13.0+cu130 aarch64", "13.0", "sm_80 sm_90 sm_100 sm_110 sm_120", "9.20.0.48", "2.29.7", "0.28.0", "3.7.1"
        ),
        Wheel("2.13.0+cpu", vision="0.28.0"),
        Wheel("2.9.1+cpu", vision="0.24.1"),
    )
}


@dataclass(frozen=True)
class Cuda:
    """How torch came to its GPU: what is_available() gave and warned, and what init() raised."""

    available: bool = True
    warning: str = ""
    error: str = ""
    gpus: list[Gpu] = field(default_factory=list)


def give_torch(
    machine: Machine, wheel: Wheel, cuda: Cuda, python: str = "3.11.9", packages: Mapping[str, str] | None = None
) -> None:
    """The target's child on a machine where torch imports."""
    short = ".".join(python.split(".")[:2])
    prefix = machine.python.rpartition("/bin/")[0]
    site = f"{prefix}/lib/python{short}/{'dist' if prefix == '/usr' else 'site'}-packages"
    version = wheel.version.partition(" ")[0]
    installed = {"filelock": "3.20.0", "typing-extensions": "4.15.0", **wheel.packages(), "torch": version}
    installed |= packages or {}
    libraries = _libraries(site, wheel)
    lines = [
        _interpreter(machine, prefix, site, python),
        _packages(site, installed, {"torch": wheel.requirements()}),
        _files(site, version, wheel),
        {"step": "torch_import", "outcome": "started"},
        {"step": "torch_import", "outcome": "imported", "warnings": [], "seconds": 1.9},
        {"step": "libraries", "outcome": "completed", "files": libraries},
        _build(site, version, wheel),
        *_runtime_build(wheel, libraries),
        *_runtime_cuda(wheel, cuda, libraries),
        {"step": "end"},
    ]
    machine.children["target"] = {"end": "exited", "lines": lines}


def _interpreter(machine: Machine, prefix: str, site: str, python: str) -> dict[str, Any]:
    short = ".".join(python.split(".")[:2])
    markers = {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": machine.processor,
        "platform_python_implementation": "CPython",
        "platform_release": machine.kernel,
        "platform_system": "Linux",
        "platform_version": machine.kernel_build,
        "python_full_version": python,
        "python_version": short,
        "sys_platform": "linux",
    }
    in_venv = prefix != "/usr"
    return {
        "step": "interpreter",
        "outcome": "completed",
        "version": python,
        "implementation": "cpython",
        "executable": machine.python,
        "prefix": prefix,
        "base_prefix": "/usr",
        "path": [machine.identity()["cwd"], f"/usr/lib/python{short}", f"/usr/lib/python{short}/lib-dynload", site],
        "environment": "venv" if in_venv else "system",
        "environment_tool": "venv" if in_venv else "",
        "system_site_packages": False,
        "externally_managed": False,
        "bits": 64,
        "free_threaded": False,
        "user_site": {"enabled": False, "path": f"/root/.local/lib/python{short}/site-packages", "on_path": False},
        "safe_path": False,
        "isolated": False,
        "markers": markers,
    }


def _packages(site: str, installed: Mapping[str, str], requires: Mapping[str, list[str]]) -> dict[str, Any]:
    stack = ("torch", "torchvision", "numpy", "triton", "nvidia-")
    details = [
        {
            "requires": requires.get(name, []),
            "name": name,
            "version": number,
            "requires_python": ">=3.10",
            "installer": "pip",
            "origin": "",
            "place": 1,
        }
        for name, number in sorted(installed.items())
        if name.startswith(stack)
    ]
    return {
        "step": "packages",
        "outcome": "completed",
        "places": ["/usr/lib/python3", site],
        "packages": [[name, number, 1] for name, number in sorted(installed.items())],
        "details": details,
        "broken": [],
        "unreadable": [],
        "cut": False,
    }


def _files(site: str, version: str, wheel: Wheel) -> dict[str, Any]:
    return {
        "step": "torch_files",
        "outcome": "completed",
        "kind": "package",
        "origin": f"{site}/torch/__init__.py",
        "locations": [f"{site}/torch"],
        "error": "",
        "shadow": "",
        "importable": True,
        "version_file": {
            "__version__": version,
            "debug": False,
            "cuda": wheel.cuda or None,
            "git_version": "0123456789abcdef0123456789abcdef01234567",
            "hip": None,
        },
    }


def _libraries(site: str, wheel: Wheel) -> list[str]:
    files = [f"{site}/torch/lib/lib{name}.so" for name in ("torch_cpu", "torch_python", "c10", "torch")]
    if wheel.cuda:
        major = wheel.cuda.split(".")[0]
        folder = f"{site}/nvidia"
        base = f"{folder}/cu{major}/lib" if major == "13" else ""
        files += [
            f"{base or folder + '/cuda_runtime/lib'}/libcudart.so.{major}",
            f"{base or folder + '/cublas/lib'}/libcublas.so.{major}",
            f"{folder}/cudnn/lib/libcudnn.so.9",
            f"{folder}/nccl/lib/libnccl.so.2",
            f"{site}/torch/lib/libtorch_cuda.so",
        ]
    return files


def _build(site: str, version: str, wheel: Wheel) -> dict[str, Any]:
    line: dict[str, Any] = {
        "step": "torch_build",
        "outcome": "completed",
        "errors": {},
        "version": version,
        "file": f"{site}/torch/__init__.py",
        "version_cuda": wheel.cuda or None,
        "version_hip": None,
        "version_xpu": None,
        "version_git_version": "0123456789abcdef0123456789abcdef01234567",
        "version_debug": False,
        "cxx11_abi": True,
        "cuda_initialised": False,
        "numpy": "2.2.6",
    }
    if wheel.cuda:
        line["arch_flags"] = wheel.arch
        line["cudnn_compiled"] = [int(part) for part in wheel.cudnn.split(".")[:3]]
    else:
        missing = "AttributeError: module 'torch._C' has no attribute "
        line["errors"] = {
            "arch_flags": f"{missing}'_cuda_getArchFlags'",
            "cudnn_compiled": f"{missing}'_cudnn'",
        }
    return line


def _runtime_build(wheel: Wheel, libraries: list[str]) -> list[dict[str, Any]]:
    cudnn = None
    if wheel.cudnn:
        major, minor, patch = (int(part) for part in wheel.cudnn.split(".")[:3])
        cudnn = major * 10_000 + minor * 100 + patch
    answers: list[dict[str, Any]] = [
        {"config": "PyTorch built with:\n  - GCC 13.3\n  - C++ Version: 201703\n"},
        {"distributed": True},
        {"has_nccl": bool(wheel.cuda)},
        {"has_gloo": True},
        {"has_mpi": False},
        {"cudnn": cudnn},
        *([{"nccl": wheel.nccl.split(".")}] if wheel.cuda else []),
    ]
    return _step("build", answers, libraries)


def _runtime_cuda(wheel: Wheel, cuda: Cuda, libraries: list[str]) -> list[dict[str, Any]]:
    first: dict[str, Any] = {"available": cuda.available}
    if cuda.warning:
        first["available_warnings"] = [cuda.warning]
    answers: list[dict[str, Any]] = [first, {"count": len(cuda.gpus) if cuda.available else 0}]
    if wheel.cuda and not cuda.available:
        answers.append({"init_error": cuda.error} if cuda.error else {"init": True})
    if cuda.available:
        devices = [
            {
                "name": gpu.name,
                "major": gpu.capability // 10,
                "minor": gpu.capability % 10,
                "total_memory": gpu.memory,
                "multi_processor_count": 132,
                "is_integrated": 0,
                "warp_size": 32,
                "uuid": f"fa4e0000-0000-0000-0000-0000000000{number:02d}",
            }
            for number, gpu in enumerate(cuda.gpus)
        ]
        answers += [{"devices": devices[: number + 1]} for number in range(len(devices))]
    return _step("cuda", answers, libraries)


def _step(name: str, answers: list[dict[str, Any]], libraries: list[str]) -> list[dict[str, Any]]:
    end = {"step": name, "outcome": "completed", "seconds": 0.1, "output": "", "files": libraries}
    return [{"step": name, "outcome": "started"}, *({"step": name, **one} for one in answers), end]
