"""/dev/shm: where DataLoader workers and NCCL put what they share; 64 MiB by default in a container."""

from __future__ import annotations

from collections.abc import Iterable

from gpudoctor.collect.base import attempt
from gpudoctor.collect.mountinfo import mount_at, read_mounts
from gpudoctor.collect.parsing import fact, names_in
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Unknown

PATH = "/dev/shm"
FACTS = (
    FactSpec("shm.is_mounted", FactType.BOOLEAN, "Whether /dev/shm is a file system of its own."),
    FactSpec("shm.kind", FactType.TEXT, "The kind of file system mounted there, as in `tmpfs`."),
    FactSpec("shm.size_bytes", FactType.INTEGER, "The size of /dev/shm.", "bytes"),
    FactSpec("shm.used_bytes", FactType.INTEGER, "How much of it is taken.", "bytes"),
    FactSpec("shm.free_bytes", FactType.INTEGER, "How much of it is free.", "bytes"),
    FactSpec("shm.is_read_only", FactType.BOOLEAN, "Whether writing there is refused."),
    FactSpec("shm.file_count", FactType.INTEGER, "Files there, from running programs or left behind by dead ones."),
    FactSpec("shm.training_file_count", FactType.INTEGER, "Of those, files that torch, NCCL or multiprocessing made."),
)
_TRAINING_PREFIXES = ("torch_", "nccl-", "psm_", "sem.mp-", "sem.loky-", "joblib_", "ray_", "plasma")


def collect(host: Host) -> Iterable[Fact]:
    """The shm.* facts."""
    mount = attempt(lambda: (mount_at(read_mounts(host), PATH),))
    if isinstance(mount, Unknown):
        yield Fact("shm.is_mounted", mount)
        yield Fact("shm.kind", mount)
    else:
        yield Fact("shm.is_mounted", mount[0] is not None)
        if mount[0] is not None:
            yield Fact("shm.kind", mount[0].kind)
    use = attempt(lambda: host.disk_use(PATH))
    if isinstance(use, Unknown):
        for key in ("shm.size_bytes", "shm.used_bytes", "shm.free_bytes", "shm.is_read_only"):
            yield Fact(key, use)
    else:
        yield Fact("shm.size_bytes", use.total_bytes)
        yield Fact("shm.used_bytes", max(use.total_bytes - use.free_bytes, 0))
        yield Fact("shm.free_bytes", use.free_bytes)
        yield Fact("shm.is_read_only", use.read_only)
    names = attempt(lambda: names_in(host, PATH))
    yield fact("shm.file_count", lambda: names if isinstance(names, Unknown) else len(names))
    yield fact(
        "shm.training_file_count",
        lambda: names if isinstance(names, Unknown) else sum(name.startswith(_TRAINING_PREFIXES) for name in names),
    )
