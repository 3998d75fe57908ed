"""What each reader takes from a document, fact by fact."""

from __future__ import annotations

from typing import Any

import pytest

from gpudoctor.declared import known_specs
from gpudoctor.intake import partial_json, partial_yaml
from gpudoctor.intake.crash_facts import BORROWED, bytes_of, decimal_bytes_of
from gpudoctor.intake.registry import document_of, recognise
from gpudoctor.intake.scan import Triggers, scan
from gpudoctor.model.document import Document
from gpudoctor.model.version import Version
from intake_samples import SAMPLES

MIB = 1 << 20
TRIGGERS = Triggers(["rror", "illed", "xit"])


def document(text: str, name: str = "evidence.txt") -> Document:
    """Read as the command line reads it."""
    return document_of(name, scan([text.encode("utf-8", "surrogateescape")], TRIGGERS), TRIGGERS)


def facts(text: str) -> dict[str, Any]:
    """The facts of a document by key; versions as their text."""
    known = {fact.key: fact.value for fact in document(text).facts}
    return {key: str(value) if isinstance(value, Version) else value for key, value in known.items()}


WANTED: dict[str, dict[str, Any]] = {
    "container_inspect/oom": {
        "crash.oom_killed": True,
        "crash.exit_code": 137,
        "crash.state": "exited",
        "crash.restart_count": 2,
        "crash.memory_limit_bytes": 512 * MIB,
        "crash.shm_size_bytes": 64 * MIB,
        "crash.pid1_init": True,
        "crash.runtime": "nvidia",
        "crash.gpu_requested": True,
        "crash.context": ("container",),
    },
    "container_inspect/never started": {
        "crash.oom_killed": False,
        "crash.exit_code": 128,
        "crash.state": "created",
        "crash.state_error": 'could not select device driver "" with capabilities: [[gpu]]',
        "crash.context": ("container",),
    },
    "container_inspect/state alone, cut off": {
        "crash.oom_killed": True,
        "crash.exit_code": 0,
        "crash.state": "exited",
        "crash.context": ("container",),
    },
    "pod/json": {
        "crash.context": ("container", "k8s"),
        "crash.exit_code": 137,
        "crash.reason": "OOMKilled",
        "crash.oom_killed": True,
        "crash.restart_count": 3,
        "crash.memory_limit_bytes": 16 << 30,
        "crash.gpu_requested": True,
    },
    "pod/yaml": {
        "crash.context": ("container", "k8s"),
        "crash.reason": "Evicted",
        "crash.oom_killed": False,
        "crash.memory_limit_bytes": 8 * 10**9,
        "crash.gpu_requested": False,
    },
    "pod/piece": {
        "crash.context": ("container", "k8s"),
        "crash.exit_code": 1,
        "crash.reason": "Error",
        "crash.oom_killed": False,
        "crash.restart_count": 7,
    },
    "pod_describe/oom": {
        "crash.context": ("container", "k8s"),
        "crash.exit_code": 137,
        "crash.reason": "OOMKilled",
        "crash.oom_killed": True,
        "crash.restart_count": 4,
        "crash.memory_limit_bytes": 4 << 30,
        "crash.gpu_requested": True,
    },
    "events/table": {
        "crash.context": ("container", "k8s"),
        "crash.event_reasons": ("FailedScheduling", "Scheduled"),
        "crash.reason": "Unschedulable",
    },
    "events/described": {
        "crash.context": ("container", "k8s"),
        "crash.event_reasons": ("Unhealthy", "Killing"),
    },
    "events/json": {
        "crash.context": ("container", "k8s"),
        "crash.event_reasons": ("Evicted",),
        "crash.reason": "Evicted",
    },
    "slurm/sacct": {
        "crash.context": ("slurm",),
        "crash.slurm_state": "OUT_OF_MEMORY",
        "crash.slurm_exit": "0:125",
        "crash.memory_peak_bytes": 32 << 30,
    },
    "slurm/sacct -P": {"crash.context": ("slurm",), "crash.slurm_state": "FAILED", "crash.slurm_exit": "139:0"},
    "slurm/scontrol": {
        "crash.context": ("slurm",),
        "crash.slurm_state": "NODE_FAIL",
        "crash.slurm_exit": "0:1",
        "crash.memory_limit_bytes": 4000 * MIB,
        "crash.gpu_requested": True,
    },
    "kernel_log/oom": {
        "crash.kernel_oom": True,
        "crash.kernel_oom_scope": "cgroup",
        "crash.kernel_oom_tasks": ("python3",),
        "crash.segfault_objects": ("libfoo.so",),
    },
    "kernel_log/xid": {"crash.xids": (79, 154)},
    "kernel_log/machine": {
        "crash.kernel_oom": True,
        "crash.kernel_oom_scope": "machine",
        "crash.kernel_oom_tasks": ("python",),
    },
    "cgroup/events": {"crash.oom_kill_count": 2, "cgroup.oom_kill_count": 2, "cgroup.oom_count": 3},
    "cgroup/control": {"crash.oom_kill_count": 1, "cgroup.oom_kill_count": 1},
    "cgroup/pids": {"crash.pids_limit_hits": 5},
    "nvidia_smi/table": {
        "driver.version": "535.104.05",
        "driver.cuda_version": "12.2",
        "gpu.count": 2,
        "gpu.names": ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
    },
    "nvidia_smi/list": {"gpu.count": 1, "gpu.names": ("NVIDIA H100 80GB HBM3",)},
    "nvidia_smi/error": {"crash.nvidia_smi_error": "Failed to initialize NVML: Driver/library version mismatch"},
    "package_list/pip": {
        "torch.version": "2.3.1+cu121",
        "torch.cuda_version": "12.1",
        "torchvision.version": "0.18.1+cu121",
        "numpy.version": "1.26.4",
        "cudnn.version": "8.9.2",
        "packages.names_versions": (
            "numpy==1.26.4",
            "nvidia-cudnn-cu12==8.9.2.26",
            "torch==2.3.1+cu121",
            "torchvision==0.18.1+cu121",
        ),
    },
    "package_list/freeze": {
        "torch.version": "2.1.0",
        "numpy.version": "1.24.1",
        "triton.version": "2.1.0",
        "packages.names_versions": ("numpy==1.24.1", "torch==2.1.0", "triton==2.1.0"),
    },
    "package_list/conda": {
        "python.version": "3.10.13",
        "torch.version": "2.1.2",
        "packages.names_versions": ("pytorch==2.1.2",),
    },
    "core_files/listing": {"core_files.count": 2, "core_files.found": ("core.812", "core.python.9")},
    "core_files/file": {"core_files.count": 1, "core_files.found": ("core.812 (from python train.py)",)},
    "core_files/itself": {"core_files.count": 1},
    "report/ours": {
        "torch.version": "2.3.1",
        "gpu.names": ("A100",),
        "crash.report_causes": ("driver.not_loaded",),
    },
    "notes/mixed": {
        "crash.context": ("container", "k8s"),
        "torch.version": "1.5.1",
        "gpu.names": ("A100 80GB",),
        "crash.run_flags": "-it -v /data:/data --shm-size 8g",
        "crash.gpu_requested": False,
        "crash.pid1_init": False,
        "crash.shm_size_bytes": 8 << 30,
        "crash.reason": "Evicted",
    },
    "notes/chinese": {"crash.exit_code": 137, "gpu.names": ("A100 80GB",)},
}


@pytest.mark.parametrize("name", sorted(WANTED))
def test_facts(name: str) -> None:
    assert facts(SAMPLES[name]) == WANTED[name]


def test_every_sample_but_the_stack_is_told_in_full() -> None:
    assert set(SAMPLES) - set(WANTED) == {"elastic_error/file"}


def test_a_stack_inside_json_is_seen_as_lines() -> None:
    read = document(SAMPLES["elastic_error/file"])
    assert sum("Tried to allocate 2.00 GiB" in line.text for line in read.lines) == 1
    assert '  File "t.py", line 3, in main' in [line.text for line in read.lines]


def test_messages_keep_the_line_that_they_stand_in() -> None:
    read = document(SAMPLES["pod/yaml"])
    (message,) = [line for line in read.lines if "low on resource" in line.text]
    assert (
        message.number
        == SAMPLES["pod/yaml"]
        .split("\n")
        .index("  message: 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 48Mi.'")
        + 1
    )


def test_a_message_that_a_kept_line_shows_anyway_is_not_told_twice() -> None:
    read = document('{"State": {"ExitCode": 1, "OOMKilled": false, "Error": "an error of the runtime"}}')
    assert len([line for line in read.lines if "an error of the runtime" in line.text]) == 1


def test_a_core_file_is_no_log() -> None:
    assert document("\x7fELF\0\0 RuntimeError: from some buffer").lines == ()


@pytest.mark.parametrize(
    "text",
    [
        "Epoch 3: loss 0.5\nTraceback (most recent call last):\nRuntimeError: boom\n",
        "step: 1\nstep: 2\n",
        "{'loss': 0.5, 'epoch': 1}\n{'loss': 0.4, 'epoch': 2}\n",
        '{"train": {"batch": 8}, "status": 3}\n' * 3,
        "max 3\nmin 2\n",
        "+---+---+\n| a | b |\n+---+---+\n",
    ],
)
def test_logs_stay_logs(text: str) -> None:
    assert recognise(text, "train.log") is None


def test_the_worst_container_of_a_pod_speaks_for_it() -> None:
    pod = '{"containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}, '
    pod += '{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}'
    assert facts(pod)["crash.exit_code"] == 1
    assert facts(pod)["crash.reason"] == "Error"


def test_a_running_container_has_no_exit() -> None:
    assert "crash.exit_code" not in facts('{"State": {"Status": "running", "OOMKilled": false, "ExitCode": 0}}')


def test_sacct_codes_get_their_128_back_and_the_note_says_so() -> None:
    assert document(SAMPLES["slurm/sacct -P"]).notes == ("sacct takes 128 off exit codes; 11:0 was read as 139:0",)
    assert facts("JobID|State|ExitCode\n1|FAILED|3:0\n")["crash.slurm_exit"] == "3:0"


def test_utf8_bytes_and_prompts_around_a_document_do_no_harm() -> None:
    assert facts("$ docker inspect träin\n" + SAMPLES["container_inspect/oom"])["crash.exit_code"] == 137


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, -3e2, true, null]}', {"a": [1, 2.5, -300.0, True, None]}),
        ('{"a": {"b": [1, {"c": "d', {"a": {"b": [1, {"c": "d"}]}}),
        ('{"a": 1, // note\n "b": 2,}', {"a": 1, "b": 2}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ('"a": 1,\n"b": {"c": 2}', {"a": 1, "b": {"c": 2}}),
        ('{"a": "x\\ny", ...}', {"a": "x\ny"}),
        ('junk {"a": 1} junk {"b": 2}', [{"a": 1}, {"b": 2}]),
        ("", {}),
        ("no json here", {}),
    ],
)
def test_partial_json(text: str, value: object) -> None:
    assert partial_json.parse(text)[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb:\n  c: x y\n  d: true\n", {"a": 1, "b": {"c": "x y", "d": True}}),
        ("a:\n- 1\n- b: 2\n  c: 3\n- b: 4\n", {"a": [1, {"b": 2, "c": 3}, {"b": 4}]}),
        ("a:\n  - b:\n      - c\n    d: e\nf: g\n", {"a": [{"b": ["c"], "d": "e"}], "f": "g"}),
        ("a: |\n  one\n  two\nb: 3\n", {"a": "one\ntwo", "b": 3}),
        ("a: \"x: y\"\nb: 'it''s'\n", {"a": "x: y", "b": "it's"}),
        ("a: one\n  two\nb: [1, 2]\nc: {}\n", {"a": "one two", "b": [1, 2], "c": {}}),
        ("# nothing\n---\n", {}),
    ],
)
def test_partial_yaml(text: str, value: object) -> None:
    assert partial_yaml.parse(text) == value


@pytest.mark.parametrize(
    ("text", "size", "decimal"),
    [
        ("64m", 64 * MIB, 64 * MIB),
        ("16Gi", 16 << 30, 16 << 30),
        ("8G", 8 << 30, 8 * 10**9),
        ("1.5g", 3 << 29, 3 << 29),
        ("100000K", 100000 << 10, 100000 << 10),
        ("4000Mc", 4000 * MIB, 4000 * MIB),
        ("65536", 65536, 65536),
        ("lots", None, None),
        ("9" * 18 + "P", None, None),
    ],
)
def test_sizes(text: str, size: int | None, decimal: int | None) -> None:
    assert bytes_of(text) == size
    assert decimal_bytes_of(text) == decimal


def test_borrowed_facts_have_the_types_of_who_declares_them() -> None:
    specs = known_specs()
    assert {key: specs[key].type for key in BORROWED} == BORROWED
