"""What every kind of pasted environment report states, and that no text makes its readers stumble."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudoctor.declared import known_specs
from gpudoctor.intake import environment
from gpudoctor.intake.statements import STATED
from record_tools import RECIPES
from stated_facts import stated

DUMPS = Path(__file__).parent / "dumps"
A100 = "NVIDIA A100-SXM4-80GB"

# dump -> the facts that it must state; None: must not be stated at all
EXPECTED: dict[str, dict[str, object]] = {
    "collect-env-1.0.txt": {
        "torch.version": "1.0.0",
        "torch.cuda_version": "9.0.176",
        "torch.cuda_available": True,
        "gpu.names": ["GeForce GTX 1080 Ti", "GeForce GTX 1080 Ti"],
        "gpu.count": 2,
        "driver.version": "396.44",
        "cudnn.version": "7.1.4",
        "os.name": "Ubuntu 16.04.5 LTS",
        "python.version": "3.6",
        "torchvision.version": "0.2.1",
        "glibc.version": None,
    },
    "collect-env-rocm.txt": {
        "torch.build": "rocm",
        "torch.hip_version": "6.2.41133",
        "torch.cuda_version": None,
        "torch.cuda_available": True,
        "gpu.names": ["AMD Instinct MI300X"],
        "gpu.count": None,
        "driver.version": None,
    },
    "collect-env-windows.txt": {
        "os.name": "Microsoft Windows 11 Pro (10.0.22631 64-bit)",
        "kernel.name": "Windows",
        "driver.version": "566.14",
        "glibc.version": None,
        "cudnn.version": None,
        "gpu.names": ["NVIDIA GeForce RTX 4070 Ti SUPER"],
    },
    "collect-env-macos.txt": {
        "torch.build": "cpu",
        "torch.cuda_version": None,
        "torch.cuda_available": False,
        "gpu.names": None,
        "driver.version": None,
        "cudnn.version": None,
        "kernel.machine": "arm64",
    },
    "collect-env-old-driver.txt": {
        "driver.version": "460.106.00",
        "driver.cuda_version": "11.2",
        "gpu.count": 2,
        "torch.cuda_available": False,
        "torch.import_outcome": "imported",
        "kernel.release": "5.4.0-150-generic",
        "cuda_toolkit.nvcc_version": None,
    },
    "vllm-boxes-quoted.txt": {
        "torch.version": "2.8.0+cu128",
        "torch.cuda_version": "12.8",
        "driver.version": "575.57.08",
        "gpu.names": ["NVIDIA A30", "NVIDIA A30"],
        "cudnn.version": "9.10.2.21",
        "nccl.version": "2.27.3",
        "vllm.version": "0.11.0",
        "glibc.version": "2.36",
        "container.nvidia_visible_devices": "all",
        "env.nccl_debug": "INFO",
        "cpu.count": 128,
        "kernel.machine": "x86_64",
    },
    "sglang.txt": {
        "gpu.names": ["NVIDIA H20"] * 4,
        "gpu.compute_capabilities": ["9.0"] * 4,
        "gpu.count": 4,
        "cuda_toolkit.nvcc_version": "12.4.131",
        "driver.version": "550.54.15",
        "sglang.version": "0.4.2",
        "numpy.version": "1.26.4",
        "limits.nofile": 1048576,
    },
    "mmengine.txt": {
        "torch.version": "2.1.0",
        "torch.cuda_version": "11.8",
        "torch.arch_list": ["sm_50", "sm_86", "compute_37"],
        "cudnn.version": "8.7",
        "gpu.names": ["NVIDIA GeForce RTX 3090"] * 2,
        "python.version": "3.8.19",
        "torchvision.version": "0.16.0",
    },
    "ds-report.txt": {
        "torch.version": "2.1.2+cu118",
        "torch.cuda_version": "11.8",
        "torch.hip_version": None,
        "deepspeed.version": "0.14.0",
        "cuda_toolkit.nvcc_version": "11.8",
        "shm.size_bytes": 64 << 20,
        "torch.cuda_available": None,
    },
    "accelerate-env.txt": {
        "accelerate.version": "1.2.1",
        "torch.version": "2.5.1+cu124",
        "torch.cuda_available": True,
        "numpy.version": "1.26.4",
        "glibc.version": "2.35",
        "gpu.count": None,
    },
    "issue-of-several-tools.md": {
        "transformers.version": "4.52.4",
        "torch.version": "2.7.1+cu126",
        "torch.cuda_available": True,
        "gpu.names": [A100, A100],
        "gpu.count": 2,
        "torchvision.version": "0.22.1+cu126",
        "deepspeed.version": None,
    },
    "bitsandbytes.txt": {
        "bitsandbytes.version": "0.46.0",
        "torch.version": "2.7.1+cu126",
        "torch.cuda_available": True,
        "glibc.version": "2.35",
        "numpy.version": "2.2.6",
        "trl.version": None,
    },
    "lightning.txt": {
        "gpu.names": ["NVIDIA A100-SXM4-40GB"] * 2,
        "torch.cuda_version": "12.1",
        "torch.cuda_available": True,
        "python.version": "3.10.13",
        "kernel.release": "5.15.0-91-generic",
    },
    "conda-list.txt": {
        "torch.version": "1.12.1",
        "torch.cuda_version": "11.3",
        "torch.build": "cuda",
        "numpy.version": "1.21.5",
        "python.version": "3.9.12",
    },
    "nvidia-smi-table.txt": {
        "driver.version": "560.35.03",
        "driver.cuda_version": "12.6",
        "gpu.names": ["NVIDIA A100 80GB PCIe"] * 2,
        "gpu.compute_modes": ["exclusive_process", "default"],
        "gpu.memory_used_bytes": [61234 << 20, 4 << 20],
        "gpu.ecc_volatile_uncorrected": [0, 2],
        "gpu.mig_enabled": [False, True],
    },
    "nvidia-smi-q.txt": {
        "driver.version": "550.144.03",
        "driver.cuda_version": "12.4",
        "gpu.count": 2,
        "gpu.names": ["NVIDIA H100 80GB HBM3"] * 2,
        "gpu.mig_enabled": [False, True],
        "gpu.compute_modes": ["default", "exclusive_process"],
        "gpu.memory_used_bytes": [1 << 20, "unknown"],
    },
    "nvidia-smi-q-x-cut.xml": {
        "driver.version": "550.144.03",
        "gpu.names": ["NVIDIA H100 80GB HBM3"],
        "gpu.memory_total_bytes": [81559 << 20],
    },
    "python-prompt.txt": {
        "torch.version": "2.3.0+cu121",
        "torch.cuda_version": "12.1",
        "torch.cuda_available": False,
        "gpu.names": None,
    },
    "python-c.txt": {
        "torch.version": "2.4.1+cu121",
        "torch.cuda_available": True,
        "cudnn.version": "9.1.0",
        "gpu.count": 2,
    },
}


def dump(name: str) -> str:
    return (DUMPS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXPECTED)
def test_each_kind_of_report_states_its_facts(name: str) -> None:
    found = stated(dump(name))
    assert {key: found.get(key) for key in EXPECTED[name]} == EXPECTED[name]


def test_every_dump_is_expected_to_state_something() -> None:
    assert sorted(path.name for path in DUMPS.iterdir()) == sorted({*EXPECTED, *RECIPES})


def test_types_agree_with_those_of_a_live_machine() -> None:
    declared = known_specs()
    assert {key: kind for key, kind in STATED.items() if key not in declared or declared[key].type is not kind} == {}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_fact_has_its_declared_key(name: str) -> None:
    assert set(stated(dump(name))) <= set(STATED)


@pytest.mark.parametrize("name", [name for name in EXPECTED if not name.startswith(("nvidia-smi-q", "python-p"))])
@pytest.mark.parametrize("prefix", ["> ", "> > ", "worker-1  | ", "\u00a0"])
def test_quoting_and_prefixes_change_nothing(name: str, prefix: str) -> None:
    quoted = "\n".join(prefix + line for line in dump(name).split("\n"))
    if name != "vllm-boxes-quoted.txt":
        assert stated(quoted) == stated(dump(name))


def test_prose_around_it_and_windows_line_ends_change_nothing() -> None:
    text = "```\r\n" + dump("sglang.txt").replace("\n", "\r\n") + "```\r\n"
    assert stated(f"Es geht nicht mehr, seit ich den Treiber erneuert habe:\n\n{text}\n谢谢!\n") == stated(
        dump("sglang.txt")
    )


def test_a_report_that_lost_its_line_ends_is_taken_apart() -> None:
    text = " ".join(dump("collect-env-old-driver.txt").split("\n")[2:])
    found = stated(f"Here is my env: {text}")
    for key in (
        "torch.version",
        "torch.cuda_version",
        "torch.cuda_available",
        "driver.version",
        "gpu.names",
        "os.name",
    ):
        assert found[key] == stated(dump("collect-env-old-driver.txt"))[key], key


def test_the_first_of_two_equally_good_statements_stands() -> None:
    text = "PyTorch version: 2.1.0+cu118\nPyTorch version: 2.3.0+cu121\n[pip3] torch==2.4.0\n"
    assert stated(text)["torch.version"] == "2.1.0+cu118"


def test_what_ran_goes_before_what_a_form_was_filled_with() -> None:
    text = "- PyTorch Version (e.g., 1.0): 1.9\nPyTorch version: 2.1.0+cu118\n"
    assert stated(text)["torch.version"] == "2.1.0+cu118"


@pytest.mark.parametrize(
    "nothing", ["Could not collect", "N/A", "No CUDA", "None", "not installed", "Module Not Found", "<fill in>", ""]
)
def test_no_answer_states_nothing(nothing: str) -> None:
    labels = ("Nvidia driver version", "cuDNN version", "OS", "Libc version", "Python version", "triton", "GPU type")
    assert stated("\n".join(f"{label}: {nothing}" for label in labels)) == {}


def test_it_tells_what_it_saw_and_what_it_did_not_understand() -> None:
    notes = environment.read(dump("issue-of-several-tools.md") + "\nxyzzy plugh\n").notes
    assert notes[0] == "seen in it: transformers env, accelerate env, nvidia-smi"
    assert any("xyzzy plugh" in note for note in notes)


def test_a_log_is_not_taken_for_a_report() -> None:
    assert environment.recognises("Epoch 1: loss 0.3\nTraceback (most recent call last):\nValueError: x\n", "log") == 0


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=2_000))
def test_any_text_is_read(text: str) -> None:
    environment.read(text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(EXPECTED)), st.integers(0, 2**32), st.integers(1, 40))
def test_mutated_reports_are_read_and_state_only_what_they_hold(name: str, seed: int, count: int) -> None:
    chance = random.Random(seed)
    characters = list(dump(name))
    for _ in range(count):
        place = chance.randrange(len(characters))
        characters[place : place + chance.randrange(4)] = chance.choice(["", "\n", ":", "9", "|", "\x00", "\U0001f525"])
    text = "".join(characters)
    for fact in environment.read(text).facts:
        if fact.key in ("torch.version", "driver.version", "numpy.version", "python.version"):
            assert str(fact.value) in text


@pytest.mark.parametrize(
    "text",
    [
        "GPU 0: " * 40_000,
        "|" * 400_000,
        "a:" * 200_000,
        "[conda] " + "x " * 100_000,
        " " * 300_000 + "x",
        "- " * 200_000,
    ],
)
def test_hostile_lines_end_soon(text: str) -> None:
    environment.read(text)


def test_a_gpu_range_cannot_fill_memory() -> None:
    assert len(stated("GPU 0-999: NVIDIA A100\n")["gpu.names"]) <= 1_024  # type: ignore[arg-type]
