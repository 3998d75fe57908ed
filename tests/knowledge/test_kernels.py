"""Which code runs on which GPU, among others against PyTorch's own table."""

from __future__ import annotations

import json
import subprocess
import textwrap

import pytest

from derived import tables
from gpudoctor.knowledge import rows
from gpudoctor.knowledge.kernels import covers, machine_code, parse_target
from gpudoctor.model.truth import Truth
from gpudoctor.model.version import Version


def verdict(capability: str, *targets: str) -> Truth:
    return covers([parse_target(text) for text in targets], Version.parse(capability))


@pytest.mark.parametrize(
    ("capability", "targets"),
    [
        ("8.9", ["sm_80", "sm_86", "sm_90"]),
        ("8.6", ["sm_80"]),
        ("10.3", ["sm_100"]),
        ("12.1", ["sm_120"]),
        ("6.1", ["sm_60"]),
        ("11.0", ["sm_101"]),
        ("8.7", ["sm_87"]),
        ("12.0", ["sm_80", "compute_90"]),
        ("9.0", ["sm_90a"]),
    ],
)
def test_code_that_runs(capability: str, targets: list[str]) -> None:
    assert verdict(capability, *targets) is Truth.TRUE


@pytest.mark.parametrize(
    ("capability", "targets"),
    [
        ("8.0", ["sm_86"]),
        ("9.0", ["sm_80", "sm_86"]),
        ("12.0", ["sm_90", "sm_100"]),
        ("7.0", ["sm_75", "compute_75"]),
        ("8.7", ["sm_80", "sm_86"]),
        ("8.9", ["sm_87"]),
        ("7.2", ["sm_70"]),
        ("10.3", ["sm_100a"]),
        ("10.0", ["sm_90a", "compute_90a"]),
        ("10.1", ["sm_100"]),
    ],
)
def test_code_that_does_not_run(capability: str, targets: list[str]) -> None:
    assert verdict(capability, *targets) is Truth.FALSE


def test_what_cannot_be_told_stays_open() -> None:
    assert verdict("10.3", "sm_100f") is Truth.UNKNOWN
    assert verdict("9.0", "gfx90a") is Truth.UNKNOWN
    assert verdict("9.0") is Truth.UNKNOWN
    assert verdict("9.0", "gfx90a", "sm_90") is Truth.TRUE


def test_junk_is_no_target() -> None:
    for text in ("", "sm_", "sm_9", "90", "sm_90x", "compute_", "sm_1234"):
        assert parse_target(text) is None


@pytest.mark.torch
def test_same_verdict_as_pytorchs_own_table(torch_python: str) -> None:
    code = textwrap.dedent("""
        import json, torch.cuda as cuda
        devices = sorted({*cuda.DEVICE_REQUIREMENT, 88})
        answers = []
        for release, machines in cuda.PYTORCH_RELEASES_CODE_CC.items():
            for machine, codes in machines.items():
                for device in devices:
                    runs = any(cuda._code_compatible_with_device(device, code) for code in codes)
                    answers.append([release, machine, sorted(codes), device, runs])
        print(json.dumps(answers))
    """)
    done = subprocess.run([torch_python, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) > 100
    for release, machine, codes, device, runs in answers:
        built = machine_code([Version.parse(f"{code // 10}.{code % 10}") for code in codes])
        ours = covers(built, Version.parse(f"{device // 10}.{device % 10}"))
        assert ours is Truth.of(runs), f"CUDA {release}, {machine}: {codes} on {device}"


@pytest.mark.torch
def test_every_build_of_the_table_on_every_gpu_as_pytorch_judges_it(torch_python: str) -> None:
    """Every release and variant, every GPU that we know: our verdict and that of torch's own function."""
    columns = ("sm_x86_64", "sm_aarch64")
    builds = {
        (str(row["torch"]), str(row["variant"]), column): compiled
        for row in tables()["torch_variants"].rows
        for column in columns
        if (compiled := rows.versions(row, column))
    }
    gpus = {found for row in tables()["gpus"].rows if (found := rows.version(row, "capability"))}
    asked = [[item.major * 10 + item.minor for item in compiled] for compiled in builds.values()]
    code = textwrap.dedent("""
        import json, sys, torch.cuda as cuda
        builds, devices = json.load(sys.stdin)
        print(json.dumps([[any(cuda._code_compatible_with_device(device, code) for code in codes) for device in devices]
                          for codes in builds]))
    """)
    devices = sorted(item.major * 10 + item.minor for item in gpus)
    done = subprocess.run(
        [torch_python, "-c", code],
        input=json.dumps([asked, devices]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(builds) * len(devices) > 1000
    for (name, compiled), runs in zip(builds.items(), answers):
        for device, theirs in zip(devices, runs):
            ours = covers(machine_code(compiled), Version.parse(f"{device // 10}.{device % 10}"))
            assert ours is Truth.of(theirs), f"{name} on {device}"
