"""Finds the control group of this process: in v1, v2 and mixed trees, with and without a cgroup namespace.

/proc/self/cgroup names a path below the root of the process's cgroup namespace, and mountinfo tells which part of the
tree shows where. With the host's tree mounted into a container without a namespace of its own, the named path does
not exist below the mount: then the mount point itself is the container's group.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from gpudoctor.collect.mountinfo import Mount, read_mounts
from gpudoctor.collect.parsing import read_clean
from gpudoctor.host.base import Host, HostError, exists
from gpudoctor.model.fact import Reason

_MAXIMUM_DEPTH = 24


class Group(NamedTuple):
    """One controller's group: its folders from our own one up to the root of what is visible, and its version."""

    version: int
    folders: tuple[str, ...]
    path: str

    @property
    def own(self) -> str:
        """Our own folder."""
        return self.folders[0]


class Tree(NamedTuple):
    """All that /proc/self/cgroup and mountinfo tell. `layout` is `v1`, `v2` or `hybrid`."""

    memberships: tuple[tuple[str, frozenset[str], str], ...]
    mounts: tuple[Mount, ...]

    @property
    def layout(self) -> str:
        """Which hierarchies are mounted."""
        kinds = {mount.kind for mount in self.mounts}
        return "hybrid" if kinds == {"cgroup", "cgroup2"} else {"cgroup": "v1", "cgroup2": "v2"}[kinds.pop()]


def parse_memberships(text: str) -> tuple[tuple[str, frozenset[str], str], ...]:
    """Lines `4:memory:/path` as (hierarchy number, controllers, path). ValueError when there is none."""
    found = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and parts[0].isdigit() and parts[2].startswith("/"):
            found.append((parts[0], frozenset(parts[1].split(",")) - {""}, parts[2]))
    if not found:
        raise ValueError("/proc/self/cgroup names no group")
    return tuple(found)


def read_tree(host: Host) -> Tree:
    """The tree as this process sees it. HostError(not_applicable) when no cgroup file system is mounted."""
    memberships = parse_memberships(read_clean(host, "/proc/self/cgroup", 65536))
    mounts = tuple(mount for mount in read_mounts(host) if mount.kind in ("cgroup", "cgroup2"))
    if not mounts:
        raise HostError(Reason.NO_DATA, "no cgroup file system is mounted here")
    return Tree(memberships, mounts)


def find_group(host: Host, tree: Tree, controller: str) -> Group:
    """Our group for a controller. HostError(no_data) when the controller is not to be seen here."""
    for number, controllers, path in tree.memberships:
        if controller in controllers and number != "0":
            mount = _mount_of(tree.mounts, path, "cgroup", controller)
            if mount is not None:
                return _group(host, 1, mount, path)
    for number, controllers, path in tree.memberships:
        mount = _mount_of(tree.mounts, path, "cgroup2", "") if number == "0" and not controllers else None
        if mount is not None:
            group = _group(host, 2, mount, path)
            if _has_controller(host, group, controller):
                return group
    raise HostError(Reason.NO_DATA, f"the {controller} controller is not to be seen in the mounted cgroup trees")


def _mount_of(mounts: Sequence[Mount], path: str, kind: str, controller: str) -> Mount | None:
    fitting = [one for one in mounts if one.kind == kind and (not controller or controller in one.super_options)]
    holding = [one for one in fitting if _below(path, one.root) is not None]
    return max(holding or fitting, key=lambda one: len(one.root), default=None)


def _below(path: str, root: str) -> str | None:
    if root == "/":
        return path.strip("/")
    if path == root or path.startswith(root + "/"):
        return path[len(root) :].strip("/")
    return None


def _group(host: Host, version: int, mount: Mount, path: str) -> Group:
    below = _below(path, mount.root) or ""
    own = posixpath.normpath(posixpath.join(mount.point, below))
    if not (own == mount.point or own.startswith(mount.point + "/")) or not exists(host, own):
        own = mount.point
    folders = [own]
    while folders[-1] != mount.point and len(folders) < _MAXIMUM_DEPTH:
        folders.append(posixpath.dirname(folders[-1]))
    return Group(version, tuple(folders), path)


def _has_controller(host: Host, group: Group, controller: str) -> bool:
    # A group's own cgroup.controllers lists what its parent hands down; the root's lists what the kernel offers.
    try:
        return controller in read_clean(host, f"{group.own}/cgroup.controllers", 4096).split()
    except (HostError, ValueError):
        return False
