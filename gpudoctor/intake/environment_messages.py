"""Messages between the lines of an environment report: warnings, tracebacks and prints that state something."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gpudoctor.intake import environment_values as values
from gpudoctor.intake.statements import INFERRED, LISTED, MEASURED, SETTINGS, TOLD, Statements

_CUDA_WARNING = re.compile(r"(?:UserWarning: )?(?P<text>CUDA initialization: .{10,1500})")
_NOT_FOR_THIS = re.compile(
    r"(?P<text>[^\n]{3,80} with CUDA capability sm_\d{2,3} is not compatible with the current PyTorch.{0,200})"
)
_XFORMERS = re.compile(r"\bPyTorch {1,4}\S{1,40} (?:with CUDA \S{1,12} )?\(you have (?P<version>[^)\s]{1,40})\)")
_XFORMERS_PYTHON = re.compile(r"^\s*Python {1,4}\S{1,12} \(you have (?P<version>[^)\s]{1,20})\)")
_VISION = re.compile(r"PyTorch and torchvision (?:has|have|were compiled with) .{0,60}CUDA.{0,20}")
_NVRM = re.compile(r"NVRM version: (?P<text>.{10,200})")
_NVCC = re.compile(r"Cuda compilation tools, release .{0,40}")
_LDD = re.compile(r"^ldd \([^)\n]{1,80}\) (?P<version>\d\.\d{1,3})")
_UNAME = re.compile(r"^Linux \S{1,80} (?P<release>\d\.\d\S{1,80}) #\S.{0,200}? (?P<machine>x86_64|aarch64|ppc64le)\b")
_SETTING = re.compile(
    r"^\s{0,8}(?P<name>[A-Z][A-Z0-9_]{4,40})=(?P<quote>['\"]?)(?P<value>[^'\"\s][^'\"\n]{0,600}?)(?P=quote)\s*$"
)
_SETTINGS = {
    "NVIDIA_VISIBLE_DEVICES": "container.nvidia_visible_devices",
    "NVIDIA_DRIVER_CAPABILITIES": "container.nvidia_driver_capabilities",
    "NVIDIA_REQUIRE_CUDA": "container.nvidia_require_cuda",
    **{name: f"env.{name.lower()}" for name in SETTINGS},
}
_BNB_FOUND = re.compile(r"PyTorch settings found: \w{4,5}_VERSION=\S{1,8}, (?:Highest Compute Capability|ROCm)")
_BNB_NONE = re.compile(r"PyTorch says (?:CUDA|ROCm) is not available\.")
_BNB_VERSION = re.compile(r"^\s{0,8}={3,40} bitsandbytes v(?P<version>\S{1,30}) ={3,40}$")
_PRINTED = re.compile(r"\bprint\((?P<asked>torch\.[\w.()]{1,60}(?:, ?torch\.[\w.()]{1,60}){0,7})\)['\"]?;?$")
_ARCH_FLAGS = re.compile(r"NVCC architecture flags: (?P<flags>(?:-gencode;arch=\w{1,20},code=\w{1,20};?){1,40})")
_COMPILED = re.compile(r"^\s{0,60}'?\s{0,4}- (?P<what>CUDA Runtime|CuDNN) (?P<version>\d{1,2}\.\d{1,3}(?:\.\d{1,3})?)")
_TORCH_SAYS = re.compile(
    r"(?:currently installed|your|installed|have|found|using) (?:PyTorch|torch)(?: version)?:? "
    r"v?(?P<version>\d\.\d{1,2}\.\d\S{0,30})",
    re.IGNORECASE,
)
_TORCH_IS = re.compile(
    r"\b(?:version (?:of )?(?:py)?torch|(?:py)?torch version) (?:is|shows|reveals|says) "
    r"v?(?P<version>\d\.\d{1,2}\.\d\S{0,30})",
    re.IGNORECASE,
)
_NUMPY_RUNS = re.compile(r"(?:^|cannot be run in )NumPy (?P<version>\d\.\d{1,2}\.\d\S{0,10}) as it may crash")
_DRIVER_LEADS = re.compile(
    r"^\W{0,6}(?:nvidia |gpu )?driver(?: version)?\s{1,4}v?(?P<version>\d{3}\.\d{2,3}(?:\.\d{2,3})?)"
    r"\s{0,4}(?:$|[,;(.])",
    re.IGNORECASE,
)
# What is_available() gave, alone on its line but for what people put around it.
_TRUTH = re.compile(
    r"^(?:(?:it )?returns? |out(?:put)?: |# ?|-> )?[`'\"]?(?P<truth>true|false)[`'\".]?$", re.IGNORECASE
)
_OUT = re.compile(r"^Out\[\d{1,4}\]: ")
_ERROR = re.compile(r"^(?:ImportError|OSError|ModuleNotFoundError|AttributeError|RuntimeError): .{5,1500}")
_IMPORTING = re.compile(r"""File ".{0,300}[/\\]torch[/\\]__init__\.py", line \d+""")
_BEFORE = 8

Reader = Callable[[re.Match[str], Statements], object]


def read_messages(lines: Sequence[str], stated: Statements) -> set[int]:
    """State what messages tell; gives the places of the lines that were understood."""
    understood: set[int] = set()
    libraries: set[str] = set()
    for place, line in enumerate(lines):
        for word, pattern, read in _PATTERNS:
            if word in line:
                match = pattern.search(line)
                if match:
                    read(match, stated)
                    understood.add(place)
        if line.startswith(("ImportError", "OSError", "AttributeError", "RuntimeError", "ModuleNotFoundError")):
            _import_error(lines, place, stated)
        version = values.cudnn_path(line) if "libcudnn.so" in line else ""
        if version:
            libraries.add(version)
            understood.add(place)
        truth = _TRUTH.match(line.strip()) if len(line) < 40 else None
        if truth and _answers_torch(lines, place):
            is_bare = line.strip("` \t") in ("True", "False")
            stated.add("torch.cuda_available", truth["truth"].lower() == "true", MEASURED if is_bare else TOLD)
            understood.add(place)
    if len(libraries) == 1:  # of several nobody can tell which one torch loads
        stated.say("cudnn.version", libraries.pop(), LISTED)
    return understood


def answers(lines: Sequence[str]) -> list[tuple[int, str]]:
    """What a prompt or `python -c` was asked and what came on the next line, as `label: value` with its place.

    `>>> torch.__version__` and `print(torch.__version__, torch.version.cuda)` are answered below themselves.
    """
    found = []
    for place, line in enumerate(lines):
        if "torch." not in line and "__version__" not in line:
            continue
        below = next((text.strip() for text in lines[place + 1 : place + 3] if text.strip()), "")
        asked = _PRINTED.search(line.strip().rstrip("'\""))
        typed = re.match(r"(?:>>>|In \[\d{1,4}\]:)\s{1,4}(?P<label>\w{1,20}\.[\w.]{1,40}(?:\(\d?\))?)$", line.strip())
        if typed and not below.startswith((">>>", "In [", "Traceback")):
            found.append((place, typed["label"] + ": " + _OUT.sub("", below)))
        elif asked:
            labels, values_below = re.split(r", ?", asked["asked"]), below.split()
            if len(labels) == len(values_below):
                found += [(place, f"{label}: {value}") for label, value in zip(labels, values_below)]
    return found


def _import_error(lines: Sequence[str], place: int, stated: Statements) -> None:
    """The error that an import of torch itself ended with: torch's own file must be the last but one frame or so."""
    before = "\n".join(lines[max(0, place - _BEFORE) : place])
    if _ERROR.match(lines[place]) and _IMPORTING.search(before) and "_lazy_init" not in before:
        stated.say("torch.import_error", lines[place], MEASURED)
        stated.add("torch.import_outcome", "import_error", MEASURED)
        stated.add("torch.installed", True, INFERRED)


def _answers_torch(lines: Sequence[str], place: int) -> bool:
    """Whether a bare True or False is what `torch.cuda.is_available()` printed: asked or warned of just before."""
    before = [line for line in lines[max(0, place - 4) : place] if line.strip()][-2:]
    return any("torch.cuda.is_available()" in line or "_cuda_getDeviceCount() > 0" in line for line in before)


def _warning(match: re.Match[str], stated: Statements) -> None:
    stated.say("torch.cuda_warning", match["text"].strip(), MEASURED)
    stated.add("torch.import_outcome", "imported", INFERRED)
    stated.add("torch.installed", True, INFERRED)
    # Only a build with CUDA tries to start it.
    stated.add("torch.build", "cuda", TOLD)
    found = re.search(r"found version (\d{4,5})\)", match["text"])
    if found:
        number = int(found[1])
        stated.say("driver.cuda_version", f"{number // 1000}.{number % 1000 // 10}", MEASURED)


def _setting(match: re.Match[str], stated: Statements) -> None:
    if match["name"] in _SETTINGS:
        stated.say(_SETTINGS[match["name"]], match["value"].strip(), LISTED)


def _arch_flags(match: re.Match[str], stated: Statements) -> None:
    codes = tuple(dict.fromkeys(re.findall(r"code=(\w{1,20})", match["flags"])))
    stated.add("torch.arch_list", codes, LISTED)


def _compiled(match: re.Match[str], stated: Statements) -> None:
    if match["what"] == "CuDNN":
        stated.say("cudnn.version", match["version"], TOLD)
    else:
        values.built_cuda(stated, match["version"], LISTED)


def _uname(match: re.Match[str], stated: Statements) -> None:
    stated.say("kernel.release", match["release"], LISTED)
    stated.say("kernel.machine", match["machine"], LISTED)
    if "microsoft" in match["release"].lower():
        stated.add("os.is_wsl", True, LISTED)


_PATTERNS: tuple[tuple[str, re.Pattern[str], Reader], ...] = (
    ("CUDA initialization: ", _CUDA_WARNING, _warning),
    ("is not compatible with the current PyTorch", _NOT_FOR_THIS, lambda m, s: s.say("torch.cuda_warning", m["text"])),
    ("(you have ", _XFORMERS, lambda m, s: values.torch_version(s, m["version"], MEASURED)),
    ("(you have ", _XFORMERS_PYTHON, lambda m, s: values.python(s, m["version"], MEASURED)),
    ("NVRM version: ", _NVRM, lambda m, s: values.kernel_module(s, m["text"], MEASURED)),
    ("Cuda compilation tools", _NVCC, lambda m, s: values.nvcc(s, m[0], MEASURED)),
    ("ldd (", _LDD, lambda m, s: s.say("glibc.version", m["version"], LISTED)),
    ("Linux ", _UNAME, _uname),
    ("=", _SETTING, _setting),
    ("PyTorch settings found", _BNB_FOUND, lambda m, s: s.add("torch.cuda_available", True, INFERRED)),
    ("PyTorch says ", _BNB_NONE, lambda m, s: s.add("torch.cuda_available", False, MEASURED)),
    ("bitsandbytes v", _BNB_VERSION, lambda m, s: s.say("bitsandbytes.version", m["version"], MEASURED)),
    ("NVCC architecture flags", _ARCH_FLAGS, _arch_flags),
    ("- C", _COMPILED, _compiled),
    ("orch", _TORCH_IS, lambda m, s: values.torch_version(s, m["version"].rstrip(".,;)"), TOLD)),
    ("as it may crash", _NUMPY_RUNS, lambda m, s: s.say("numpy.version", m["version"], MEASURED)),
    ("river", _DRIVER_LEADS, lambda m, s: s.say("driver.version", m["version"], TOLD)),
    ("orch", _TORCH_SAYS, lambda m, s: values.torch_version(s, m["version"].rstrip(".,;)"), TOLD)),
)
