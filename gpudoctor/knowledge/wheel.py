"""Which official build of PyTorch to install on a given machine, and why not each of the others.

Best is the newest release within what was asked, in its highest CUDA variant that the driver serves by its
minor-version floor, that holds kernels for every GPU and has a wheel for the Python, the C library and the platform.
Builds of doubtful existence are never chosen; one whose kernel list is unconfirmed only where nothing better is left.
"""

from __future__ import annotations

from gpudoctor.knowledge import builds, floors, kernels, partners, rows
from gpudoctor.model.record import record
from gpudoctor.model.truth import Truth, any_of
from gpudoctor.model.version import Version

TYPE_CHECKING = False  # as in typing; see model.record
if TYPE_CHECKING:
    from gpudoctor.knowledge.tables import Row, Tables

LINUX = "linux_x86_64"
LINUX_ARM = "linux_aarch64"
WINDOWS = "windows"
CPU = "cpu"
INDEX = "https://download.pytorch.org/whl/"
MOST_ALTERNATIVES = 8
# pip keeps an installed build whose version differs only in its label, so the old one has to go first.
REMOVE_FIRST = "pip uninstall -y torch torchvision torchaudio && "


@record
class Gpu:
    """One GPU to serve: its name for messages and its compute capability."""

    name: str
    capability: Version


@record
class Wanted:
    """The machine and the wish. None or empty means no constraint. `torch` is a release or its beginning (`2.8`),
    `variant` an index name (`cu126`), or `cpu` for the build without CUDA. `driver_cuda` is the CUDA version that the
    driver was seen to start with; `windows_driver` says that the driver's number is a Windows one, as under WSL."""

    driver: Version | None = None
    driver_cuda: Version | None = None
    gpus: tuple[Gpu, ...] = ()
    python: Version | None = None
    glibc: Version | None = None
    torch: str = ""
    variant: str = ""
    platform: str = LINUX
    windows_driver: bool = False


@record
class Wheel:
    """One official build with its partners. `doubt` is empty, or says what is not confirmed about it; `cuda` is empty
    for a CPU build, and `min_driver` where the build needs none or its floor is not known; `left_out` says why a
    partner is missing."""

    torch: str
    variant: str
    cuda: str
    torchvision: str = ""
    torchaudio: str = ""
    doubt: str = ""
    min_driver: str = ""
    left_out: str = ""

    @property
    def index_url(self) -> str:
        """The package index that serves this variant."""
        return INDEX + self.variant

    @property
    def requirements(self) -> tuple[str, ...]:
        """The pinned packages, torch first."""
        pins = (("torch", self.torch), ("torchvision", self.torchvision), ("torchaudio", self.torchaudio))
        return tuple(f"{name}=={version}" for name, version in pins if version)

    @property
    def pip_command(self) -> str:
        """The install line for pip."""
        return f"pip install {' '.join(self.requirements)} --index-url {self.index_url}"

    @property
    def uv_command(self) -> str:
        """The install line for uv; packages are named for reinstallation, since uv keeps a build of equal version."""
        again = " ".join(f"--reinstall-package {name.split('==')[0]}" for name in self.requirements)
        return f"uv pip install {' '.join(self.requirements)} --index-url {self.index_url} {again}"


@record
class Rejected:
    """A build that does not serve, and the first reason that speaks against it."""

    torch: str
    variant: str
    reason: str


@record
class WheelChoice:
    """The answer. `best` is None where nothing serves; `rejected` then holds every reason."""

    best: Wheel | None
    alternatives: tuple[Wheel, ...]
    rejected: tuple[Rejected, ...]


def choose(wanted: Wanted, tables: Tables) -> WheelChoice:
    """Judge every official build and pick the best."""
    accepted: list[Wheel] = []
    rejected: list[Rejected] = []
    for build in _candidates(wanted, tables):
        reason = _reason_against(build, wanted, tables)
        if reason:
            rejected.append(Rejected(str(build.torch), build.variant, reason))
        else:
            accepted.append(_wheel(build, wanted, tables))
    if wanted.variant == CPU:
        accepted, rejected = _cpu_builds(wanted, tables)
    sure = [wheel for wheel in accepted if not wheel.doubt]
    ordered = sure or accepted
    if sure:
        rejected += [Rejected(wheel.torch, wheel.variant, wheel.doubt) for wheel in accepted if wheel.doubt]
    best = ordered[0] if ordered else None
    return WheelChoice(best, tuple(ordered[1 : 1 + MOST_ALTERNATIVES]), tuple(rejected))


@record
class _Build:
    """A row of the builds, with what everybody asks of it and the row of its release."""

    torch: Version
    cuda: Version
    variant: str
    row: Row
    release: Row


def best_of(wanted: Wanted, tables: Tables) -> Wheel | None:
    """The best build with CUDA, as `choose` picks it, without judging those that come behind it."""
    doubtful = None
    for build in _candidates(wanted, tables):
        if not _reason_against(build, wanted, tables):
            wheel = _wheel(build, wanted, tables)
            if not wheel.doubt:
                return wheel
            doubtful = doubtful or wheel
    return doubtful


def _builds(tables: Tables) -> list[_Build]:
    """All builds with CUDA, newest release and highest CUDA first."""
    releases = tables.once(builds.releases)
    found = [
        _Build(torch, cuda, rows.text(row, "variant"), row, releases[torch])
        for torch, of_it in tables.once(builds.variants).items()
        if torch in releases
        for row in of_it
        if (cuda := rows.version(row, "cuda")) is not None
    ]
    return sorted(found, key=lambda build: (build.torch, build.cuda), reverse=True)


def _candidates(wanted: Wanted, tables: Tables) -> list[_Build]:
    found = tables.once(_builds)
    if wanted.torch:
        wished = _numbers_of(wanted.torch)
        found = [build for build in found if wished and build.torch.numbers[: len(wished)] == wished]
    return [build for build in found if build.variant == wanted.variant] if wanted.variant else found


def _cpu_builds(wanted: Wanted, tables: Tables) -> tuple[list[Wheel], list[Rejected]]:
    """Every release has a build without CUDA, for every platform; driver and GPUs have no say in it."""
    accepted, rejected = [], []
    for torch, row in sorted(tables.once(builds.releases).items(), key=lambda pair: pair[0], reverse=True):
        if wanted.torch and not begins(torch, wanted.torch):
            continue
        reason = _against_python(row, wanted)
        if reason:
            rejected.append(Rejected(str(torch), CPU, reason))
        else:
            vision, audio, left_out = partners.partners_of(row, wanted.python, tables)
            accepted.append(Wheel(str(torch), CPU, "", vision, audio, left_out=left_out))
    return accepted, rejected


def begins(torch: Version, wish: str) -> bool:
    """Whether a release is the wished one, or one of the wished beginning: `2.8` fits 2.8.0."""
    numbers = _numbers_of(wish)
    return bool(numbers) and torch.numbers[: len(numbers)] == numbers


def _numbers_of(wish: str) -> tuple[int, ...]:
    try:
        return Version.parse(wish).numbers
    except ValueError:
        return ()


def _wheel(build: _Build, wanted: Wanted, tables: Tables) -> Wheel:
    floor = floors.floor_of(build.cuda, tables, _is_windows_driver(wanted))
    torchvision, torchaudio, left_out = partners.partners_of(build.release, wanted.python, tables)
    return Wheel(
        torch=str(build.torch),
        variant=build.variant,
        cuda=str(build.cuda),
        torchvision=torchvision,
        torchaudio=torchaudio,
        doubt="" if build.row.confidence == "high" else "the kernels of this build are not confirmed yet",
        min_driver=str(floor.oldest) if floor is not None else "",
        left_out=left_out,
    )


def _reason_against(build: _Build, wanted: Wanted, tables: Tables) -> str:
    return (
        _against_existence(build.row, wanted)
        or _against_python(build.release, wanted)
        or _against_driver(build.cuda, wanted, tables)
        or _against_gpus(build.row, wanted)
    )


def _against_existence(row: Row, wanted: Wanted) -> str:
    if not builds.exists(row):
        return "whether this build was published is not certain"
    if wanted.platform == WINDOWS and rows.flag(row, "windows") is not True:
        return "no Windows wheel of this build"
    if wanted.platform == LINUX_ARM and rows.versions(row, "sm_aarch64") is None:
        return "no Linux aarch64 wheel of this build is known"
    return ""


def _against_python(release: Row, wanted: Wanted) -> str:
    served = rows.versions(release, "python") or ()
    if wanted.python is not None and served and _minor(wanted.python) not in [_minor(item) for item in served]:
        first, last = min(served), max(served)
        return (
            f"no wheel for Python {wanted.python.major}.{wanted.python.minor}; there are wheels for {first} to {last}"
        )
    floor = rows.version(release, "glibc")
    if wanted.platform != WINDOWS and wanted.glibc is not None and floor is not None and wanted.glibc < floor:
        return f"needs glibc {floor}; this system has {wanted.glibc}"
    return ""


def _against_driver(cuda: Version, wanted: Wanted, tables: Tables) -> str:
    if wanted.driver is None and wanted.driver_cuda is None:
        return ""
    windows = _is_windows_driver(wanted)
    answers = []
    if wanted.driver is not None:
        answers.append(floors.serves(wanted.driver, cuda, tables, windows))
    if wanted.driver_cuda is not None:
        answers.append(floors.serves_by_cuda(wanted.driver_cuda, cuda))
    verdict = any_of(answers)
    if verdict is Truth.TRUE:
        return ""
    floor = floors.floor_of(cuda, tables, windows)
    if verdict is Truth.UNKNOWN or floor is None:
        return f"the oldest driver for CUDA {cuda} is not known"
    had = f"is {wanted.driver}" if wanted.driver else f"serves CUDA {wanted.driver_cuda}"
    return f"CUDA {cuda} needs driver {floor.oldest} or newer; yours {had}"


def _against_gpus(row: Row, wanted: Wanted) -> str:
    column = "sm_aarch64" if wanted.platform == LINUX_ARM else "sm_x86_64"
    compiled = rows.versions(row, column)
    first_of_each = {gpu.capability: gpu for gpu in reversed(wanted.gpus)}  # most machines have one kind of GPU
    for gpu in reversed(first_of_each.values()):
        if compiled is None:
            return "for which GPUs this build holds kernels is not known"
        if kernels.covers(kernels.machine_code(compiled), gpu.capability) is not Truth.TRUE:
            held = ", ".join(str(item) for item in compiled)
            return f"no kernels for {gpu.name} (compute capability {gpu.capability}); it holds {held}"
    return ""


def _is_windows_driver(wanted: Wanted) -> bool:
    return wanted.windows_driver or wanted.platform == WINDOWS


def _minor(version: Version) -> tuple[int, int]:
    return (version.major, version.minor)
