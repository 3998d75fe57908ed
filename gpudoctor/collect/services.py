"""Doors that stand open: notebooks, dashboards and shells that listen widely, and root without a password."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpudoctor.collect.addresses import parse_listeners
from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import names_in, read_clean
from gpudoctor.host.base import Host, HostError
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("services.open_ports", FactType.INTEGER_LIST, "TCP ports that are open beyond loopback."),
    FactSpec("services.loopback_ports", FactType.INTEGER_LIST, "TCP ports that are open on loopback only."),
    FactSpec("services.exposed", FactType.TEXT_LIST, "Well-known services by their open ports, as in `jupyter 8888`."),
    FactSpec("services.ssh_is_listening", FactType.BOOLEAN, "Whether port 22 or 2222 is open beyond loopback."),
    FactSpec("services.jupyter_is_listening", FactType.BOOLEAN, "Whether port 8888 is open beyond loopback."),
    FactSpec("services.sudo_without_password", FactType.BOOLEAN, "Whether a sudoers rule says NOPASSWD."),
)
_KNOWN = {
    22: "ssh",
    2222: "ssh",
    6006: "tensorboard",
    6379: "redis",
    8265: "ray dashboard",
    8787: "dask dashboard",
    8888: "jupyter",
    8889: "jupyter",
    29400: "torchrun rendezvous",
    29500: "torch distributed",
    7860: "gradio",
    8501: "streamlit",
    11434: "ollama",
    2375: "docker without encryption",
    5000: "mlflow",
}
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def says_nopasswd(text: str) -> bool:
    """Whether a sudoers file has a rule with NOPASSWD outside its comments."""
    return any(re.search(r"\bNOPASSWD\s*:", line.partition("#")[0]) for line in text.splitlines())


def _sudo(host: Host) -> bool | Unknown:
    try:
        texts = [read_clean(host, "/etc/sudoers", 200_000)]
    except HostError as error:
        if error.absent:
            return Unknown(Reason.NOT_INSTALLED, "there is no /etc/sudoers")
        raise
    texts += [read_clean(host, f"/etc/sudoers.d/{name}", 200_000) for name in names_in(host, "/etc/sudoers.d")[:50]]
    return any(says_nopasswd(text) for text in texts)


def collect(host: Host) -> Iterable[Fact]:
    """The services.* facts, from the kernel's table of sockets."""
    yield Fact("services.sudo_without_password", attempt(lambda: _sudo(host)))
    four = attempt(lambda: parse_listeners(read_clean(host, _TABLES[0], 4_000_000)))
    six = attempt(lambda: parse_listeners(read_clean(host, _TABLES[1], 4_000_000)))
    if isinstance(four, Unknown):
        for spec in FACTS[:-1]:
            yield Fact(spec.key, four)
        return
    listeners = [*four, *(() if isinstance(six, Unknown) else six)]
    wide = sorted({port for address, port in listeners if not address.is_loopback})
    near = sorted({port for _, port in listeners} - set(wide))
    yield Fact("services.open_ports", tuple(wide[:200]))
    yield Fact("services.loopback_ports", tuple(near[:200]))
    yield Fact("services.exposed", tuple(f"{_KNOWN[port]} {port}" for port in wide if port in _KNOWN))
    yield Fact("services.ssh_is_listening", bool({22, 2222} & set(wide)))
    yield Fact("services.jupyter_is_listening", bool({8888, 8889} & set(wide)))
