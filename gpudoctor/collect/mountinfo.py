"""Reads /proc/self/mountinfo: what is mounted where decides which cgroup, which /dev/shm and which disk are ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpudoctor.collect.parsing import read_clean
from gpudoctor.host.base import Host

PATH = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """One mount: `root` is the part of the file system that shows at `point`; options of mount and super block."""

    root: str
    point: str
    options: frozenset[str]
    kind: str
    source: str
    super_options: frozenset[str]

    @property
    def read_only(self) -> bool:
        """Whether writing is refused at this mount."""
        return "ro" in self.options or "ro" in self.super_options


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """All mounts in the file's order; lines of another shape are left out. ValueError when none is left."""
    mounts = tuple(mount for mount in map(_mount, text.splitlines()) if mount is not None)
    if not mounts:
        raise ValueError("mountinfo lists no mount")
    return mounts


def _mount(line: str) -> Mount | None:
    left, divider, right = line.partition(" - ")
    before, after = left.split(" "), right.split(" ")
    if not divider or len(before) < 6 or len(after) < 2:
        return None
    return Mount(
        root=_unescaped(before[3]),
        point=_unescaped(before[4]),
        options=frozenset(before[5].split(",")),
        kind=after[0],
        source=_unescaped(after[1]),
        super_options=frozenset(after[2].split(",")) if len(after) > 2 else frozenset(),
    )


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8) & 0x7F), path)


def read_mounts(host: Host) -> tuple[Mount, ...]:
    """The mounts of this process; HostError or ValueError when they cannot be read."""
    return parse_mountinfo(read_clean(host, PATH))


def mount_at(mounts: Iterable[Mount], point: str) -> Mount | None:
    """What is mounted exactly there; of several on top of one another, the one that shows."""
    return next((mount for mount in reversed(tuple(mounts)) if mount.point == point), None)


def mount_over(mounts: Sequence[Mount], path: str) -> Mount | None:
    """The mount that a path lies on."""
    best: Mount | None = None
    for mount in mounts:
        inside = mount.point == "/" or path == mount.point or path.startswith(mount.point + "/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best
