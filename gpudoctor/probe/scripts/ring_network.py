"""The plain sockets beneath a ring: which addresses this host has, which one its ranks announce, and who reaches it.

A dropped packet looks like a slow machine for minutes. So everything here is bounded in seconds, and an address only
counts as reached when the one who answers there proves to be the rank that was meant: 127.0.0.1 answers everywhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SIOCGIFADDR = 0x8915
SIOCGIFFLAGS = 0x8913
IFF_UP = 1
RESOLVE_S = 6.0
CONNECT_S = 4.0
RETRY_S = 0.3
AT_ONCE = 128
# NCCL takes these only where there is nothing else, and its own favourite first.
LAST_CHOICE = ("docker", "lo")
FIRST_CHOICE = "ib"
WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ETIMEDOUT: "timed_out",
    errno.ECONNRESET: "refused",
}


def interfaces() -> list[tuple[str, str]]:
    """Name and IPv4 address of every interface that is up."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                flags = struct.unpack("16xH", fcntl.ioctl(asker.fileno(), SIOCGIFFLAGS, request)[:18])[0]
                if flags & IFF_UP:
                    packed = fcntl.ioctl(asker.fileno(), SIOCGIFADDR, request)[20:24]
                    found.append((name, socket.inet_ntoa(packed)))
            except OSError:
                continue  # it has no IPv4 address
    return found


def interface_with(address: str, known: Sequence[tuple[str, str]]) -> str:
    """The interface that holds an address, or nothing."""
    if address.startswith("127."):
        return "lo"
    return next((name for name, own in known if own == address), "")


def resolved(name: str, seconds: float = RESOLVE_S) -> tuple[list[str], str]:
    """The addresses of a name, and why there are none. A name server that does not answer is not waited for."""
    answer: dict[str, Any] = {}

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answer["addresses"] = list(dict.fromkeys(str(row[4][0]) for row in rows))
        except (OSError, UnicodeError) as error:
            answer["error"] = str(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive():
        return [], "no name server answered within %g s" % seconds
    return answer.get("addresses", []), answer.get("error", "")


def gloo_announces(known: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The address under which gloo offers itself: that of the named interface, else what the host's own name means
    where that is an address of this host, else the loopback."""
    named = os.environ.get("GLOO_SOCKET_IFNAME", "")
    if named:
        first = named.split(",")[0]
        address = next((own for name, own in known if name == first), "")
        found = {"interface": first, "address": address, "by": "GLOO_SOCKET_IFNAME"}
        return found if address else dict(found, missing=first)
    for address in resolved(socket.gethostname())[0]:
        if is_own(address):
            return {"interface": interface_with(address, known), "address": address, "by": "host name"}
    return {"interface": "lo", "address": "127.0.0.1", "by": "host name"}


def is_own(address: str) -> bool:
    """Whether one can listen on an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((address, 0))
            return True
    except OSError:
        return False


def nccl_announces(known: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The address of NCCL's bootstrap: the first that NCCL_SOCKET_IFNAME leaves, else the first in its own order."""
    setting = os.environ.get("NCCL_SOCKET_IFNAME", "")
    if setting:
        others, rest = setting.startswith("^"), setting.lstrip("^")
        exact = rest.startswith("=")
        names = [name.partition(":")[0] for name in rest.lstrip("=").split(",") if name]
        fits = [
            (name, own)
            for name, own in known
            if any(name == one if exact else name.startswith(one) for one in names) != others
        ]
        by = "NCCL_SOCKET_IFNAME"
        if not fits:
            return {"interface": setting, "address": "", "by": by, "missing": setting}
        return {"interface": fits[0][0], "address": fits[0][1], "by": by}
    order = sorted(known, key=lambda pair: (pair[0].startswith(LAST_CHOICE), not pair[0].startswith(FIRST_CHOICE)))
    order.sort(key=lambda pair: pair[0] == "lo")
    name, address = order[0] if order else ("lo", "127.0.0.1")
    return {"interface": name, "address": address, "by": "the order of interfaces"}


def reach(name: str, port: int, seconds: float) -> dict[str, Any]:
    """Connect to a port of a name, again and again while nobody listens there, for at most `seconds`."""
    until = time.monotonic() + seconds
    addresses, why = resolved(name, min(RESOLVE_S, seconds))
    if not addresses:
        return {"error": "unresolved", "detail": why}
    last: dict[str, Any] = {}
    while True:
        for address in addresses:
            left = until - time.monotonic()
            last = connect(address, port, max(0.2, min(CONNECT_S, left)))
            if "error" not in last:
                return last
        if time.monotonic() + RETRY_S >= until:
            return last
        time.sleep(RETRY_S)


def connect(address: str, port: int, seconds: float, token: bytes = b"") -> dict[str, Any]:
    """One connection, closed at once; with a token the other side must send that. Tells the own address used."""
    found: dict[str, Any] = {"address": address, "port": port}
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.settimeout(seconds)
            try:
                trial.connect((address, port))
                if token and receive(trial, len(token)) != token:
                    return dict(found, error="somebody_else", detail="another process answers there")
            finally:
                found["from"] = trial.getsockname()[0]
    except socket.timeout:
        return dict(found, error="timed_out", detail="no answer within %g s" % round(seconds, 1))
    except OSError as error:
        return dict(found, error=WORDS.get(error.errno or 0, "failed"), detail=str(error.strerror or error))
    return found


def receive(connected: socket.socket, size: int) -> bytes:
    """As many bytes, or fewer where it ends before."""
    data = b""
    while len(data) < size:
        piece = connected.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def check_port(port: int) -> str:
    """Why nobody can listen on a port here, or nothing."""
    for family in (socket.AF_INET6, socket.AF_INET):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(("", port))
                trial.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return errno.errorcode[error.errno]
    return ""


class Doorman:
    """A process that answers on a free port with this rank's token, so that others can see that they reach it."""

    def __init__(self, die_with_parent: Any) -> None:
        self.token = os.urandom(8).hex()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("", 0))
        listener.listen(1024)
        self.port = int(listener.getsockname()[1])
        self.pid = os.fork()
        if self.pid == 0:
            try:
                die_with_parent()
                serve(listener, self.token.encode("ascii"))
            finally:
                os._exit(0)
        listener.close()

    def dismiss(self) -> None:
        """End it."""
        try:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        except OSError:
            pass


def serve(listener: socket.socket, token: bytes) -> None:
    """Answer every caller, until killed."""
    while True:
        try:
            caller, _ = listener.accept()
            caller.settimeout(2.0)
            caller.sendall(token)
            caller.close()
        except OSError:
            continue


def try_all(doors: Sequence[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Knock at many doors at once; each is {"address", "port", "token"}, and its answer is as that of `connect`."""
    answers: list[dict[str, Any]] = [{} for _ in doors]

    def knock(index: int) -> None:
        door = doors[index]
        answers[index] = connect(door["address"], door["port"], seconds, door["token"].encode("ascii"))

    # Threads of plain Python that end before anything is forked again.
    for start in range(0, len(doors), 128):
        knocking = [
            threading.Thread(target=knock, args=(index,)) for index in range(start, min(start + 128, len(doors)))
        ]
        for one in knocking:
            one.start()
        for one in knocking:
            one.join()
    return answers
