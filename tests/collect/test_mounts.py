"""Holds what is said of the file systems under the places that training uses."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import mounts
from gpudoctor.model.fact import Unknown
from memory_host import MemoryHost

TEXT = (
    "1099 950 0:62 / / ro,relatime - overlay overlay rw,lowerdir=/l\n"
    "1100 1099 0:63 / /proc rw,nosuid - proc proc rw,hidepid=2\n"
    "1101 1099 0:64 / /tmp rw,noexec - tmpfs tmpfs rw\n"
    "1102 1099 0:65 / /workspace rw - nfs4 filer:/vol rw,vers=4.1\n"
    "1103 1099 0:66 / /home/ada rw - lustre 10.0.0.1@tcp:/fs rw\n"
)


def test_a_read_only_container_with_network_homes():
    host = MemoryHost({"/proc/self/mountinfo": TEXT}, env={"HOME": "/home/ada"}, dirs=["/workspace", "/tmp"])
    facts = collected(mounts, host)
    assert (facts["mounts.root_kind"], facts["mounts.root_is_read_only"]) == ("overlay", True)
    assert (facts["mounts.tmp_kind"], facts["mounts.tmp_is_no_exec"]) == ("tmpfs", True)
    assert (facts["mounts.work_kind"], facts["mounts.work_is_network"]) == ("nfs4", True)
    assert facts["mounts.home_is_network"] is True
    assert facts["mounts.prefix_kind"] == "overlay"
    assert facts["mounts.network_points"] == ("/home/ada (lustre)", "/workspace (nfs4)")
    assert facts["mounts.has_proc"] is True
    assert facts["mounts.has_sys"] is False
    assert facts["mounts.proc_hides_processes"] is True


def test_tmpdir_moves_the_temporary_folder_and_links_are_followed():
    host = MemoryHost(
        {"/proc/self/mountinfo": TEXT},
        env={"TMPDIR": "/scratch"},
        links={"/scratch": "/workspace"},
        dirs=["/workspace"],
    )
    assert collected(mounts, host)["mounts.tmp_kind"] == "nfs4"


def test_home_unset():
    assert isinstance(collected(mounts, MemoryHost({"/proc/self/mountinfo": TEXT}))["mounts.home_kind"], Unknown)
