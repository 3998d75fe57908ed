"""Holds the reading of mountinfo and the choice of the mount that shows."""

from __future__ import annotations

import pytest

from gpudoctor.collect.mountinfo import mount_at, mount_over, parse_mountinfo

TEXT = (
    "25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k\n"
    "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda ro,discard\n"
    "28 27 0:25 /a\\040b /mnt/a\\040b rw,noexec - nfs4 server:/export rw,vers=4.2\n"
    "30 25 0:27 / /dev/shm rw,relatime - tmpfs shm rw,size=65536k\n"
    "torn line\n"
)


def test_fields():
    mounts = parse_mountinfo(TEXT)
    assert len(mounts) == 4
    assert mounts[1].read_only
    assert (mounts[2].root, mounts[2].point, mounts[2].kind) == ("/a b", "/mnt/a b", "nfs4")
    assert "noexec" in mounts[2].options


def test_the_last_mount_on_a_point_shows():
    assert mount_at(parse_mountinfo(TEXT), "/dev/shm").source == "shm"
    assert mount_at(parse_mountinfo(TEXT), "/tmp") is None


@pytest.mark.parametrize(("path", "kind"), [("/mnt/a b/c", "nfs4"), ("/mnt/a bc", "ext4"), ("/dev/shm", "tmpfs")])
def test_the_mount_under_a_path(path, kind):
    assert mount_over(parse_mountinfo(TEXT), path).kind == kind


def test_nothing_in_it():
    with pytest.raises(ValueError):
        parse_mountinfo("rubbish\n")
