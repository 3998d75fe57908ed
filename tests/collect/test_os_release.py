"""Holds the reading of os-release files of several distributions."""

from __future__ import annotations

import pytest

from collecting import collected
from gpudoctor.collect import os_release
from gpudoctor.model.fact import Reason, Unknown
from memory_host import MemoryHost

UBUNTU = """PRETTY_NAME="Ubuntu 22.04.5 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.5 LTS (Jammy Jellyfish)"
ID=ubuntu
ID_LIKE=debian
"""
ROCKY = 'NAME="Rocky Linux"\nVERSION="9.4 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID=\'9.4\'\n'
ALPINE = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n# a comment\nnonsense\n'


@pytest.mark.parametrize(
    ("text", "name", "short", "version", "like"),
    [
        (UBUNTU, "Ubuntu 22.04.5 LTS", "ubuntu", "22.04", ("debian",)),
        (ROCKY, "Rocky Linux 9.4 (Blue Onyx)", "rocky", "9.4", ("rhel", "centos", "fedora")),
        (ALPINE, "Alpine Linux v3.20", "alpine", "3.20.3", ()),
    ],
)
def test_distributions(text, name, short, version, like):
    facts = collected(os_release, MemoryHost({"/etc/os-release": text}))
    assert facts == {"os.name": name, "os.id": short, "os.version_id": version, "os.id_like": like}


def test_the_second_place_is_read_when_the_first_is_missing():
    assert collected(os_release, MemoryHost({"/usr/lib/os-release": UBUNTU}))["os.id"] == "ubuntu"


def test_a_rolling_distribution_has_no_version():
    facts = collected(os_release, MemoryHost({"/etc/os-release": 'ID=arch\nPRETTY_NAME="Arch Linux"\n'}))
    assert facts["os.version_id"] == Unknown(Reason.NO_DATA, "os-release does not say")


def test_escaped_quotes():
    assert os_release.parse_os_release('NAME="a \\"b\\" \\$c"')["NAME"] == 'a "b" $c'
