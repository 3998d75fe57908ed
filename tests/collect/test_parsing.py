"""Holds the small readers that all collectors share."""

from __future__ import annotations

import pytest

from gpudoctor.collect import parsing
from gpudoctor.host.base import HostError
from memory_host import MemoryHost


def test_printable_escapes_what_could_harm():
    assert parsing.printable("a\x1b[31mb\x00\udcff\ttab\nline é") == "a\\x1b[31mb\\x00\\xff\ttab\nline é"
    assert parsing.printable("x" * 10, 4) == "xxxx"


def test_keyed():
    assert parsing.keyed_integers("oom 1\noom_kill 2\nbad x\n") == {"oom": 1, "oom_kill": 2}
    assert parsing.keyed_texts("A: 1\nB:2\nA: 3\n") == {"A": "1", "B": "2"}


@pytest.mark.parametrize("text", ["", "1.0", "1e3", "9" * 21, "one", "- 1"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="is not a number"):
        parsing.whole_number(text, "it")


def test_presence_tells_absent_from_hidden():
    host = MemoryHost({"/a": ""}, errors={"/secret": "EACCES"})
    assert parsing.present(host, "/a")
    assert not parsing.present(host, "/b")
    with pytest.raises(HostError):
        parsing.present(host, "/secret/x")
