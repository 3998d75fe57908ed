"""File systems under the places that training writes to: some are read-only, without execution, or remote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpudoctor.collect.base import attempt
from gpudoctor.collect.mountinfo import Mount, mount_over, read_mounts
from gpudoctor.collect.parsing import printable
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown, Value

_PLACES = (
    ("root", "the root"),
    ("tmp", "the temporary folder (TMPDIR, else /tmp)"),
    ("work", "the working directory"),
    ("home", "the home folder"),
    ("prefix", "our interpreter's prefix"),
)
FACTS = (
    *(
        spec
        for place, words in _PLACES
        for spec in (
            FactSpec(f"mounts.{place}_kind", FactType.TEXT, f"The kind of file system under {words}."),
            FactSpec(f"mounts.{place}_is_read_only", FactType.BOOLEAN, f"Whether {words} is mounted read-only."),
            FactSpec(f"mounts.{place}_is_no_exec", FactType.BOOLEAN, f"Whether programs cannot run from {words}."),
            FactSpec(f"mounts.{place}_is_network", FactType.BOOLEAN, f"Whether {words} lies on a network file system."),
        )
    ),
    FactSpec("mounts.network_points", FactType.TEXT_LIST, "Network file systems, as `point (kind)`.", private=True),
    FactSpec("mounts.has_proc", FactType.BOOLEAN, "Whether /proc is mounted."),
    FactSpec("mounts.has_sys", FactType.BOOLEAN, "Whether /sys is mounted."),
    FactSpec("mounts.proc_hides_processes", FactType.BOOLEAN, "Whether /proc hides the processes of others (hidepid)."),
)
_NETWORK = frozenset(
    "nfs nfs4 cifs smb3 smbfs lustre gpfs beegfs ceph glusterfs 9p afs orangefs pvfs2 wekafs panfs fuse.sshfs "
    "fuse.s3fs fuse.gcsfuse fuse.rclone fuse.glusterfs fuse.ceph fuse.juicefs fuse.mountpoint-s3 fuse.blobfuse2 "
    "fuse.goofys fuse.vastdata fuse.beegfs drvfs".split()
)


def is_network(mount: Mount) -> bool:
    """Whether a file system is reached over a network (or, under WSL, through Windows)."""
    return mount.kind in _NETWORK or "aname=drvfs" in ",".join(mount.super_options)


def places(host: Host) -> Mapping[str, str]:
    """Where each place is, with links resolved; a place that nothing tells is left out."""
    env, who = host.env(), host.identity()
    told = {
        "root": "/",
        "tmp": env.get("TMPDIR") or "/tmp",
        "work": str(who.get("cwd", "")),
        "home": env.get("HOME", ""),
        "prefix": str(who.get("prefix", "")),
    }
    return {place: _resolved(host, path) for place, path in told.items() if path.startswith("/")}


def _resolved(host: Host, path: str) -> str:
    try:
        return host.real_path(path)
    except HostError:
        return path


def _facts_of(place: str, mount: Mount) -> Iterable[Fact]:
    answers: tuple[tuple[str, Value], ...] = (
        ("kind", printable(mount.kind, 60)),
        ("is_read_only", mount.read_only),
        ("is_no_exec", "noexec" in mount.options),
        ("is_network", is_network(mount)),
    )
    return [Fact(f"mounts.{place}_{name}", value) for name, value in answers]


def collect(host: Host) -> Iterable[Fact]:
    """The mounts.* facts."""
    mounts = attempt(lambda: read_mounts(host))
    if isinstance(mounts, Unknown):
        for spec in FACTS:
            yield Fact(spec.key, mounts)
        return
    where = places(host)
    for place, words in _PLACES:
        mount = mount_over(mounts, where[place]) if place in where else None
        if mount is not None:
            yield from _facts_of(place, mount)
            continue
        unknown = Unknown(Reason.NO_DATA, f"nothing tells where {words} is")
        for name in ("kind", "is_read_only", "is_no_exec", "is_network"):
            yield Fact(f"mounts.{place}_{name}", unknown)
    network = sorted({f"{mount.point} ({mount.kind})" for mount in mounts if is_network(mount)})
    yield Fact("mounts.network_points", tuple(printable(one) for one in network[:100]))
    points = {mount.point: mount for mount in mounts}
    yield Fact("mounts.has_proc", "/proc" in points)
    yield Fact("mounts.has_sys", "/sys" in points)
    hiding = points["/proc"].super_options if "/proc" in points else frozenset()
    yield Fact("mounts.proc_hides_processes", bool(hiding & {"hidepid=1", "hidepid=2", "hidepid=invisible"}))
