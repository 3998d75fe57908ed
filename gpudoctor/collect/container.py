"""What kind of container this is, and what its engine was asked for in the way of GPUs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gpudoctor.collect.base import attempt
from gpudoctor.collect.mountinfo import PATH as MOUNTINFO
from gpudoctor.collect.mountinfo import read_mounts
from gpudoctor.collect.parsing import NOT_SET, fact, names_in, present, printable, read_clean
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

_TEXT, _LIST = FactType.TEXT, FactType.TEXT_LIST
FACTS = (
    FactSpec(
        "container.kind",
        _TEXT,
        "The engine: docker, podman, containerd, kubernetes, apptainer, lxc, nspawn, other (not recognised) or none.",
    ),
    FactSpec("container.evidence", _LIST, "What tells so."),
    FactSpec("container.id", _TEXT, "The container's id, where paths of the engine show it.", private=True),
    FactSpec("container.nvidia_visible_devices", _TEXT, "NVIDIA_VISIBLE_DEVICES of the container."),
    FactSpec("container.nvidia_driver_capabilities", _TEXT, "NVIDIA_DRIVER_CAPABILITIES of the container."),
    FactSpec("container.nvidia_require_cuda", _TEXT, "NVIDIA_REQUIRE_CUDA of the image."),
    FactSpec("container.nvidia_requirements", _LIST, "Other NVIDIA_REQUIRE_* of the image, as NAME=value."),
    FactSpec("container.nvidia_disable_require", _TEXT, "NVIDIA_DISABLE_REQUIRE: the requirements are not checked."),
    FactSpec("container.nvidia_mount_points", _LIST, "Driver files and device nodes that are mounted in one by one."),
    FactSpec("container.cdi_files", _LIST, "Container Device Interface specifications that are to be seen here."),
    FactSpec("container.lost_variables", _LIST, "GPU variables that process 1 has and this process has not."),
)
_HEX = re.compile(r"[0-9a-f]{8,}")  # the piece of text is shown to everybody, the id of the container is not
_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_NVIDIA_MOUNT = re.compile(r"/(?:libcuda\.so|libcudadebugger|libnvidia-|libnvoptix|nvidia-|nvidia\d|nvidiactl|dxg$)")
_ENGINE_POINTS = ("/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/termination-log")
_GPU_VARIABLE = re.compile(r"(?:NVIDIA|CUDA|NCCL|NV)_\w+|LD_LIBRARY_PATH|PATH")
_SETTINGS = (
    ("container.nvidia_visible_devices", "NVIDIA_VISIBLE_DEVICES"),
    ("container.nvidia_driver_capabilities", "NVIDIA_DRIVER_CAPABILITIES"),
    ("container.nvidia_require_cuda", "NVIDIA_REQUIRE_CUDA"),
    ("container.nvidia_disable_require", "NVIDIA_DISABLE_REQUIRE"),
)
# The values of `container=` that engines give to process 1 (and podman to every process).
_MARKS = {"podman": "podman", "lxc": "lxc", "lxc-libvirt": "lxc", "docker": "docker", "systemd-nspawn": "nspawn"}


def parse_environ(data: bytes) -> dict[str, str]:
    """The variables of a /proc/PID/environ file."""
    pairs = (piece.decode("utf-8", "surrogateescape").partition("=") for piece in data.split(b"\0"))
    return {name: value for name, divider, value in pairs if divider}


def engine_mounts(mountinfo: str) -> str:
    """The lines of mountinfo that tell of our own container's engine. On a host that runs containers, the lines of
    their file systems are there as well, and tell nothing of us."""
    lines = (line for line in mountinfo.splitlines() if line.count(" ") > 5)
    return "\n".join(line for line in lines if line.split(" ")[4] in _ENGINE_POINTS or " /proc/" in line)


def kinds_by_texts(cgroups: str, mountinfo: str) -> list[tuple[str, str]]:
    """Engines that the paths in /proc/self/cgroup and mountinfo tell of, each with the piece of text."""
    found = []
    mounts = engine_mounts(mountinfo)
    for kind, pattern in (
        ("kubernetes", r"kubepods|kubelet/pods"),
        ("podman", r"libpod(?:_parent|-[0-9a-f])|/overlay-containers/[0-9a-f]"),
        ("docker", r"/docker/(?:containers/)?[0-9a-f]{12}|docker-[0-9a-f]{12}|/var/lib/docker/"),
        ("containerd", r"io\.containerd\.|cri-containerd|/run/containerd/|/nerdctl/"),
        ("lxc", r"/lxc(?:\.payload)?[./][\w-]|lxcfs"),
    ):
        for where, text in (("/proc/self/cgroup", cgroups), (MOUNTINFO, mounts)):
            match = re.search(pattern, text)
            if match is not None:
                found.append((kind, f"{where}: {_HEX.sub('...', match[0])}"))
                break
    return found


def _marks(host: Host, env: Mapping[str, str], init: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "APPTAINER_NAME", "SINGULARITY_NAME"):
        if env.get(name):
            yield "apptainer", f"{name} is set"
    if present(host, "/.singularity.d"):
        yield "apptainer", "/.singularity.d"
    if env.get("KUBERNETES_SERVICE_HOST"):
        yield "kubernetes", "KUBERNETES_SERVICE_HOST is set"
    if present(host, "/var/run/secrets/kubernetes.io"):
        yield "kubernetes", "/var/run/secrets/kubernetes.io"
    if present(host, "/run/.containerenv"):
        yield "podman", "/run/.containerenv"
    if present(host, "/.dockerenv"):
        yield "docker", "/.dockerenv"
    mark = init.get("container") or env.get("container") or ""
    if mark:
        yield _MARKS.get(mark, "other"), f"container={printable(mark, 40)}"


_ORDER = ("apptainer", "kubernetes", "podman", "docker", "lxc", "nspawn", "containerd", "other")


def _engines(host: Host, env: Mapping[str, str], init: Mapping[str, str]) -> list[tuple[str, str]]:
    found = list(_marks(host, env, init))
    cgroups = attempt(lambda: read_clean(host, "/proc/self/cgroup", 65536))
    mounts = attempt(lambda: read_clean(host, MOUNTINFO))
    found += kinds_by_texts(cgroups if isinstance(cgroups, str) else "", mounts if isinstance(mounts, str) else "")
    if not found and isinstance(mounts, str) and re.search(r" / / \S+ .*- overlay ", mounts):
        found.append(("other", "the root file system is an overlay"))
    if not found and isinstance(mounts, Unknown):
        raise HostError(mounts.reason, mounts.detail)
    return sorted(found, key=lambda one: _ORDER.index(one[0]))


def collect(host: Host) -> Iterable[Fact]:
    """The container.* facts."""
    env = host.env()
    init = attempt(lambda: parse_environ(host.read_bytes("/proc/1/environ", 200_000)))
    of_init = {} if isinstance(init, Unknown) else init
    engines = attempt(lambda: _engines(host, env, of_init))
    if isinstance(engines, Unknown):
        yield Fact("container.kind", engines)
        yield Fact("container.evidence", engines)
    else:
        yield Fact("container.kind", engines[0][0] if engines else "none")
        yield Fact("container.evidence", tuple(f"{kind}: {why}" for kind, why in engines))
    yield fact("container.id", lambda: _container_id(host))
    # A login by SSH or `su -` loses what the engine set: the container's settings are those of process 1.
    settings = {**{name: value for name, value in of_init.items() if name.startswith("NVIDIA_")}, **env}
    for key, name in _SETTINGS:
        yield Fact(key, printable(settings[name]) if name in settings else NOT_SET)
    told = {name for _, name in _SETTINGS}
    yield Fact(
        "container.nvidia_requirements",
        tuple(
            printable(f"{name}={value}")
            for name, value in sorted(settings.items())
            if name.startswith("NVIDIA_REQUIRE_") and name not in told
        ),
    )
    yield fact("container.nvidia_mount_points", lambda: _nvidia_mounts(host))
    yield fact("container.cdi_files", lambda: _cdi_files(host))
    yield Fact("container.lost_variables", init if isinstance(init, Unknown) else _lost(of_init, env))


def _lost(init: Mapping[str, str], env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(printable(name, 80) for name in sorted(set(init) - set(env)) if _GPU_VARIABLE.fullmatch(name))


def _container_id(host: Host) -> str | Unknown:
    cgroups = attempt(lambda: read_clean(host, "/proc/self/cgroup", 65536))
    mounts = attempt(lambda: read_clean(host, MOUNTINFO))
    ours = engine_mounts(mounts if isinstance(mounts, str) else "").splitlines()
    # The layers under the root have ids of the same form, which are not the container's.
    texts = [cgroups if isinstance(cgroups, str) else "", *(line for line in ours if " / / " not in line)]
    found = next((match for match in map(_ID.search, texts) if match is not None), None)
    return found[1] if found is not None else Unknown(Reason.NO_DATA, "no path of an engine shows an id")


def _nvidia_mounts(host: Host) -> tuple[str, ...]:
    return tuple(sorted({mount.point for mount in read_mounts(host) if _NVIDIA_MOUNT.search(mount.point)}))


def _cdi_files(host: Host) -> tuple[str, ...]:
    folders = ("/etc/cdi", "/var/run/cdi", "/run/cdi")
    found = [f"{folder}/{name}" for folder in folders for name in names_in(host, folder)]
    return tuple(printable(path) for path in found if path.endswith((".yaml", ".yml", ".json")))
