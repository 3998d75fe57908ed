"""The question behind `gpudoctor wheel`: what was given and what was found here; and pairs that were never published.

Whoever gives a driver or a platform asks about another machine; from this one only what was not given is taken, and
what describes it as a whole (its C library, the CUDA version that it was seen to start with) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gpudoctor.knowledge import builds, rows, wheel
from gpudoctor.knowledge.derive.wheel_choice import gpus_of, platform_of
from gpudoctor.knowledge.gpu_names import capability_of, model_of
from gpudoctor.knowledge.tables import Tables
from gpudoctor.model.errors import UsageError
from gpudoctor.model.fact import Facts, Unknown
from gpudoctor.model.record import field, record, replace
from gpudoctor.model.version import Version

WSL = "wsl"
PLATFORMS = {"linux-x86_64": wheel.LINUX, "linux-aarch64": wheel.LINUX_ARM, "windows": wheel.WINDOWS, WSL: wheel.LINUX}
GIVEN, FOUND, OPEN = "given", "found here", "not known"
CAPABILITY = re.compile(r"(?:sm_)?(?P<major>\d{1,2})(?:(?<=sm_\d)|(?<=sm_\d\d)|\.)(?P<minor>\d)")


@record
class Given:
    """What was asked for by hand; None or empty where nothing was. `platform` is a key of PLATFORMS."""

    driver: Version | None = None
    gpus: tuple[wheel.Gpu, ...] = ()
    python: Version | None = None
    glibc: Version | None = None
    torch: str = ""
    variant: str = ""
    platform: str = ""

    @property
    def tells_all(self) -> bool:
        """Whether this machine need not be looked at."""
        return self.driver is not None and bool(self.gpus) and self.python is not None


@record
class Question:
    """The question in full. `sources` says for driver, gpus, python and platform where each is from; `has_torch`
    that the Python of this machine holds a torch already; `remark` is what to know before reading the answer."""

    wanted: wheel.Wanted
    sources: Mapping[str, str] = field(default_factory=dict)
    has_torch: bool = False
    remark: str = ""


@record
class Pair:
    """A release and a variant that were asked for together. `verdict` is official, impossible or unknown; `published`
    are the variants of the release, `releases` those that have the variant, newest first."""

    torch: str
    variant: str
    verdict: str
    published: tuple[str, ...]
    releases: tuple[str, ...]
    nearest: tuple[wheel.Wheel, ...] = ()


def question(given: Given, facts: Facts | None, tables: Tables) -> Question:
    """Put together what was given and what was found; `facts` is None where nothing was looked at."""
    elsewhere = given.driver is not None or bool(given.platform)
    seen = facts if facts is not None else Facts([])
    driver, driver_cuda = given.driver, None
    if driver is None and not given.platform:
        driver = seen.version("driver.version")
        started = seen.version("cuda.driver_api_version") if seen.flag("cuda.seen_working") else None
        driver_cuda = started if driver is not None else seen.version("driver.cuda_version")
    found = gpus_of(seen, tables) if not given.gpus and not given.platform else ()
    gpus = given.gpus or (() if isinstance(found, Unknown) else found)
    wanted = wheel.Wanted(
        driver=driver,
        driver_cuda=driver_cuda,
        gpus=gpus,
        python=given.python or seen.version("python.version"),
        glibc=given.glibc or (None if elsewhere else seen.version("glibc.version")),
        torch=given.torch,
        variant=given.variant,
        platform=PLATFORMS[given.platform] if given.platform else platform_of(seen),
        windows_driver=given.platform == WSL or seen.flag("machine.has_windows_driver") is True,
    )
    sources = {
        "driver": _source(given.driver, driver or driver_cuda),
        "gpus": _source(given.gpus, gpus),
        "python": _source(given.python, wanted.python),
        "platform": _source(given.platform, facts is not None),
    }
    has_torch = given.python is None and seen.flag("torch.installed") is True
    return _settled(Question(wanted, sources, has_torch), given, seen)


def _source(given: object, known: object) -> str:
    return GIVEN if given else FOUND if known else OPEN


def _settled(asked: Question, given: Given, seen: Facts) -> Question:
    """Without any driver or GPU there is only the CPU build to recommend; a Jetson board needs other builds."""
    wanted = asked.wanted
    if not (given.driver or given.gpus or given.platform) and seen.flag("machine.is_jetson") is True:
        return replace(
            asked,
            remark="This is a Jetson board: it needs the builds that NVIDIA makes for its own Linux release; "
            "the ones below hold no code for its GPU.",
        )
    nothing = not (wanted.driver or wanted.driver_cuda or wanted.gpus)
    if nothing and not wanted.variant and not given.platform:
        return replace(
            asked,
            wanted=replace(wanted, variant=wheel.CPU),
            remark="No NVIDIA driver or GPU is seen here, so this is the build without CUDA. "
            "For another machine give --driver and --gpu.",
        )
    return asked


def gpu_named(text: str, tables: Tables) -> wheel.Gpu:
    """The GPU of a name (`RTX 4090`) or of a compute capability (`8.9`, `sm_89`); UsageError with the nearest names."""
    name = text.strip()
    digits = CAPABILITY.fullmatch(name)
    if digits:
        return wheel.Gpu(name, Version.parse(f"{digits['major']}.{digits['minor']}"))
    spellings = [name, f"RTX {name}", f"GTX {name}"] if name[:1].isdigit() else [name]
    capability = next((found for one in spellings if (found := capability_of(one, tables))), None)
    capability = capability or _by_the_first_words(name, tables)
    if capability is None:
        import difflib

        names = {rows.text(row, "name").lower(): rows.text(row, "name") for row in tables["gpus"].rows}
        near = [names[name] for name in difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)]
        hint = f" Nearest: {', '.join(near)}." if near else ""
        raise UsageError(f"No GPU is known as {name[:60]!r}.{hint} Its compute capability serves as well: --gpu 8.9.")
    return wheel.Gpu(name, capability)


def _by_the_first_words(name: str, tables: Tables) -> Version | None:
    """What people write: `v100`, `rtx 4090`; None unless all models that begin so are of one capability."""
    words = model_of(name).lower().split()
    found = {
        rows.version(row, "capability")
        for row in tables["gpus"].rows
        if words and model_of(rows.text(row, "name")).lower().split()[: len(words)] == words
    }
    return found.pop() if len(found) == 1 else None


def variant_named(text: str) -> str:
    """`cu121` for 12.1, cu121 or 121, `cpu` for cpu or none; UsageError for anything else."""
    plain = text.strip().lower().removeprefix("cuda").removeprefix("cu").strip()
    if plain in (wheel.CPU, "none"):
        return wheel.CPU
    if plain.isdigit() and len(plain) == 3:
        return f"cu{plain}"
    try:
        return builds.variant_name(Version.parse(plain))
    except ValueError:
        raise UsageError(f"--cuda takes a CUDA version such as 12.8, or cpu, not {text[:40]!r}.") from None


def pair_of(wanted: wheel.Wanted, tables: Tables) -> Pair | None:
    """What is known of a release and a variant that were asked for together, and what comes nearest on this machine."""
    if not wanted.torch or not wanted.variant or wanted.variant == wheel.CPU:
        return None
    releases = [
        found
        for row in tables["torch_releases"].rows
        if (found := rows.version(row, "torch")) and wheel.begins(found, wanted.torch)
    ]
    verdicts = {builds.official(release, wanted.variant, tables) for release in releases} or {builds.UNKNOWN}
    order = (builds.OFFICIAL, builds.UNKNOWN, builds.IMPOSSIBLE)
    existing = [row for row in tables["torch_variants"].rows if builds.exists(row)]
    published = [row for row in existing if rows.version(row, "torch") in releases]
    having = [row for row in existing if rows.text(row, "variant") == wanted.variant]
    verdict = next(item for item in order if item in verdicts)
    return Pair(
        torch=wanted.torch,
        variant=wanted.variant,
        verdict=verdict,
        published=tuple(dict.fromkeys(rows.text(row, "variant") for row in published)),
        releases=tuple(str(rows.version(row, "torch")) for row in reversed(having)),
        nearest=() if verdict == builds.OFFICIAL else _nearest(wanted, tables),
    )


def _nearest(wanted: wheel.Wanted, tables: Tables) -> tuple[wheel.Wheel, ...]:
    """The same release in another variant, then the newest release in this variant; without what the machine refuses,
    unless it refuses all."""
    free = wheel.Wanted(platform=wanted.platform)
    for machine in (wanted, free):
        same_release = wheel.choose(replace(machine, torch=wanted.torch, variant=""), tables)
        same_variant = wheel.choose(replace(machine, torch="", variant=wanted.variant), tables)
        found = [choice.best for choice in (same_release, same_variant) if choice.best is not None]
        if found:
            return tuple(found)
    return ()
