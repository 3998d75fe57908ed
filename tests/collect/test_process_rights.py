"""Holds the decoding of capabilities, user namespaces and security modules."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import process_rights
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

STATUS = """Name:\tpython3
Groups:\t44 109
CapEff:\t00000000a80425fb
CapBnd:\t00000000a80425fb
NoNewPrivs:\t1
Seccomp:\t2
"""
DOCKERS_DEFAULT = (
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE "
    "SETFCAP"
)


def test_a_docker_container():
    files = {
        "/proc/self/status": STATUS,
        "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/self/attr/current": "docker-default (enforce)\n",
    }
    facts = collected(process_rights, MemoryHost(files, identity={"uid": 0, "user": "root"}))
    assert facts["process.capabilities"] == tuple(f"CAP_{name}" for name in DOCKERS_DEFAULT.split())
    assert facts["process.seccomp_mode"] == "filter"
    assert facts["process.no_new_privileges"] is True
    assert facts["process.group_ids"] == (44, 109)
    assert facts["process.is_root"] is True
    assert facts["process.in_user_namespace"] is False
    assert facts["process.security_label"] == "docker-default (enforce)"


def test_rootless():
    facts = collected(process_rights, MemoryHost({"/proc/self/uid_map": "0 1000 1\n1 100000 65536\n"}))
    assert facts["process.in_user_namespace"] is True


def test_a_user_without_a_passwd_entry():
    facts = collected(process_rights, MemoryHost(identity={"uid": 12345, "user": None}))
    assert facts["process.user_id"] == 12345
    assert facts["process.is_root"] is False
    assert isinstance(facts["process.user_name"], Unknown)


def test_all_capabilities_and_some_that_have_no_name_yet():
    names = process_rights.decode_capabilities("000003ffffffffff")
    assert len(names) == 42
    assert names[21] == "CAP_SYS_ADMIN"
    assert names[-2:] == ("CAP_CHECKPOINT_RESTORE", "CAP_41")
    assert process_rights.decode_capabilities("0000000000000000") == ()


@pytest.mark.parametrize("mask", ["", "zz", "1" * 17])
def test_no_mask(mask):
    with pytest.raises(ValueError):
        process_rights.decode_capabilities(mask)


def test_an_old_kernel_without_seccomp_lines():
    facts = collected(process_rights, MemoryHost({"/proc/self/status": "CapEff:\t0\n"}))
    assert facts["process.seccomp_mode"].reason is Reason.UNPARSEABLE
    assert facts["process.capabilities"] == ()
