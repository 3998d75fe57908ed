"""Holds what is said of /dev/shm."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import shm
from gpudoctor.host.base import DiskUse
from gpudoctor.model.fact import Unknown
from memory_host import MemoryHost

ROOT = "1 0 0:40 / / rw,relatime - overlay overlay rw\n"
DOCKER = ROOT + "1105 1099 0:101 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k\n"


def test_dockers_64_mib_with_leftovers():
    files = {"/proc/self/mountinfo": DOCKER, "/dev/shm/torch_77_1": "", "/dev/shm/nccl-a1": "", "/dev/shm/mine": ""}
    facts = collected(shm, MemoryHost(files, disk={"/dev/shm": DiskUse(67108864, 66060288)}))
    assert facts["shm.is_mounted"] is True
    assert facts["shm.kind"] == "tmpfs"
    assert facts["shm.size_bytes"] == 67108864
    assert facts["shm.used_bytes"] == 1048576
    assert facts["shm.free_bytes"] == 66060288
    assert facts["shm.is_read_only"] is False
    assert (facts["shm.file_count"], facts["shm.training_file_count"]) == (3, 2)


def test_a_folder_on_the_root_file_system():
    facts = collected(shm, MemoryHost({"/proc/self/mountinfo": ROOT}, dirs=["/dev/shm"], disk={"/": DiskUse(10, 5)}))
    assert facts["shm.is_mounted"] is False
    assert isinstance(facts["shm.kind"], Unknown)
    assert facts["shm.size_bytes"] == 10
    assert facts["shm.file_count"] == 0


def test_no_dev_shm_at_all():
    facts = collected(shm, MemoryHost({"/proc/self/mountinfo": ROOT}))
    assert facts["shm.is_mounted"] is False
    assert isinstance(facts["shm.size_bytes"], Unknown)
