"""Holds which doors are told to stand open."""

from __future__ import annotations

from collecting import collected
from gpudoctor.collect import services
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

TCP = (
    "  sl  local_address rem_address   st\n"
    "   0: 00000000:22B8 00000000:0000 0A 0\n"
    "   1: 0100007F:18EB 00000000:0000 0A 0\n"
    "   2: 0100007F:0016 00000000:0000 0A 0\n"
)
TCP6 = "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n"


def test_ports():
    facts = collected(services, MemoryHost({"/proc/net/tcp": TCP, "/proc/net/tcp6": TCP6}))
    assert facts["services.open_ports"] == (22, 8888)
    assert facts["services.loopback_ports"] == (6379,)
    assert facts["services.exposed"] == ("ssh 22", "jupyter 8888")
    assert facts["services.ssh_is_listening"] is True
    assert facts["services.jupyter_is_listening"] is True


def test_a_kernel_without_ipv6():
    facts = collected(services, MemoryHost({"/proc/net/tcp": TCP}))
    assert facts["services.ssh_is_listening"] is False


def test_sudo():
    rules = {"/etc/sudoers": "root ALL=(ALL) ALL\n# ada NOPASSWD: ALL\n"}
    assert collected(services, MemoryHost(rules))["services.sudo_without_password"] is False
    rules["/etc/sudoers.d/ada"] = "ada ALL=(ALL) NOPASSWD: ALL\n"
    assert collected(services, MemoryHost(rules))["services.sudo_without_password"] is True
    denied = collected(services, MemoryHost(rules, errors={"/etc/sudoers": "EACCES"}))
    assert denied["services.sudo_without_password"].reason is Reason.PERMISSION_DENIED
    assert isinstance(collected(services, MemoryHost())["services.sudo_without_password"], Unknown)
