"""Identities in text: addresses, ids, names and home folders, and the class that a placeholder must keep.

What does not tell who or where stays: loopback and unspecified addresses, net masks, version numbers, PCI bus ids.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

# Asked with the kind and the original; the answer stands in its place.
Replace = Callable[[str, str], str]

PLACEHOLDER = re.compile(r"<((?:[a-z]+-){1,3})(\d{1,6})>")
_USER = r"(?P<user>[^\s/:;,\"'<>()\[\]{}=|\\$*?%]{1,80})"
_SHARES = "data|mnt|nfs|gpfs|lustre|scratch|shared|export|net|fs|work|projects?|cluster|storage|vol|volumes?"
HOME = re.compile(
    r"(?<![\w.\-/])(?P<home>(?:(?:/[\w.-]{1,60}){0,3}/(?:home|homes|Users)|/(?:"
    + _SHARES
    + r")\d*/users)/"
    + _USER
    + ")"
)
WINDOWS_HOME = re.compile(r"(?P<home>[A-Za-z]:\\{1,2}Users\\{1,2}(?P<user>[^\s\\/:;,\"'<>()]{1,80}))")
# Folders below /home and /Users that are nobody's.
SHARED_HOMES = {"shared", "Shared", "linuxbrew", "public", "Public", "..."}

HOST_VARIABLES = (
    "HOSTNAME MASTER_ADDR SLURMD_NODENAME SLURM_NODELIST SLURM_JOB_NODELIST SLURM_STEP_NODELIST SLURM_SUBMIT_HOST "
    "SLURM_TOPOLOGY_ADDR NODE_NAME K8S_NODE_NAME POD_NAME MY_POD_NAME COMPUTERNAME RAY_HEAD_ADDRESS NODENAME"
).split()
USER_VARIABLES = "USER LOGNAME USERNAME SUDO_USER SLURM_JOB_USER NB_USER JUPYTERHUB_USER REMOTE_USER".split()
VARIABLE = re.compile(
    r"(?<![A-Za-z0-9_])(?P<name>"
    + "|".join([*HOST_VARIABLES, *USER_VARIABLES])
    + r")=(?P<value>[^\s\"',;&:<>/=]{1,253})(?!=)"
)
# docker inspect, kubectl and scontrol name the machine so.
FIELD = re.compile(
    r"(?<![A-Za-z0-9_])(?:hostname|host_name|nodeName|kubernetes\.io/hostname|BatchHost|NodeHostName)"
    r"\\?[\"']?\s{0,3}[:=]\s{0,3}(?:\\?[\"'](?P<quoted>[A-Za-z0-9][A-Za-z0-9.-]{0,252})\\?[\"']"
    r"|(?P<bare>(?=[a-z.]{0,252}[0-9-])[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?![\w(])))",
    re.IGNORECASE,
)

_UUID = re.compile(
    r"(?:(?<![0-9A-Fa-f])|(?<=pod))[0-9A-Fa-f]{8}[-_][0-9A-Fa-f]{4}[-_][0-9A-Fa-f]{4}[-_][0-9A-Fa-f]{4}[-_][0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
)
_SHORT_UUID = re.compile(r"(?<![\w-])((?:GPU|MIG)-)([0-9a-f]{8}(?:-[0-9a-f]{0,12}){0,4})(?![\w-])")
_CONTAINER = re.compile(
    r"((?:docker|containerd|cri-o|cri-containerd|crio|libpod|podman|containers?|overlay2|lxc|sandbox|sha)"
    r"(?:-conmon)?(?:://|[-/:]))([0-9a-f]{64}|[0-9a-f]{12})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_CONTAINER_FIELD = re.compile(
    r"((?:\b(?:container[ _-]?id|machine[_-]id)|\"Id)\\?[\"']?\s{0,3}[:=]?\s{0,3}\\?[\"']?)"
    r"([0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12})(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_SERIAL = re.compile(
    r"((?<![A-Za-z])serial(?:[ _-]?(?:number|no\.?))?\\?[\"']?\s{0,40}[:=]\s{0,4}\\?[\"']?)"
    r"([A-Za-z0-9-]{5,40})(?![\w-])",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![0-9A-Fa-f:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4,18}(?![0-9A-Fa-f:-])"
)
_GUID = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9a-f]{4}:){3}[0-9a-f]{4}(?![0-9A-Fa-f:])")
_GUID_HEX = re.compile(
    r"((?:guid|lid_gid|gid)\"?\s{0,20}[:=]?\s{0,20})(0x[0-9a-fA-F]{16})(?![0-9A-Fa-f])", re.IGNORECASE
)
_IPV4 = re.compile(r"(?<![\w.+~])(?<![A-Za-z_]-)\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d|[A-Za-z_+]|-(?!\d{1,3}\.\d))")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_EC2_NAME = re.compile(r"(?<![\w.-])(?:ip|ec2)-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}(?:\.[\w-]{1,60}){0,6}")
# What stands right before a number of four parts when it is a version: these words, a package's name, a comparison.
_VERSION_BEFORE = re.compile(
    r"(?:(?<![A-Za-z])(?:version|ver|release|driver|cuda|cudnn|nccl|cublas(?:lt)?|curand|cufft|cufile|cusparse(?:lt)?|cusolver"
    r"|nvjitlink|nvrtc|cupti|nvtx|npp|nvjpeg|tensorrt|opencv|chrome|chromium)|opencv[\w-]{1,30}|tensorrt[\w-]{1,30}"
    r"|[\w-]{1,60}-cu\d{2})[\s:=\"'(,\[|]{1,60}$|[=<>~!]=\s{0,2}[\"']?$",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.(?P<top>[A-Za-z]{2,24})(?![\w@-])"
)
_NO_EMAIL_ENDS = frozenset(
    "so py js css png jpg jpeg svg gif whl gz zip txt md json yaml yml toml html cpp cu local".split()
)
_PROMPT = re.compile(
    r"(?<![\w.@/-])([a-z_][\w.-]{0,31})@([A-Za-z0-9][\w.-]{0,62})(?=:\s?[~/]|\s[~/][^\s\]]{0,80}\]?\s?[$#])"
)
_PRIVATE_NETS = tuple(
    ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)

_USED_V6_NETS = tuple(ipaddress.ip_network(net) for net in ("2000::/3", "fc00::/7", "fe80::/10"))


def hide_identities(text: str, replace: Replace) -> str:
    """The text with every identity that shows by its shape replaced."""
    text = _EMAIL.sub(lambda match: _email(match, replace), text)
    text = _UUID.sub(lambda match: replace("uuid", match[0]), text)
    text = _SHORT_UUID.sub(lambda match: match[1] + replace("uuid", match[2]), text)
    text = _CONTAINER.sub(lambda match: _container(match, replace), text)
    text = _CONTAINER_FIELD.sub(lambda match: match[1] + replace("container", match[2]), text)
    text = _SERIAL.sub(lambda match: _serial(match, replace), text)
    text = _MAC.sub(lambda match: _mac(match, replace), text)
    text = _GUID.sub(lambda match: _guid(match[0], replace), text)
    text = _GUID_HEX.sub(lambda match: match[1] + replace("guid", match[2]), text)
    text = _EC2_NAME.sub(lambda match: replace("host", match[0]), text)
    text = _IPV4.sub(lambda match: _ipv4(match, replace), text)
    return _IPV6.sub(lambda match: _ipv6(match[0], replace), text)


def hide_prompts(text: str, replace: Replace) -> str:
    """The text with `user@host:` of shell prompts replaced."""
    return _PROMPT.sub(lambda match: _prompt(match, replace), text)


def is_address(text: str) -> bool:
    """Whether the text is an internet address and nothing else."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str, replace: Replace) -> str:
    """An internet address replaced by its class; the text as it is where it is none or tells nothing."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        return text
    if found.version == 4 and (int(found) >> 24 == 0 or int(found) >> 24 >= 224):
        return text
    if found.is_link_local:
        return replace("ip-link-local", text)
    return replace("ip-private" if any(found in net for net in _PRIVATE_NETS) else "ip-public", text)


def _email(match: re.Match[str], replace: Replace) -> str:
    if match["top"].lower() in _NO_EMAIL_ENDS or match[0].startswith("git@"):
        return match[0]
    return replace("email", match[0])


def _container(match: re.Match[str], replace: Replace) -> str:
    # `sha256:...` is the digest of a public image; twelve figures without a letter are a number.
    if match[1].lower().startswith("sha") or match[2].isdigit():
        return match[0]
    return match[1] + replace("container", match[2])


def _serial(match: re.Match[str], replace: Replace) -> str:
    return match[1] + replace("serial", match[2]) if any(c.isdigit() for c in match[2]) else match[0]


def _mac(match: re.Match[str], replace: Replace) -> str:
    digits = set(match[0].lower()) - {":", "-"}
    dated = match[1] == "-" and not re.search("[A-Fa-f]", match[0])
    return match[0] if len(digits) == 1 or dated else replace("mac", match[0])


def _guid(text: str, replace: Replace) -> str:
    return text if len(set(text)) <= 2 else replace("guid", text)


def _ipv4(match: re.Match[str], replace: Replace) -> str:
    if _VERSION_BEFORE.search(match.string, max(0, match.start() - 100), match.start()):
        return match[0]
    return address(match[0], replace)


def _ipv6(text: str, replace: Replace) -> str:
    # Anything else of this shape is far more often C++ (`a1::b2`) than an address.
    try:
        is_used = any(ipaddress.ip_address(text) in net for net in _USED_V6_NETS)
    except ValueError:
        return text
    return address(text, replace) if is_used else text


def _prompt(match: re.Match[str], replace: Replace) -> str:
    if match[1] == "git":
        return match[0]
    user = match[1] if match[1] == "root" else replace("user", match[1])
    host = match[2] if match[2] == "localhost" else replace("host", match[2])
    return f"{user}@{host}"
