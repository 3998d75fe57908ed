"""Who we are and what we may do: users, capabilities, seccomp and security labels decide who can open a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpudoctor.collect.base import attempt
from gpudoctor.collect.parsing import fact, keyed_texts, printable, read_clean
from gpudoctor.host.base import Host
from gpudoctor.model.fact import Fact, FactSpec, FactType, Reason, Unknown

FACTS = (
    FactSpec("process.user_id", FactType.INTEGER, "The effective user id of this process."),
    FactSpec("process.user_name", FactType.TEXT, "The user's name; unknown without a passwd entry.", private=True),
    FactSpec("process.is_root", FactType.BOOLEAN, "Whether the user id is 0 in this user namespace."),
    FactSpec("process.group_ids", FactType.INTEGER_LIST, "Supplementary groups."),
    FactSpec("process.in_user_namespace", FactType.BOOLEAN, "Whether user ids are mapped (rootless container)."),
    FactSpec("process.capabilities", FactType.TEXT_LIST, "Effective capabilities, as in `CAP_SYS_ADMIN`."),
    FactSpec("process.capability_bounds", FactType.TEXT_LIST, "Capabilities that could be gained at all."),
    FactSpec("process.seccomp_mode", FactType.TEXT, "System call filtering: disabled, strict or filter."),
    FactSpec("process.no_new_privileges", FactType.BOOLEAN, "Whether setuid programs gain nothing (sudo fails)."),
    FactSpec("process.security_label", FactType.TEXT, "The AppArmor profile or SELinux context."),
)
# In the order of their bits (include/uapi/linux/capability.h, Linux 6.8).
_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
_SECCOMP = {"0": "disabled", "1": "strict", "2": "filter"}


def decode_capabilities(mask: str) -> tuple[str, ...]:
    """The capabilities of a hexadecimal mask, sorted by bit. ValueError when it is none."""
    if not mask or len(mask) > 16:
        raise ValueError(f"not a capability mask: {printable(mask, 40)!r}")
    bits = int(mask, 16)
    names = [f"CAP_{name}" for bit, name in enumerate(_CAPABILITIES) if bits >> bit & 1]
    unnamed = [f"CAP_{bit}" for bit in range(len(_CAPABILITIES), 64) if bits >> bit & 1]
    return tuple(names + unnamed)


def parse_uid_map(text: str) -> bool:
    """Whether /proc/self/uid_map maps anything other than all ids to themselves. ValueError when it is no map."""
    lines = [tuple(int(part) for part in line.split()) for line in text.splitlines() if line.strip()]
    if not lines or any(len(line) != 3 for line in lines):
        raise ValueError("uid_map holds no map")
    return lines != [(0, 0, 4294967295)]


def collect(host: Host) -> Iterable[Fact]:
    """The process.* facts."""
    who = host.identity()
    unsaid = Unknown(Reason.NO_DATA, "the system does not say")
    uid, user = who.get("uid"), who.get("user")
    yield Fact("process.user_id", uid if isinstance(uid, int) else unsaid)
    yield Fact("process.is_root", uid == 0 if isinstance(uid, int) else unsaid)
    yield Fact("process.user_name", printable(user) if isinstance(user, str) and user else unsaid)
    yield fact("process.in_user_namespace", lambda: parse_uid_map(read_clean(host, "/proc/self/uid_map", 65536)))
    yield fact("process.security_label", lambda: _label(host))
    status = attempt(lambda: keyed_texts(read_clean(host, "/proc/self/status", 65536)))
    if isinstance(status, Unknown):
        for key in _STATUS_KEYS:
            yield Fact(key, status)
        return
    yield fact("process.group_ids", lambda: tuple(int(part) for part in _field(status, "Groups").split()[:200]))
    yield fact("process.capabilities", lambda: decode_capabilities(_field(status, "CapEff")))
    yield fact("process.capability_bounds", lambda: decode_capabilities(_field(status, "CapBnd")))
    yield fact("process.seccomp_mode", lambda: _SECCOMP.get(_field(status, "Seccomp"), unsaid))
    yield fact("process.no_new_privileges", lambda: _field(status, "NoNewPrivs") == "1")


_STATUS_KEYS = (
    "process.group_ids",
    "process.capabilities",
    "process.capability_bounds",
    "process.seccomp_mode",
    "process.no_new_privileges",
)


def _field(status: Mapping[str, str], name: str) -> str:
    if name not in status:
        raise ValueError(f"/proc/self/status has no {name}")
    return status[name]


def _label(host: Host) -> str | Unknown:
    label = printable(host.read_text("/proc/self/attr/current", 400).strip("\x00\n "))
    return label or Unknown(Reason.NOT_APPLICABLE, "no security module labels this process")
