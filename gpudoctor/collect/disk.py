"""Free space and inodes where checkpoints, caches and temporary files go; a full disk ends training in odd ways."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from functools import partial

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import printable
from gpudoctor.host.base import DiskUse, Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

_PLACES = (
    ("root", "the root file system"),
    ("tmp", "the temporary folder"),
    ("work", "the working directory"),
    ("home", "the home folder"),
    ("hf_cache", "the Hugging Face cache"),
    ("torch_cache", "the torch hub cache"),
    ("triton_cache", "the Triton cache"),
    ("inductor_cache", "the Inductor cache"),
)
FACTS = tuple(
    spec
    for place, words in _PLACES
    for spec in (
        FactSpec(f"disk.{place}_path", FactType.TEXT, f"Where {words} is.", private=True),
        FactSpec(f"disk.{place}_total_bytes", FactType.INTEGER, f"The size of the disk under {words}.", "bytes"),
        FactSpec(f"disk.{place}_free_bytes", FactType.INTEGER, f"Space that we may use in {words}.", "bytes"),
        FactSpec(f"disk.{place}_free_inodes", FactType.INTEGER, f"Files that may still be made in {words}."),
        FactSpec(f"disk.{place}_is_read_only", FactType.BOOLEAN, f"Whether writing to {words} is refused."),
    )
)
_NO_HOME = Unknown(Reason.NO_DATA, "HOME is not set")


def cache_paths(env: Mapping[str, str], user: str) -> dict[str, str]:
    """Where the caches of Hugging Face, torch hub, Triton and Inductor lie, by the variables that move them."""
    home, tmp = env.get("HOME", ""), env.get("TMPDIR") or "/tmp"
    cache = env.get("XDG_CACHE_HOME") or (posixpath.join(home, ".cache") if home else "")
    return {
        "hf_cache": env.get("HF_HOME") or (cache and posixpath.join(cache, "huggingface")),
        "torch_cache": env.get("TORCH_HOME") or (cache and posixpath.join(cache, "torch")),
        "triton_cache": env.get("TRITON_CACHE_DIR") or (home and posixpath.join(home, ".triton", "cache")),
        "inductor_cache": env.get("TORCHINDUCTOR_CACHE_DIR") or posixpath.join(tmp, f"torchinductor_{user or 'user'}"),
    }


def _places(host: Host) -> dict[str, str]:
    env, who = host.env(), host.identity()
    return {
        "root": "/",
        "tmp": env.get("TMPDIR") or "/tmp",
        "work": str(who.get("cwd", "")),
        "home": env.get("HOME", ""),
        **cache_paths(env, str(who.get("user", ""))),
    }


def use_at(host: Host, path: str) -> DiskUse:
    """The file system under a path, or under the nearest parent where the path has yet to be made."""
    while True:
        try:
            return host.disk_use(path)
        except HostError as error:
            if not error.absent or path in ("/", ""):
                raise
        path = posixpath.dirname(path)


def collect(host: Host) -> Iterable[Fact]:
    """The disk.* facts."""
    for place, path in _places(host).items():
        if not path.startswith("/"):
            for name in ("path", "total_bytes", "free_bytes", "free_inodes", "is_read_only"):
                yield Fact(f"disk.{place}_{name}", _NO_HOME)
            continue
        yield Fact(f"disk.{place}_path", printable(path))
        use = attempt(partial(use_at, host, path))
        if isinstance(use, Unknown):
            for name in ("total_bytes", "free_bytes", "free_inodes", "is_read_only"):
                yield Fact(f"disk.{place}_{name}", use)
            continue
        yield Fact(f"disk.{place}_total_bytes", use.total_bytes)
        yield Fact(f"disk.{place}_free_bytes", use.free_bytes)
        uncounted = Unknown(Reason.NOT_APPLICABLE, "this file system does not count inodes")
        yield Fact(f"disk.{place}_free_inodes", use.free_inodes if use.total_inodes else uncounted)
        yield Fact(f"disk.{place}_is_read_only", use.read_only)
