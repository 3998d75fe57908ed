"""`docker inspect` and `podman inspect` of a container: the whole array, one object, its State alone, or a piece of it.

Traps: `OOMKilled` is true when any process of the container was killed, although the main one may have ended well;
podman leaves it false on cgroup v1 even after a real OOM kill; a container that never started has ExitCode 0.
"""

from __future__ import annotations

import re

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import bytes_of
from gpudoctor.intake.partial_json import parse
from gpudoctor.intake.plain_tree import Plain, flag, integer, member, objects, text, texts_under
from gpudoctor.model.fact import Fact

KIND = "container_inspect"
FACTS = ()
_KEYS = re.compile(
    r"""["']?\b(OOMKilled|ExitCode|HostConfig|ShmSize|RestartCount|DeviceRequests|FinishedAt)["']?\s*:"""
)
_NOT_ENDED = ("created", "running", "configured", "initialized", "paused")
_MESSAGES = frozenset({"error", "message", "output", "logs"})
DEFAULT_SHM_BYTES = 64 << 20


def recognises(beginning: str, name: str) -> float:
    """Engines write these keys in this capitalisation, Kubernetes does not."""
    found = {match[1] for match in _KEYS.finditer(beginning[:65536])}
    if not found or ("{" not in beginning and len(beginning) > 2000):
        return 0.0
    if '"kind"' in beginning and '"Pod"' in beginning:
        return 0.0
    starts = beginning.lstrip()[:1] in ("[", "{", '"')
    return min(0.95, 0.4 + 0.2 * len(found) + (0.1 if starts else -0.2))


def read(document: str) -> Reading:
    """State, limits and requests of the container that ended worst."""
    value, whole = parse(document)
    entries = [entry for entry in objects(value) if isinstance(entry, dict)]
    states = [entry for entry in entries if {"OOMKilled", "ExitCode"} & set(entry)]
    facts = _state_facts(min(states, key=_goodness)) if states else []
    hosts = [entry for entry in entries if {"ShmSize", "DeviceRequests", "Memory", "Init"} & set(entry)]
    facts += _host_facts(hosts[0]) if hosts else []
    restarts = [integer(member(entry, "RestartCount")) for entry in entries if "RestartCount" in entry]
    if restarts and restarts[0] is not None:
        facts.append(Fact("crash.restart_count", restarts[0]))
    facts.append(Fact("crash.context", ("container",)))
    messages = tuple(f"{key}: {message}" for key, message in texts_under(value, _MESSAGES))
    return Reading(tuple(facts), messages, () if whole else ("it is not whole JSON; it was read as far as it goes",))


def _goodness(state: dict[str, Plain]) -> tuple[bool, bool]:
    return (not flag(member(state, "OOMKilled")), integer(member(state, "ExitCode")) in (0, None))


def _state_facts(state: dict[str, Plain]) -> list[Fact]:
    facts = []
    killed = flag(member(state, "OOMKilled"))
    if killed is not None:
        facts.append(Fact("crash.oom_killed", killed))
    status = text(member(state, "Status")).lower()
    if status:
        facts.append(Fact("crash.state", status))
    error = text(member(state, "Error"))
    if error:
        facts.append(Fact("crash.state_error", error))
    code = integer(member(state, "ExitCode"))
    ended = status not in _NOT_ENDED and flag(member(state, "Running")) is not True
    if code is not None and (ended or code):
        facts.append(Fact("crash.exit_code", code))
    return facts


def _host_facts(host: dict[str, Plain]) -> list[Fact]:
    facts = []
    limit = _bytes(member(host, "Memory"))
    if limit:
        facts.append(Fact("crash.memory_limit_bytes", limit))
    shm = _bytes(member(host, "ShmSize"))
    if shm and text(member(host, "IpcMode")) != "host":
        facts.append(Fact("crash.shm_size_bytes", shm))
    init = flag(member(host, "Init"))
    if init is not None:
        facts.append(Fact("crash.pid1_init", init))
    runtime = text(member(host, "Runtime"))
    if runtime:
        facts.append(Fact("crash.runtime", runtime))
    requests = member(host, "DeviceRequests")
    if "DeviceRequests" in host:
        facts.append(Fact("crash.gpu_requested", bool(requests) or "nvidia" in runtime))
    return facts


def _bytes(value: Plain) -> int | None:
    whole = integer(value)
    return whole if whole is not None else bytes_of(text(value)) if text(value) else None
