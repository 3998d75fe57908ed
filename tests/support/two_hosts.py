"""Two hosts on one machine: network namespaces joined by a pair of interfaces, with names of their own."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from crashes import lacking, needed

NAMES = ("a", "b")
PORT = 29611
COUNTER = itertools.count()


@dataclass(frozen=True)
class Networks:
    """Namespaces `gd<mark>a` and `gd<mark>b`; the hosts in them are called nodea and nodeb."""

    mark: str

    def name(self, end: str) -> str:
        return f"gd{self.mark}{end}"

    def interface(self, end: str) -> str:
        return f"v{self.mark}{end}"

    def address(self, end: str) -> str:
        return f"10.231.7.{1 + NAMES.index(end)}"

    def within(self, end: str, *argv: str) -> list[str]:
        """A command, run in the network of one host."""
        return ["ip", "netns", "exec", self.name(end), *argv]

    def on(self, end: str, command: str) -> list[str]:
        """A line of shell, run on one host, which has a name of its own."""
        return self.within(end, "unshare", "--uts", "sh", "-c", f"hostname node{end} && exec {command}")

    def drop(self, end: str, *match: str) -> None:
        """Let packets that arrive at a host's interface vanish."""
        iptables = needed("iptables")[0]
        rule = ["-A", "INPUT", "-i", self.interface(end), *match, "-j", "DROP"]
        done = subprocess.run(
            self.within(end, iptables, *rule), capture_output=True, text=True, timeout=20, check=False
        )
        if done.returncode != 0:
            lacking(f"iptables cannot drop packets here: {done.stderr.strip()}")


def ip(*words: str, check: bool = True) -> None:
    """Run `ip`; where it cannot do that here, the test is skipped, or fails where rigs are required."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode != 0:
        lacking(f"`ip {' '.join(words)}` fails here: {done.stderr.strip()}")


@contextmanager
def two_networks(programs: Sequence[str] = ()) -> Iterator[Networks]:
    """Two hosts in working order, taken away in the end."""
    needed("ip", "unshare", "timeout", *programs)
    if os.geteuid() != 0:
        lacking("this rig needs root")
    two = Networks(f"{os.getpid() % 100_000}{next(COUNTER) % 36:x}")
    try:
        for end in NAMES:
            ip("netns", "add", two.name(end))
        ip("link", "add", two.interface("a"), "type", "veth", "peer", "name", two.interface("b"))
        for end in NAMES:
            ip("link", "set", two.interface(end), "netns", two.name(end))
            ip("-n", two.name(end), "addr", "add", f"{two.address(end)}/24", "dev", two.interface(end))
            ip("-n", two.name(end), "link", "set", two.interface(end), "up")
            ip("-n", two.name(end), "link", "set", "lo", "up")
        yield two
    finally:
        for end in NAMES:
            ip("netns", "delete", two.name(end), check=False)
        ip("link", "delete", two.interface("a"), check=False)
