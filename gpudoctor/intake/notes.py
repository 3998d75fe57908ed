"""Notes: lines of `key: value` that a person wrote about the crash, in their own words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudoctor.intake.base import Reading
from gpudoctor.intake.crash_facts import bytes_of, typed
from gpudoctor.intake.pod import TELLING
from gpudoctor.model.fact import Fact

KIND = "notes"
FACTS = ()
_LINE = re.compile(r"^\s{0,8}[-*]?\s{0,4}(?P<key>[A-Za-z_][\w ./()-]{0,60}?)\s{0,4}[:=]\s+(?P<value>\S.{0,2000})$")
_SUBJECTS = (
    "context env environment workaround docker docker_inspect podman k8s kubernetes pod slurm nvidia_smi nvidia-smi "
    "gpu gpus driver cuda torch pytorch python numpy os image runtime exit exit_code code signal status reason "
    "oomkilled oom_killed note notes memory ram shm host container dmesg lspci pip_list glibc nccl cudnn arch restarts "
    "events"
).split()
_TYPED = {
    "torch": "torch.version",
    "pytorch": "torch.version",
    "torchvision": "torchvision.version",
    "torchaudio": "torchaudio.version",
    "numpy": "numpy.version",
    "python": "python.version",
    "driver": "driver.version",
    "nvidia driver": "driver.version",
    "driver version": "driver.version",
    "glibc": "glibc.version",
    "cudnn": "cudnn.version",
    "nccl": "nccl.version",
    "triton": "triton.version",
    "os": "os.name",
    "arch": "kernel.machine",
    "oomkilled": "crash.oom_killed",
    "oom killed": "crash.oom_killed",
    "exitcode": "crash.exit_code",
    "exit code": "crash.exit_code",
    "signal": "crash.signal",
    "error": "crash.state_error",
    "runtime": "crash.runtime",
    "restart count": "crash.restart_count",
    "restarts": "crash.restart_count",
    "run flags": "crash.run_flags",
}
_CHINESE_LINE = re.compile(r"^\s{0,8}[-*]?\s{0,4}(?P<key>[\u4e00-\u9fff]{2,12})\s{0,4}[:\uff1a]\s{0,8}(?=\S)")
_CHINESE = {
    "退出码": "exit code",
    "退出代码": "exit code",
    "退出状态码": "exit code",
    "退出状态": "exit code",
    "返回码": "exit code",
    "返回值": "exit code",
    "信号": "signal",
    "原因": "reason",
    "状态": "status",
    "重启次数": "restarts",
    "驱动": "driver",
    "驱动版本": "driver",
    "显卡": "gpu",
    "系统": "os",
    "操作系统": "os",
    "架构": "arch",
    "错误": "error",
    "报错": "error",
    "错误信息": "error",
    "报错信息": "error",
}
_SUBJECT_PREFIX = re.compile(
    r"^(?:env|environment|docker[ _]inspect|docker|podman|k8s|kubernetes|pod|slurm|state) (?=\S)"
)
_GPU_ASKED = re.compile(r"--gpus\b|--runtime[= ]nvidia|--device[= ]\S{0,20}(?:nvidia|kfd)|nvidia\.com/gpu")
_SHM = re.compile(r"--shm-size[= ]?(\S{1,20})")
DEFAULT_SHM_BYTES = 64 << 20


def recognises(beginning: str, name: str) -> float:
    """Few lines, all of the form `key: value`, some with a key that notes about a crash have."""
    lines = [_in_english(line) for line in beginning[:16384].split("\n") if line.strip()]
    if not lines or len(lines) > 60:
        return 0.0
    keys = [match["key"].lower() for match in map(_LINE.match, lines) if match]
    known = sum(1 for key in keys if key in _TYPED or key.split()[0] in _SUBJECTS)
    return 0.65 if known and len(keys) * 10 >= len(lines) * 8 and known * 2 >= len(keys) else 0.0


def read(document: str) -> Reading:
    """Known keys as facts; every line is also handed on as a message."""
    lines = [line.strip() for line in document.split("\n") if line.strip()][:2_000]
    facts: list[Fact] = []
    for line in lines:
        match = _LINE.match(_in_english(line))
        if match:
            key = re.sub(r"[\s_-]+", " ", match["key"].lower())
            facts += _facts(_SUBJECT_PREFIX.sub("", key), key, match["value"].strip())
    return Reading(tuple(facts), tuple(lines))


def _in_english(line: str) -> str:
    """A line whose Chinese key is known with the English one; any other Chinese key makes it a note."""
    found = _CHINESE_LINE.match(line)
    return f"{_CHINESE.get(found['key'], 'note')}: {line[found.end() :]}" if found else line


def _facts(key: str, whole_key: str, value: str) -> Iterator[Fact]:
    if key == "context":
        words = tuple(word for word in re.split(r"[,;\s]+", value.lower()) if re.fullmatch(r"\w{1,30}", word))
        yield Fact("crash.context", words)
    elif (key == "reason" and value in TELLING) or (key == "status" and value in TELLING):
        yield Fact("crash.reason", value)
    elif key in ("status", "container state") and value.lower() in ("created", "exited", "dead", "running"):
        yield Fact("crash.state", value.lower())
    elif key in ("exit code", "exitcode", "code", "exit") and re.fullmatch(r"-\d{1,3}", value):
        yield from typed("crash.signal", value)
    elif key in ("state", "slurm state") and value.isupper() and whole_key.startswith("slurm"):
        yield Fact("crash.slurm_state", value)
    elif (
        key in ("gpu", "gpus")
        and re.search(r"[A-Za-z]\d|[A-Za-z]{3}", value)
        and not re.fullmatch(r"\d+ ?[GMK]i?B", value)
    ):
        yield Fact("gpu.names", (re.sub(r"^\d{1,2} ?x ", "", value),))
    elif key in _TYPED:
        yield from typed(_TYPED[key], value)
    if key == "run flags":
        yield from _run_flags(value)
    if key in ("os", "platform", "host") and "wsl" in value.lower():
        yield Fact("os.is_wsl", True)


def _run_flags(flags: str) -> Iterator[Fact]:
    """What the options of a `docker run` ask for, and what they leave at its default."""
    yield Fact("crash.gpu_requested", _GPU_ASKED.search(flags) is not None)
    yield Fact("crash.pid1_init", re.search(r"(?:^|\s)--init\b", flags) is not None)
    size = _SHM.search(flags)
    if size:
        known = bytes_of(size[1])
        if known:
            yield Fact("crash.shm_size_bytes", known)
    elif "--ipc" not in flags:
        yield Fact("crash.shm_size_bytes", DEFAULT_SHM_BYTES)
    memory = re.search(r"(?:--memory|-m)[= ](\S{1,20})", flags)
    limit = bytes_of(memory[1]) if memory else None
    if limit:
        yield Fact("crash.memory_limit_bytes", limit)
