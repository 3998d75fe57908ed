"""Holds where caches are looked for and that a folder yet to be made is judged by its parent's disk."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import disk
from gpudoctor.host.base import DiskUse
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

BIG = DiskUse(1000, 900, 100, 90)
FULL = DiskUse(500, 0, 50, 0, read_only=True)
BTRFS = DiskUse(2000, 100)


def test_places():
    env = {"HOME": "/home/ada", "HF_HOME": "/data/hf", "TMPDIR": "/fast"}
    facts = collected(disk, MemoryHost(env=env, disk={"/": BIG, "/data": FULL, "/fast": BTRFS}))
    assert facts["disk.root_free_bytes"] == 900
    assert facts["disk.root_free_inodes"] == 90
    assert facts["disk.hf_cache_path"] == "/data/hf"
    assert facts["disk.hf_cache_free_bytes"] == 0
    assert facts["disk.hf_cache_is_read_only"] is True
    assert facts["disk.tmp_free_inodes"] == Unknown(Reason.NOT_APPLICABLE, "this file system does not count inodes")
    assert facts["disk.torch_cache_path"] == "/home/ada/.cache/torch"
    assert facts["disk.inductor_cache_path"] == "/fast/torchinductor_ada"


def test_without_home():
    facts = collected(disk, MemoryHost(disk={"/": BIG}))
    for place in ("home", "hf_cache", "torch_cache", "triton_cache"):
        assert facts[f"disk.{place}_free_bytes"] == Unknown(Reason.NO_DATA, "HOME is not set")


def test_variables_that_move_caches():
    env = {"HOME": "/h", "XDG_CACHE_HOME": "/x", "TORCH_HOME": "/t", "TRITON_CACHE_DIR": "/tr"}
    paths = disk.cache_paths(env, "ada")
    assert (paths["hf_cache"], paths["torch_cache"], paths["triton_cache"]) == ("/x/huggingface", "/t", "/tr")


def test_a_folder_that_is_not_there_yet():
    class Strict(MemoryHost):
        def disk_use(self, path):
            from memory_host import error

            if path not in self.disk:
                raise error("ENOENT", path)
            return self.disk[path]

    assert disk.use_at(Strict(disk={"/": BIG}), "/home/ada/.cache/huggingface") == BIG
