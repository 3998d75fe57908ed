"""Holds that no collector of the file stage or of commands raises, whatever bytes the machine answers with."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudoctor.collect.registry import collectors
from gpudoctor.host.base import FileInfo
from gpudoctor.model.child import ChildEnd, End
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

OWN = [collector for collector in collectors() if collector.name not in ("nvml", "libcuda", "nvidia_smi")]
GARBAGE = bytes(range(256)) * 4


class EverywhereHost(MemoryHost):
    """Every path is a file, a folder and a link, and all hold the same bytes; every variable has the same text."""

    def __init__(self, data: bytes, names: tuple[str, ...], text: str, identity: dict[str, object]) -> None:
        super().__init__()
        self.data, self.names, self.text = data, names, text
        self.who = identity
        self.left = 5000

    def read_bytes(self, path, limit=1_000_000, offset=0):
        return self.data[offset : offset + limit]

    def list_dir(self, path):
        self.left -= 1
        return self.names if self.left > 0 else ()

    def stat(self, path, follow=True):
        return FileInfo("link" if not follow else "file", size=3, mode=0o100755, link_target=self.text)

    def real_path(self, path):
        return path

    def env(self):
        return Everything(self.text)

    def run(self, argv, limit, env=None):
        return ChildEnd(End.EXITED, 0, stdout=self.data.decode("utf-8", "replace"))


class Everything(dict):
    def __init__(self, text):
        super().__init__({"NVIDIA_REQUIRE_X": text, "SLURM_JOB_ID": text, "NCCL_WEIRD": text, "container": text})
        self.text = text

    def get(self, key, default=None):
        return self.text

    def __contains__(self, key):
        return True

    def __missing__(self, key):
        return self.text


NAMES = (
    "0000:00:00.0",
    "lo",
    "libcudart.so.12.4",
    "libcuda.so.550.54.15",
    "core.1",
    "x.json",
    "node0",
    "1",
    "cuda-12.4",
    "\udcff.conf",
    "libnccl.so.9" + "9" * 40,
)
# Pieces of the formats that are read, so that the search gets past the first look at each.
PIECES = st.sampled_from(
    [
        b"27 1 254:0 / / rw - ext4 /dev/vda rw\n",
        b"30 23 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
        b"31 23 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        b"0::/\n",
        b"4:memory:/a/../..\n",
        b"memory pids cpu\n",
        b"MemTotal: 99999999999999999999 kB\n",
        b"Max open files            unlimited            99999999999999999999                 files\n",
        b"processor : 0\nflags : avx \xff\n",
        b"CapEff:\tzz\nGroups: 1 x\nSeccomp: 9\n",
        b"  0: 0100007F:22B8 00000000:0000 0A 0\n",
        b"6,1,99999999999999999999,-;NVRM: Xid (PCI:0000:41:00): 99999, pid\n",
        b'{"message": {"message": 1, "extraInfo": []}, "cuda": {"version": "x"}}',
        b"glibc-ld.so.cache1.1\xff\xff\xff\xff\xff\xff\xff\xff" + b"\0" * 60,
        b"eth0 000200C0 00000000 0001 0 0 0 00FCFFFF 0 0 0\n",
        b"127.0.0.1 localhost\n::g x\n",
        b"         0 4294967295 99\n",
        b"max 0\n",
        b"1 0\n",
        b"NAME=\xff\n",
        b"\x00",
        b"include /etc/*.conf\n",
        b"[always] madvise\n",
        b"0x10de\n",
        b"0x030200\n",
    ]
)
CONTENT = st.one_of(st.binary(max_size=600), st.lists(PIECES, max_size=6).map(b"".join))
WORDS = st.sampled_from(["/", "^=eth", ":", "a:/b", "/x/../.."])
TEXTS = st.text(st.characters(max_codepoint=0xDFFF), max_size=40) | WORDS
LIMITS = st.dictionaries(st.sampled_from(["nofile", "stack", "as"]), st.integers(-2, 2**64))
IDENTITY = st.fixed_dictionaries(
    {},
    optional={
        "uid": st.integers(0, 2**32),
        "hostname": TEXTS,
        "user": TEXTS,
        "cwd": TEXTS,
        "libc": st.lists(TEXTS, min_size=2, max_size=2),
        "cpus_allowed": st.integers(),
        "machine": TEXTS,
        "kernel_release": TEXTS,
        "soft_limits": LIMITS,
        "hard_limits": LIMITS,
    },
)


@pytest.mark.parametrize("name", [collector.name for collector in OWN])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=CONTENT, text=TEXTS, identity=IDENTITY)
def test_no_collector_raises_on_any_bytes(name, data, text, identity):
    collector = next(one for one in OWN if one.name == name)
    facts, run = collector.run(EverywhereHost(data, NAMES, text, identity))
    assert run.outcome == "completed", run.detail
    for fact in facts:
        for value in fact.value if isinstance(fact.value, tuple) else (fact.value,):
            text = value.detail if isinstance(value, Unknown) else str(value)
            text.encode("utf-8")
            assert "\x00" not in text, fact.key


@pytest.mark.parametrize("collector", OWN, ids=lambda collector: collector.name)
def test_an_empty_machine_gives_reasons_and_no_exception(collector):
    facts, run = collector.run(MemoryHost(identity=dict.fromkeys(MemoryHost().who)))
    assert run.outcome == "completed", run.detail
    assert [fact.key for fact in facts] == [spec.key for spec in collector.specs]


@pytest.mark.parametrize("collector", OWN, ids=lambda collector: collector.name)
def test_a_machine_that_refuses_everything_gives_reasons_and_no_exception(collector):
    _, run = collector.run(MemoryHost(errors={"/": "EACCES"}))
    assert run.outcome == "completed", run.detail


@pytest.mark.parametrize(
    ("name", "path", "key"),
    [
        ("os_release", "/etc/os-release", "os.id"),
        ("memory", "/proc/sys/vm/overcommit_memory", "memory.overcommit_mode"),
        ("cpu", "/proc/cpuinfo", "cpu.flags"),
        ("mounts", "/proc/self/mountinfo", "mounts.root_kind"),
        ("cgroup", "/proc/self/cgroup", "cgroup.version"),
        ("process_rights", "/proc/self/status", "process.capabilities"),
        ("network", "/etc/hosts", "network.host_name_addresses"),
        ("services", "/proc/net/tcp", "services.open_ports"),
        ("core_files", "/proc/sys/kernel/core_pattern", "core_files.pattern"),
        ("loader", "/etc/ld.so.cache", "loader.cache_entry_count"),
    ],
)
def test_binary_garbage_is_called_unparseable(name, path, key):
    collector = next(one for one in OWN if one.name == name)
    facts, _ = collector.run(MemoryHost({path: GARBAGE}))
    value = next(fact.value for fact in facts if fact.key == key)
    assert isinstance(value, Unknown)
    assert value.reason is Reason.UNPARSEABLE
