"""Diagnoses and explanations that use every field, for the tests of the reports."""

from __future__ import annotations

from gpudoctor.model.cause import Actor, Cause, Reference, Remedy
from gpudoctor.model.diagnosis import Diagnosis, Health, RulesInfo, Target
from gpudoctor.model.evidence import Evidence
from gpudoctor.model.exit_status import Candidate, ExitMeaning, ExitStatus
from gpudoctor.model.explanation import Explained, Explanation, Likelihood, RuledOut, Verdict
from gpudoctor.model.fact import Fact, Facts, FactSpec, FactType, Reason, Unknown
from gpudoctor.model.finding import ChainAnswer, Finding, Kind
from gpudoctor.model.rule import Confidence, Severity
from gpudoctor.model.run import Run
from gpudoctor.model.version import Version

INSTALL = (
    "pip install --force-reinstall torch==2.7.1 torchvision==0.22.1 torchaudio==2.7.1 "
    "--index-url https://download.pytorch.org/whl/cu118"
)
REFERENCE = Reference("https://docs.nvidia.com/deploy/cuda-compatibility/", "2026-11-20", "CUDA compatibility")

SPECS = {
    spec.key: spec
    for spec in (
        FactSpec("os.name", FactType.TEXT, "The system's name."),
        FactSpec("kernel.release", FactType.TEXT, "The kernel's release."),
        FactSpec("python.version", FactType.VERSION, "The interpreter's version."),
        FactSpec("python.prefix", FactType.TEXT, "Where the environment lies.", private=True),
        FactSpec("driver.version", FactType.VERSION, "The driver's version."),
        FactSpec("driver.cuda_version", FactType.VERSION, "The newest CUDA that the driver runs."),
        FactSpec("torch.version", FactType.VERSION, "torch's version."),
        FactSpec("torch.cuda_version", FactType.VERSION, "The CUDA that torch was built for."),
        FactSpec("torch.cuda_available", FactType.BOOLEAN, "What torch says."),
        FactSpec("torch.arch_list", FactType.TEXT_LIST, "The architectures in the build."),
        FactSpec("gpu.count", FactType.INTEGER, "How many GPUs."),
        FactSpec("gpu.names", FactType.TEXT_LIST, "Their names.", per_device=True),
        FactSpec("gpu.uuids", FactType.TEXT_LIST, "Their ids.", private=True, per_device=True),
        FactSpec("gpu.compute_capabilities", FactType.VERSION_LIST, "Their architectures.", per_device=True),
        FactSpec("gpu.memory_total_bytes", FactType.INTEGER_LIST, "Their memory.", "bytes", per_device=True),
        FactSpec("gpu.temperatures_celsius", FactType.NUMBER_LIST, "How warm they are.", "celsius", per_device=True),
        FactSpec("network.host_name", FactType.TEXT, "This machine's name.", private=True),
        FactSpec("user.name", FactType.TEXT, "Who runs this.", private=True),
        FactSpec("cpu.load", FactType.NUMBER, "The load."),
        FactSpec("env.ld_library_path", FactType.TEXT, "LD_LIBRARY_PATH."),
    )
}
UUIDS = ("GPU-1f0e3dad-9990-1234-8345-f7ffedabc001", "GPU-1f0e3dad-9990-1234-8345-f7ffedabc002")


def facts(**changed: object) -> Facts:
    """The facts of a machine with an old driver; underscores in `changed` stand for the first dot."""
    values: dict[str, object] = {
        "os.name": "Debian GNU/Linux 12 (bookworm)",
        "kernel.release": "6.1.0-25-amd64",
        "python.version": Version.parse("3.11.2"),
        "python.prefix": "/home/ada/venv",
        "driver.version": Version.parse("470.57.02"),
        "driver.cuda_version": Version.parse("11.4"),
        "torch.version": Version.parse("2.7.1+cu128"),
        "torch.cuda_version": Version.parse("12.8"),
        "torch.cuda_available": False,
        "torch.arch_list": ("sm_80", "sm_90", "compute_90"),
        "gpu.count": 2,
        "gpu.names": ("NVIDIA H100 80GB HBM3", Unknown(Reason.CRASHED, "GPU is lost")),
        "gpu.uuids": UUIDS,
        "gpu.compute_capabilities": (Version.parse("9.0"), Unknown(Reason.CRASHED, "GPU is lost")),
        "gpu.memory_total_bytes": (85899345920, 85899345920),
        "gpu.temperatures_celsius": (41.5, float("nan")),
        "network.host_name": "kepler-07",
        "user.name": "ada",
        "cpu.load": float("inf"),
        "env.ld_library_path": "/usr/local/cuda/compat:/home/ada/lib",
        "cudnn.version": Unknown(Reason.NOT_REQUESTED, "the convolution was not run"),
    }
    for name, value in changed.items():
        values[name.replace("_", ".", 1)] = value
    return Facts(Fact(key, value) for key, value in values.items())  # type: ignore[arg-type]


def finding(check: str = "driver-older-than-cuda", **changed: object) -> Finding:
    """A failed check of the highest severity, or whatever `changed` makes of it."""
    fields: dict[str, object] = {
        "check": check,
        "cause": "driver.too_old_for_cuda",
        "kind": Kind.FAIL,
        "severity": Severity.ERROR,
        "confidence": Confidence.HIGH,
        "title": "Host driver older than the CUDA build needs",
        "message": "CUDA will not start: driver 470.57.02 is older than 525.60.13, the oldest that CUDA 12.8 runs on.",
        "evidence": (
            Evidence("driver.version", "470.57.02"),
            Evidence("torch.cuda_warning", "first line\nsecond   line of /home/ada/train.py", 0),
        ),
        "remedies": (
            Remedy(
                Actor.IMAGE,
                "Install a torch build for CUDA 11.8, which this driver can run.",
                INSTALL,
                "python -c 'import torch; print(torch.cuda.is_available())'",
            ),
            Remedy(Actor.HOST, "Or update the host driver to 525.60.13 or newer."),
        ),
        "references": (REFERENCE,),
    }
    fields.update(changed)
    return Finding(**fields)  # type: ignore[arg-type]


def explained(**changed: object) -> Explained:
    """An explanation of 139 with every field in use."""
    fields: dict[str, object] = {
        "status": ExitStatus("-11", 139, "SIGSEGV", True, "", "python"),
        "meaning": MEANING,
        "verdict": Verdict.EXPLAINED,
        "explanations": (
            Explanation(
                cause="process.native_crash",
                title="Native code touched memory that is not its own",
                likelihood=Likelihood.CONFIRMED,
                score=0.93,
                summary="The last stack names the library.",
                looks_like="A line 'Fatal Python error: Segmentation fault'.",
                decide="The stack of the crash.",
                command="python -X faulthandler train.py",
                evidence=(Evidence("train.log", "Fatal Python error: Segmentation fault", 812),),
                remedies=(Remedy(Actor.COMMAND_LINE, "Run it with a stack.", "python -X faulthandler train.py"),),
                references=(REFERENCE,),
            ),
            Explanation("memory.stack_limit", "The stack limit was hit", Likelihood.POSSIBLE, 0.1),
        ),
        "ruled_out": (
            RuledOut(
                "memory.cgroup_oom", "Out of memory", "no kill was counted", (Evidence("memory.events", "oom 0"),)
            ),
        ),
        "unused": ("notes.txt: 3 lines",),
        "looked_at": ("train.log", "cgroup counters"),
        "bring": ("the kernel log of the host",),
    }
    fields.update(changed)
    return Explained(**fields)  # type: ignore[arg-type]


MEANING = ExitMeaning(
    id="sigsegv",
    title="Segmentation fault",
    meaning="The kernel stopped the process because it touched memory that is not its own.",
    codes=(139,),
    signals=("SIGSEGV",),
    candidates=(
        Candidate("process.native_crash", "A stack of C++ frames.", "The stack.", "python -X faulthandler train.py"),
        Candidate("memory.stack_limit", "A very deep recursion.", "The limit.", "ulimit -s"),
    ),
    note="abort() in process 1 of a container shows as 139, too.",
    source="signal(7)",
    checked="2026-11-20",
)

CAUSE = Cause(
    id="process.native_crash",
    title="Native code touched memory that is not its own",
    meaning="A library crashed.\n\nIt is seldom your Python code.",
    remedies=(Remedy(Actor.COMMAND_LINE, "Run it with a stack.", "python -X faulthandler train.py"),),
    shows="A log that stops in the middle.",
    references=(REFERENCE,),
    explains=("distributed.peer_lost",),
)


def diagnosis(**changed: object) -> Diagnosis:
    """A broken machine with a finding of every kind."""
    fields: dict[str, object] = {
        "health": Health.BROKEN,
        "primary": "driver.too_old_for_cuda",
        "target": Target("live", "/home/ada/venv/bin/python", "the active virtual environment"),
        "rules": RulesInfo("9f8e7d6c5b4a39281706", 412, "2026-11-20"),
        "facts": facts(),
        "findings": (
            finding(),
            finding("shm-too-small", cause="memory.shm_too_small", severity=Severity.WARNING, title="Small /dev/shm"),
            finding(
                "cuda-not-available", cause="torch.no_cuda", explained_by="driver-older-than-cuda", title="No CUDA seen"
            ),
            finding("old-python", cause="python.old", severity=Severity.NOTE, title="Old Python", remedies=()),
            finding("gpu-lost", cause="gpu.lost", subject="gpu:1", title="A GPU was lost"),
            finding("device-nodes-missing", kind=Kind.PASS, title="No device nodes", message="", evidence=()),
            finding("cudnn-doubled", kind=Kind.UNKNOWN, title="Two cuDNNs", message="", blocked_by=("cudnn.version",)),
            finding("wsl", kind=Kind.NOT_APPLICABLE, title="WSL", message=""),
        ),
        "chains": (
            ChainAnswer(
                "cuda-available",
                "Why torch.cuda.is_available() is False",
                "driver-older-than-cuda",
                (
                    ("device-nodes-missing", Kind.PASS),
                    ("cudnn-doubled", Kind.UNKNOWN),
                    ("driver-older-than-cuda", Kind.FAIL),
                    ("wsl", Kind.NOT_APPLICABLE),
                ),
            ),
        ),
        "explanations": (explained(),),
        "runs": (
            Run("collect", "completed", 0.25),
            Run("libcuda", "timed_out", 5.0, "no answer within 5 s", "last words", "SIGKILL"),
            Run("target", "crashed", 1.0, "", "", "SIGSEGV", 139),
        ),
    }
    fields.update(changed)
    return Diagnosis(**fields)  # type: ignore[arg-type]
