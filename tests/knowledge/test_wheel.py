"""The choice of an official build."""

from __future__ import annotations

import pytest

from derived import tables
from gpudoctor.knowledge import builds
from gpudoctor.knowledge.wheel import LINUX_ARM, WINDOWS, Gpu, Wanted, WheelChoice, best_of, choose
from gpudoctor.model.version import Version

V = Version.parse


def wanted(driver: str = "", capability: str = "", python: str = "3.12", **more: object) -> Wanted:
    gpus = (Gpu("GPU", V(capability)),) if capability else ()
    return Wanted(V(driver) if driver else None, None, gpus, V(python), **more)  # type: ignore[arg-type]


def ask(driver: str = "", capability: str = "", python: str = "3.12", **more: object) -> WheelChoice:
    return choose(wanted(driver, capability, python, **more), tables())


@pytest.mark.parametrize(
    ("driver", "capability", "python", "torch", "variant"),
    [
        ("580.95.05", "9.0", "3.12", "2.14.1", "cu132"),
        ("565.57.01", "8.6", "3.12", "2.14.1", "cu126"),
        ("535.104.05", "8.9", "3.12", "2.14.1", "cu126"),
        ("580.95.05", "7.0", "3.12", "2.14.1", "cu126"),
        ("570.124.06", "12.0", "3.12", "2.10.0", "cu128"),
        ("470.57.02", "8.0", "3.10", "2.7.1", "cu118"),
        ("535.104.05", "8.9", "3.9", "2.8.0", "cu129"),
        ("580.95.05", "9.0", "3.8", "2.4.1", "cu124"),
    ],
)
def test_best(driver: str, capability: str, python: str, torch: str, variant: str) -> None:
    best = ask(driver, capability, python).best
    assert best is not None
    assert (best.torch, best.variant) == (torch, variant)


def test_the_commands_name_partners_and_index() -> None:
    best = ask("535.104.05", "8.9", "3.12", torch="2.8").best
    assert best is not None
    url = "https://download.pytorch.org/whl/cu129"
    assert best.pip_command == f"pip install torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0 --index-url {url}"
    assert best.uv_command.startswith("uv pip install torch==2.8.0 torchvision==0.23.0 torchaudio==2.8.0")


def test_nothing_serves_and_every_reason_is_given() -> None:
    choice = ask("535.104.05", "12.0", "3.13", torch="2.14")
    assert choice.best is None
    reasons = {(one.torch, one.variant): one.reason for one in choice.rejected}
    assert "needs driver 580.65.06" in reasons["2.14.1", "cu130"]
    assert "no kernels for GPU" in reasons["2.14.1", "cu126"]


def test_a_build_of_doubtful_existence_is_never_best() -> None:
    choice = ask("580.95.05", "9.0", torch="2.13", variant="cu129")
    assert choice.best is None
    assert "not certain" in choice.rejected[0].reason


def test_an_unconfirmed_kernel_list_is_taken_only_for_want_of_better() -> None:
    asked = ask("580.95.05", "9.0", torch="2.15").best
    assert asked is not None
    assert asked.doubt
    assert asked.variant == "cu132"
    free = ask("580.95.05", "9.0")
    assert free.best is not None
    assert not free.best.doubt
    assert any(one.torch == "2.15.0" and "not confirmed" in one.reason for one in free.rejected)


def test_platforms() -> None:
    arm = ask("580.95.05", "12.1", platform=LINUX_ARM).best
    assert arm is not None
    assert arm.variant == "cu132"
    assert ask("580.95.05", "7.5", platform=LINUX_ARM).best is None
    windows = ask("577.00", "8.6", platform=WINDOWS).best
    assert windows is not None
    assert windows.variant == "cu126"


def test_an_old_c_library_rules_new_wheels_out() -> None:
    best = ask("580.95.05", "9.0", "3.11", glibc=V("2.17")).best
    assert best is not None
    assert best.torch == "2.6.0"


@pytest.mark.parametrize(
    ("torch", "variant", "verdict"),
    [
        ("2.8.0", "cu121", builds.IMPOSSIBLE),
        ("2.7.0", "cu121", builds.IMPOSSIBLE),
        ("2.7.0", "cu118", builds.OFFICIAL),
        ("2.6.0", "cu124", builds.OFFICIAL),
        ("2.9.1", "cu129", builds.UNKNOWN),
        ("2.15.0", "cu132", builds.OFFICIAL),
        ("2.15.0", "cu134", builds.UNKNOWN),
        ("2.99.0", "cu140", builds.UNKNOWN),
        ("2.9.0.dev20250901", "cu121", builds.UNKNOWN),
        ("2.8.0", "cpu", builds.OFFICIAL),
    ],
)
def test_official_pairs(torch: str, variant: str, verdict: str) -> None:
    assert builds.official(V(torch), variant, tables()) == verdict


def test_the_builds_of_others_are_not_judged() -> None:
    assert not builds.is_plain(V("2.1.0a0+29c30b1"))
    assert not builds.is_plain(V("2.6.0+nv25.1"))
    assert builds.is_plain(V("2.8.0+cu128"))
    assert builds.variant_of(V("2.8.0"), V("12.8")) == "cu128"
    assert builds.variant_of(V("2.8.0+cpu"), None) == "cpu"


def by_hand(driver: str, capability: str, python: str, torch: str) -> tuple[str, str] | None:
    """The definition of best, written out a second time and with nothing of what chooses it: newest release, then
    highest CUDA, among builds that surely exist; confirmed kernel lists before others."""
    floors = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
    oldest = {"10.2": "440.33", "11.0": "450.51.05"}
    releases = {str(row["torch"]): row for row in tables()["torch_releases"].rows}
    found = []
    for row in tables()["torch_variants"].rows:
        release, cuda = releases.get(str(row["torch"])), row["cuda"]
        if release is None or not isinstance(cuda, Version) or not builds.exists(row):
            continue
        if torch and str(row["torch"]).split(".")[: len(torch.split("."))] != torch.split("."):
            continue
        if python not in [str(item) for item in release["python"]]:  # type: ignore[union-attr]
            continue
        floor = oldest.get(str(cuda)) or floors.get(cuda.major)
        if floor is None or V(driver) < V(floor):
            continue
        major, minor = (int(part) for part in capability.split("."))
        compiled = row["sm_x86_64"]
        if not isinstance(compiled, tuple) or not any(c.major == major and c.minor <= minor for c in compiled):
            continue
        found.append((row.confidence == "high", V(str(row["torch"])), cuda, str(row["variant"])))
    if not found:
        return None
    _, release_number, _, variant = max(found)
    return str(release_number), variant


DRIVERS = ("440.33.01", "470.57.02", "525.60.12", "525.60.13", "580.65.05", "580.65.06")


@pytest.mark.parametrize("driver", DRIVERS)
def test_best_is_what_its_definition_says(driver: str) -> None:
    capabilities = ("3.7", "6.1", "7.0", "8.9", "9.0", "10.3", "12.0")
    for capability in capabilities:
        for python in ("3.8", "3.10", "3.13", "3.15", "3.16"):
            for torch in ("", "1.13", "2.8", "2.15", "3"):
                choice = ask(driver, capability, python, torch=torch)
                asked = f"{driver}, {capability}, Python {python}, torch {torch}"
                assert choice.best == best_of(wanted(driver, capability, python, torch=torch), tables()), asked
                best = (choice.best.torch, choice.best.variant) if choice.best else None
                assert best == by_hand(driver, capability, python, torch), asked
                if best is None:
                    assert all(one.reason for one in choice.rejected), asked
                    assert bool(choice.rejected) is (torch != "3"), asked
